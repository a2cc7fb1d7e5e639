"""A workspace: its index, kept up to date in the background, and what it says about the code at a cursor."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from cachetools import LRUCache

from copilot_server.context.document import Cursor
from copilot_server.context.exclusion import Exclusions
from copilot_server.context.source.definitions import Header
from copilot_server.workspace.environment.environment import Environment
from copilot_server.workspace.environment.known import EnvironmentFiles
from copilot_server.workspace.index import Index
from copilot_server.workspace.indexer import Outcome
from copilot_server.workspace.indexing import MAX_PATHS, Indexing
from copilot_server.workspace.languages import SUFFIXES
from copilot_server.workspace.overlay import Overlay
from copilot_server.workspace.python.document import (
    SplitText,
    Surroundings,
    read_code,
    read_imports,
    surroundings,
)
from copilot_server.workspace.python.line import select_on_line
from copilot_server.workspace.python.missing import Suggested, judged_names
from copilot_server.workspace.python.select import Selected, ask_for_imports, select_stable
from copilot_server.workspace.recent import RecentEdits
from copilot_server.workspace.select import Limits
from copilot_server.workspace.similar.families import BY_LANGUAGE, Family, family_of
from copilot_server.workspace.similar.search import Around
from copilot_server.workspace.similar.source import SimilarCode
from copilot_server.workspace.store import database_of
from copilot_server.workspace.summary import Import
from copilot_server.workspace.tags import select as tags
from copilot_server.workspace.tags.document import depth_of, read_around
from copilot_server.workspace.tags.languages import FAMILIES
from copilot_server.workspace.types import MissingName, Snippet

#: The language ids of documents that get snippets, and of those that get the heads of definitions.
LANGUAGES = frozenset(BY_LANGUAGE)
WITH_HEADS = frozenset({"python"})

#: Files whose change may change which other files are listed.
_IGNORE_FILES = frozenset({".gitignore", ".copilotignore"})


@dataclass(frozen=True, slots=True)
class _Remembered:
    """What was selected around a cursor's line, and on what it depended."""

    before: str
    after: str
    headers: tuple[Header, ...]
    version: tuple[int, ...]
    selected: Selected


