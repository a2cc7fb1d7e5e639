"""The languages that are indexed.

For some of them a module turns source into a ``FileSummary``; for the others the index only knows like code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from copilot_server.workspace.names import FileNames
from copilot_server.workspace.python import heads, scopes
from copilot_server.workspace.python.nodes import parse
from copilot_server.workspace.python.roots import PYTHON
from copilot_server.workspace.similar import families
from copilot_server.workspace.similar.windows import Window, windows_of
from copilot_server.workspace.summary import FileSummary
from copilot_server.workspace.tags.languages import SUMMARIZERS as BY_TAGS

#: The function that reads a file's text, by the suffix of the file's name. It never raises.
SUMMARIZERS: Mapping[str, Callable[[str], FileSummary]] = {
    **dict.fromkeys(PYTHON, heads.summarize),
    **BY_TAGS,
}
SUFFIXES = tuple(dict.fromkeys((*SUMMARIZERS, *families.SUFFIXES)))


@dataclass(frozen=True, slots=True)
class Content:
    """What the index keeps of a file: its definitions, the names in it, and the windows of its code."""

    summary: FileSummary
    names: FileNames
    windows: tuple[Window, ...]


#: What is known of a file that is not read: it may have any name.
UNREAD = Content(FileSummary(), FileNames(is_open=True), ())


def summarize(path: str, text: str) -> FileSummary:
    """Return the summary of the file at ``path``; an empty one if no definitions are read in its language."""
    summarizer = SUMMARIZERS.get(path[path.rfind(".") :])
    return FileSummary() if summarizer is None else summarizer(text)


def read_names(path: str, text: str) -> FileNames:
    """Return the names in the file at ``path``; none if no names are read in its language."""
    return scopes.read_names(text) if path.endswith(PYTHON) else FileNames()


def read(path: str, text: str) -> Content:
    """Return what the index keeps of the file at ``path``. It is parsed once."""
    if not path.endswith(PYTHON):
        return Content(summarize(path, text), FileNames(), windows_of(text))
    root = parse(text.encode("utf-8", "replace"))
    return Content(heads.summary_of(root), scopes.names_of(root, text), windows_of(text))


def read_bytes(path: str, content: bytes) -> Content:
    """Return what the index keeps of a file's content. A binary file is not read."""
    return UNREAD if b"\0" in content else read(path, content.decode("utf-8-sig", "replace"))
