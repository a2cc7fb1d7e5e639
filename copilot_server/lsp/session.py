"""The state of one editor's session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from lsprotocol import types

from copilot_server.completion.rejected import RejectedSuggestions
from copilot_server.completion.scheduling.engine_thread import EngineThread
from copilot_server.completion.scheduling.scheduler import Scheduler
from copilot_server.completion.types import CompletionRequest, Source
from copilot_server.context.document import Document
from copilot_server.errors import (
    EngineChangedError,
    EngineError,
)
from copilot_server.lsp.client import Client
from copilot_server.lsp.consent import Consent
from copilot_server.lsp.documents import Documents, Edit
from copilot_server.lsp.examples import SessionExamples
from copilot_server.lsp.focus import Focus
from copilot_server.lsp.loading import ModelLoader, OpenPipeline
from copilot_server.lsp.notebooks import Notebooks
from copilot_server.lsp.reporter import Reporter
from copilot_server.lsp.settings import ClientSettings
from copilot_server.lsp.snooze import Snooze
from copilot_server.lsp.switches import Switches
from copilot_server.lsp.tasks import BackgroundTasks
from copilot_server.lsp.workspace import WorkspaceFiles
from copilot_server.statistics.recorder import Statistics
from copilot_server.statistics.text import minimal_edit
from copilot_server.statistics.types import PlainEdit

#: What made the editor request a completion. A panel makes two requests.
RequestKind = Literal["automatic", "invoked", "menu", "panel"]
#: Where the answer to a request came from, or why there was none.
Outcome = Source | Literal["cancelled", "failed"]

#: The command that an editor runs when an item was accepted. Editors register the commands of all their
#: servers globally, so the name that Copilot's clients know is used with those clients alone.
DID_ACCEPT = "copilotServer.didAcceptCompletionItem"
COPILOTS_DID_ACCEPT = "github.copilot.didAcceptCompletionItem"


class Session:
    """What the server knows of one editor, and what it decides for it.

    All methods are for the thread of the event loop.
    """

    def __init__(
        self,
        client: Client,
        settings: ClientSettings,
        open_pipeline: OpenPipeline,
        engine_thread: EngineThread | None = None,
    ) -> None:
        """``engine_thread``: the one that this session shares with others; by default one of its own."""
        self.client = client
        self.settings = settings
        self.documents = Documents()
        self.notebooks = Notebooks(self.documents)
        self.snooze = Snooze(self._switched)
        self.switches = Switches(settings, self.documents, self.snooze, self.notebooks.file_of)
        self.workspace = WorkspaceFiles(self.documents)
        self.background = BackgroundTasks()
        self.scheduler = Scheduler(engine_thread=engine_thread)
        self.consent = Consent(client, self.background, lambda: self.loader.load(again=True))
        self._focus = Focus()
        self.reporter = Reporter(
            client,
            settings,
            switches=self.switches,
            focus=self._focus,
            scheduler=self.scheduler,
            background=self.background,
            loading=lambda: self.loader.progress,
        )
        self.loader = ModelLoader(
            self.scheduler,
            settings,
            self.background,
            listener=self.reporter,
            consent=self.consent,
            open_pipeline=open_pipeline,
        )
        self.loader.on_loaded = lambda: self._read_ahead(self._focus.uri)
        self.scheduler.on_engine_error = self._engine_changed
        self.examples = SessionExamples(settings, client.log)
        self.statistics = Statistics(self._text_of)
        self.rejected = RejectedSuggestions()
        #: Where a panel is being filled: text and offset of the cursor, by the document's URI.
        self.panels: dict[str, tuple[str, int]] = {}
        self.accept_command = DID_ACCEPT
        #: Called with each request that is over, and its duration from its arrival, in seconds.
        self.on_outcome: Callable[[RequestKind, Outcome, float], None] = lambda *_outcome: None
        self._problems: list[str] = []

    def close(self) -> None:
        """End the session, without waiting for anything."""
        self.background.cancel()
        self.snooze.close()
        self.workspace.close()
        self.loader.close()
        self.examples.close()
        self.scheduler.close(0.0)
        self.statistics.close(0.0)

    # Settings.

    def initialize(self, options: object, editor: str) -> None:
        """Take what ``initialize`` brings: the editor's initializationOptions and its name."""
        self.documents.encoding = self.client.position_encoding
        self._problems = self.settings.initialize(options)
        self.statistics.configure(enabled=False, editor=editor)
        is_copilots = isinstance(options, dict) and "editorInfo" in options
        self.accept_command = COPILOTS_DID_ACCEPT if is_copilots else DID_ACCEPT

    def show_problems(self) -> None:
        """Show once what was wrong with the settings that ``initialize`` brought."""
        self._show(self._problems)
        self._problems = []

    def change_settings(self, options: object) -> None:
        """Take the settings that the editor sends while it runs, and show what is wrong with them."""
        self._show(self.settings.change(options))
        self.apply_settings()

    def _show(self, problems: Sequence[str]) -> None:
        for problem in problems:
            self.client.show_warning(problem)

    def apply_settings(self) -> None:
        """Do what changed settings ask for. A failed load is tried again: they may have removed its cause."""
        current = self.settings.current
        self.switches.apply(self.client.folders)
        reads_others = current.enabled and current.workspace
        folders = self.client.folders if reads_others else ()
        self.workspace.follow(folders, current.exclude, self.settings.added_exclude)
        self.scheduler.debounce.enabled = current.debounce == "auto"
        self.statistics.configure(enabled=current.statistics)
        self.loader.load(again=True)
        self._switched()

    def snooze_for(self, minutes: float) -> None:
        """Suggest nothing for some minutes while the user types; 0 resumes."""
        self.snooze.start(minutes)
        self._switched()

    def _switched(self) -> None:
        """Do what it means that suggestions are wanted somewhere now, or not any more."""
        self._read_ahead(self._focus.uri)
        self.reporter.report_status()

    # Documents.

    def open(self, item: types.TextDocumentItem) -> None:
        """Take up a document, and prepare for requests in it."""
        document = self.documents.open(item)
        self.reporter.forget(document.uri)
        self.rejected.closed(document.uri)
        self.workspace.opened(document)
        if self.switches.why_silent(document.uri) is None:
            self.scheduler.prepare(Document(document.uri, document.language_id, document.text))
        self._focus.touch(document.uri)
        if self._focus.is_on(document.uri):
            self._switched()

    def change(self, uri: str, version: int, changes: Sequence[types.TextDocumentContentChangeEvent]) -> None:
        """Apply the editor's changes to a document.

        Where an editor sent the whole text, the others get the part of it that differs.
        """
        before = self.documents.get(uri)
        edits = self.documents.change(uri, version, changes)
        after = self.documents.get(uri)
        if before is None or after is None:
            return
        if self._focus.touch(after.uri):
            self.reporter.report_status()
        self.examples.interrupt()
        self.workspace.changed(after)
        is_whole = any(edit.end - edit.start == len(before.text) for edit in edits)
        smallest = _smallest(before.text, after.text, edits)
        self.statistics.changed(after.uri, (smallest,) if is_whole else edits)
        removed = before.text[smallest.start : smallest.end]
        self.rejected.changed(after.uri, smallest.start, removed, smallest.text)

    def close_document(self, uri: str) -> None:
        """Forget a document."""
        document = self.documents.get(uri)
        self.documents.close(uri)
        self.reporter.forget(uri)
        if self._focus.is_on(uri):
            self._switched()
        if document is not None:
            self.workspace.closed(document.uri)
            self.statistics.closed(document.uri)
            self.rejected.closed(document.uri)

    def focus(self, uri: str | None, position: types.Position | None = None) -> None:
        """Remember which document the user looks at, for the status, and where its cursor is."""
        if self._focus.move(uri, position):
            self.reporter.report_status()

    def look_at(self, uri: str | None, position: types.Position | None = None) -> None:
        """Take the editor's report of what the user looks at, and read ahead there."""
        self._focus.report(uri, position)
        self._switched()

    def _read_ahead(self, uri: str | None) -> None:
        """Have the prompt at the cursor of a document read; of none if suggestions are not wanted there.

        Where the cursor is not known, nothing is read: its line decides how most prompts begin.
        """
        document = self.documents.get(uri) if uri is not None else None
        position = self._focus.cursor(uri) if uri is not None else None
        request = None
        if document is not None and position is not None and self.switches.why_silent(document.uri) is None:
            cursor = document.cursor_at(position, self.documents.encoding)
            request = CompletionRequest(self.notebooks.among_cells(cursor), workspace=self.workspace.source)
        self.scheduler.read_ahead(request)

    def _text_of(self, uri: str) -> str | None:
        document = self.documents.get(uri)
        return document.text if document else None

    # Suggestions.

    def shown(self, item_id: str) -> None:
        """Take the editor's report that it shows an item."""
        self.statistics.shown(item_id)
        self.rejected.shown(item_id)

    def dismissed(self, item_id: str) -> None:
        """Take the editor's report that the user has dismissed an item."""
        self.statistics.dismissed(item_id)
        self.rejected.dismissed(item_id)

    def _engine_changed(self, error: EngineError | None) -> None:
        """Take a report of a remote engine: an error, or None if it works again.

        An engine that serves another model than before is connected to again.
        """
        if error is None:
            self.reporter.works()
        elif isinstance(error, EngineChangedError):
            self.loader.reload()
        else:
            self.reporter.failed(error)


def _smallest(before: str, after: str, edits: Sequence[Edit]) -> PlainEdit:
    """Return the smallest edit that does what ``edits`` did."""
    if len(edits) != 1:
        return minimal_edit(before, after)
    (edit,) = edits
    return minimal_edit(before[edit.start : edit.end], edit.text, edit.start)