class Workspace:
    """The folders of a workspace. Every method may be called from any thread, and none waits for the index.

    ``cache``: the folder for the index. Nothing is read before ``start``, and of the Python environment
    nothing before somebody asks for snippets. ``virtual_env``: the environment that is active, if any.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        exclusions: Exclusions,
        cache: Path,
        limits: Limits | None = None,
        virtual_env: str = "",
    ) -> None:
        self._folders = tuple(dict.fromkeys(os.path.realpath(folder) for folder in folders))
        self._exclusions = exclusions
        self._limits = limits or Limits()
        self._overlay = Overlay()
        database = database_of(cache, self._folders, exclusions.described)
        self._index = Index(database, self._folders, self._overlay, exclusions.excludes)
        self._indexing = Indexing(database, self._folders, exclusions, self._overlay, self._index.reopen)
        self._environment = Environment(self._index, exclusions.excludes, virtual_env)
        #: How long ``snippets`` waits for what is read of the environment. Where somebody types, not at all.
        self.wait_s = 0.0
        self._recent = RecentEdits()
        self._similar = SimilarCode(self._index, self._limits.similar, self._may_read)
        self._lock = threading.Lock()
        self._remembered: LRUCache[str, _Remembered] = LRUCache(8)
        self._selected_by_tags: LRUCache[str, tuple[object, tags.Selected]] = LRUCache(8)

    @property
    def outcome(self) -> Outcome | None:
        """What the last look at the files found; None before the first, or if that has failed."""
        return self._indexing.outcome

    def start(self) -> None:
        """Begin to index in the background."""
        self._indexing.start()

    def wait(self, timeout_s: float) -> bool:
        """Wait until everything known so far is indexed, and what was asked for of the environment is read.

        Returns:
            False if it is not after ``timeout_s``, or if indexing has failed.
        """
        end_s = time.monotonic() + timeout_s
        self._overlay.want_all()
        is_indexed = self._indexing.wait(timeout_s)
        return is_indexed and self._environment.wait(max(0.0, end_s - time.monotonic()))

    def close(self) -> None:
        """Stop indexing, and close the index."""
        self._environment.close()
        self._indexing.close()
        self._index.close()

    def opened(self, uri: str, language_id: str, text: str) -> None:
        """Note a document that is open: its text counts, and not its file's."""
        path = _path_of(uri)
        if path and language_id in LANGUAGES:
            self._overlay.set(path, text, read=True)

    def changed(self, uri: str, text: str) -> None:
        """Note the text of an open document."""
        path = _path_of(uri)
        before = self._overlay.current(path)
        if before is not None:
            self._overlay.set(path, text, read=False)
            self._recent.changed(path, before, text)

    def closed(self, uri: str) -> None:
        """Forget the text of a document: its file counts again."""
        path = _path_of(uri)
        self._overlay.remove(path)
        self._recent.closed(path)

    def refresh(self, paths: Iterable[Path] | None = None) -> None:
        """Look in the background which files have changed. ``paths``: only these may have; None for any."""
        few = None if paths is None else list(islice(paths, MAX_PATHS + 1))
        if few is None or len(few) > MAX_PATHS or any(map(self._changes_others, few)):
            self._indexing.refresh(None)
        elif sources := [os.path.realpath(path) for path in few if path.name.endswith(SUFFIXES)]:
            self._indexing.refresh(sources)

    def _changes_others(self, path: Path) -> bool:
        """Whether a change of this path may change which other files there are."""
        if path.name in _IGNORE_FILES or path.is_dir():
            return True
        was_folder = not path.name.endswith(SUFFIXES) and self._index.has_folder(os.path.realpath(path))
        return was_folder and not path.exists()

    def hide(self, paths: Iterable[Path]) -> None:
        """Let these files contribute nothing, and no others than these be hidden."""
        given = [os.path.abspath(path) for path in paths]  # noqa: PTH100 - a link is hidden by both names
        self._index.hide(frozenset({*given, *(os.path.realpath(path) for path in given)}))

    def snippets(self, cursor: Cursor) -> tuple[Snippet, ...]:
        """Return code that helps at a cursor.

        What changes least often comes first: what was edited last elsewhere, code that is like that around
        the cursor, and the heads of definitions that it names, by file and line. Then come those that the
        cursor's line adds.
        """
        language = cursor.document.language_id
        family = BY_LANGUAGE.get(language)
        if family is None:
            return ()
        path, split = self._path(cursor, family.suffixes[0]), SplitText.at(cursor)
        similar = self._similar.at(Around(split.before, split.after, path, family))
        found = [*self._edited(path, split, family), *similar]
        if language in WITH_HEADS:
            found += self._by_names(path, split)
        elif language in FAMILIES:
            found += self._by_tags(path, split, FAMILIES[language])
        return tuple(self._relative(one) for one in found if self._may_read(one.path))

    def _by_names(self, path: str, split: SplitText) -> tuple[Snippet, ...]:
        """Return the heads that Python code names. What is missing of the environment is looked for."""
        version = self._environment.version
        files = self._environment.files(path)
        selected = self._around(path, split, files, version)
        added = select_on_line(split, selected, files, path, self._limits)
        if files.is_incomplete:
            self._environment.look(path, lambda more: self._look(path, split, selected.around, more))
            is_known = self.wait_s and self._environment.wait(self.wait_s)
            if is_known and self._environment.version != version:
                return self._by_names(path, split)
        return (*selected.snippets, *added)

    def _look(self, path: str, split: SplitText, around: Surroundings, files: EnvironmentFiles) -> None:
        """Ask for all that ``snippets`` asks for there, and for what the document imports."""
        if files.has_site:
            selected = select_stable(split, around, files, path, self._limits)
            select_on_line(split, selected, files, path, self._limits)
            ask_for_imports(split, around, files, path)

    def _edited(self, path: str, split: SplitText, family: Family) -> tuple[Snippet, ...]:
        """Return what was edited last elsewhere, in files of the document's family that are in the index."""

        def text_of(other: str) -> str | None:
            is_shown = family_of(other) is family and self._index.existing((other,))
            return self._overlay.current(other) if is_shown else None

        return self._recent.snippets(path, split.before.count("\n"), self._limits.edited, text_of)

    def missing_name(self, cursor: Cursor, text: str, replaced: int) -> MissingName | None:
        """Return the first name in a suggestion that certainly does not exist where it is used."""
        judged = self.judged_names(cursor, text, replaced)
        return next((one for one, exists in judged if exists is False), None)

    def judged_names(
        self, cursor: Cursor, text: str, replaced: int
    ) -> Iterator[tuple[MissingName, bool | None]]:
        """Yield the attributes, keywords and imports in a suggestion, and whether they exist.

        None means that it is not certain, as all is until the files are indexed.
        """
        if cursor.document.language_id not in WITH_HEADS or not self._indexing.is_up_to_date:
            return
        path, split = self._path(cursor), SplitText.at(cursor)
        self._index.version()  # what is remembered of an earlier one is forgotten
        headers, imports = self._own_code(path, split)
        yield from judged_names(self._index, Suggested(path, split, headers, imports, text, replaced))

    def _path(self, cursor: Cursor, suffix: str = ".py") -> str:
        # A document without a file is taken for one in the first folder, where its imports may begin.
        untitled = f"{next(iter(self._folders), '')}/untitled{suffix}"
        return _path_of(cursor.document.uri) or untitled

    def _own_code(self, path: str, split: SplitText) -> tuple[tuple[Header, ...], tuple[Import, ...]]:
        """Return the definitions around the cursor, and the document's imports.

        They are known if snippets were asked for there.
        """
        with self._lock:
            last = self._remembered.get(path)
        if last is not None and (last.before, last.after) == (split.before, split.after):
            return last.headers, last.selected.around.own.imports
        return read_code(split)[1], read_imports(split.before, split.after)

    def _around(self, path: str, split: SplitText, files: EnvironmentFiles, of_files: int) -> Selected:
        """Return what is selected without the cursor's line; while somebody types there it is remembered.

        ``of_files``: the version of ``files``.
        """
        (code, headers), version = read_code(split), (*self._index.version(), of_files)
        with self._lock:
            last = self._remembered.get(path)
        known = (split.before, split.after, headers, version)
        if last is not None and (last.before, last.after, last.headers, last.version) == known:
            return last.selected
        around = surroundings(split, code, headers)
        known_files = files if files.has_site else self._index
        selected = select_stable(split, around, known_files, path, self._limits)
        with self._lock:
            self._remembered[path] = _Remembered(*known, selected)
        return selected

    def _by_tags(self, path: str, split: SplitText, family: str) -> tuple[Snippet, ...]:
        """Return the heads that code in a language other than Python names."""
        known = (split.before, split.after, depth_of(split), family, self._index.version())
        with self._lock:
            last = self._selected_by_tags.get(path)
        if last is not None and last[0] == known:
            selected = last[1]
        else:
            around = read_around(split, family)
            selected = tags.select_stable(split, around, self._index, path, self._limits)
            with self._lock:
                self._selected_by_tags[path] = known, selected
        added = tags.select_on_line(split, selected, self._index, path, self._limits)
        return (*selected.snippets, *added)

    def _may_read(self, path: str) -> bool:
        # What is excluded may have changed since the file was indexed.
        return all(map(self._index.may_be_read, {path, self._environment.source(path)}))

    def _relative(self, snippet: Snippet) -> Snippet:
        known = (*self._folders, *self._environment.sites)
        folders = (one for one in known if snippet.path.startswith(f"{one}/"))
        folder = max(folders, key=len, default="")
        return replace(snippet, path=snippet.path[len(folder) :].lstrip("/"))


def _path_of(uri: str) -> str:
    """Return the real path of a document's file, or of a cell's notebook; "" if it has none."""
    try:
        parts = urlsplit(uri)
        is_local = parts.scheme == "file" or (parts.scheme == "vscode-notebook-cell" and not parts.netloc)
        return os.path.realpath(url2pathname(parts.path)) if is_local else ""
    except ValueError:
        return ""
