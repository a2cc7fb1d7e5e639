"""Where suggestions are switched off: everywhere, for a time, for a language, or in excluded documents."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cachetools import TTLCache

from copilot_server.context.exclusion import Exclusions
from copilot_server.lsp import reasons
from copilot_server.lsp.documents import Documents
from copilot_server.lsp.reasons import Reason
from copilot_server.lsp.settings import ClientSettings
from copilot_server.lsp.snooze import Snooze

#: How long it is remembered whether a document is excluded, in seconds: looking at the disk for each key
#: would cost more than everything else that the server does for it.
_EXCLUDED_S = 1.0


class Switches:
    """What one editor's user has switched off. For one thread: the event loop's."""

    def __init__(
        self, settings: ClientSettings, documents: Documents, snooze: Snooze, file_of: Callable[[str], str]
    ) -> None:
        """``file_of``: gives the URI of the file that a document, by its URI, is a part of."""
        self._settings = settings
        self._documents = documents
        self._snooze = snooze
        self._file_of = file_of
        self._exclusions = Exclusions()
        self._excluded: TTLCache[str, str | None] = TTLCache(64, _EXCLUDED_S)

    def apply(self, folders: Sequence[str]) -> None:
        """Take changed settings, or changed folders of the workspace, given by their URIs."""
        self._exclusions = Exclusions(self._settings.current.exclude, folders, self._settings.added_exclude)
        self._excluded.clear()

    def why_never(self, uri: str) -> Reason | None:
        """Say why nothing is ever suggested in an open document, even to a user who asks for it."""
        document = self._documents.get(uri)
        if not self._settings.current.enabled:
            return reasons.OFF
        excluded = None if document is None else self._why_excluded(self._file_of(document.uri))
        return None if excluded is None else reasons.excluded(excluded)

    def why_silent(self, uri: str) -> Reason | None:
        """Say why nothing is suggested in an open document while the user types; None if something is."""
        return self.why_never(uri) or self.why_snoozed() or self._why_language(uri) or self._why_manual()

    def why_snoozed(self) -> Reason | None:
        """Say until when suggestions are snoozed, if they are."""
        until = self._snooze.shown
        return None if until is None else reasons.snoozed(until)

    def _why_manual(self) -> Reason | None:
        return None if self._settings.current.automatic else reasons.MANUAL

    def _why_language(self, uri: str) -> Reason | None:
        document, languages = self._documents.get(uri), self._settings.current.languages
        if document is None or languages.get(document.language_id, languages.get("*", True)):
            return None
        return reasons.language(document.language_id)

    def _why_excluded(self, uri: str) -> str | None:
        if uri not in self._excluded:
            self._excluded[uri] = self._exclusions.reason(uri)
        return self._excluded.get(uri)
