"""The languages that are indexed.

For some of them a module turns source into a ``FileSummary``; for the others the index only knows like code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from copilot_server.workspace.names import FileNames
from copilot_server.workspace.python import heads, scopes
from copilot_server.workspace.similar import families
from copilot_server.workspace.similar.windows import Window, windows_of
from copilot_server.workspace.summary import FileSummary
from copilot_server.workspace.tags.languages import SUMMARIZERS as BY_TAGS

#: The function that reads a file's text, by the suffix of the file's name. It never raises.
SUMMARIZERS: Mapping[str, Callable[[str], FileSummary]] = {
    ".py": heads.summarize,
    ".pyi": heads.summarize,
    **BY_TAGS,
}
#: The function that reads the names in a file's text. It never raises.
NAMERS: dict[str, Callable[[str], FileNames]] = {".py": scopes.read_names, ".pyi": scopes.read_names}
SUFFIXES = tuple(dict.fromkeys((*SUMMARIZERS, *families.SUFFIXES)))


def summarize(path: str, text: str) -> FileSummary:
    """Return the summary of the file at ``path``; an empty one if no definitions are read in its language."""
    summarizer = SUMMARIZERS.get(path[path.rfind(".") :])
    return FileSummary() if summarizer is None else summarizer(text)


def read_names(path: str, text: str) -> FileNames:
    """Return the names in the file at ``path``; none if no names are read in its language."""
    namer = NAMERS.get(path[path.rfind(".") :])
    return FileNames() if namer is None else namer(text)


def read_names_of_bytes(path: str, content: bytes) -> FileNames:
    """Return the names in a file's content. A binary file may have any."""
    if b"\0" in content:
        return FileNames(is_open=True)
    return read_names(path, content.decode("utf-8-sig", "replace"))


def read_bytes(path: str, content: bytes) -> tuple[FileSummary, tuple[Window, ...]]:
    """Return the summary and the windows of a file's content. Those of a binary file are empty."""
    if b"\0" in content:
        return FileSummary(), ()
    text = content.decode("utf-8-sig", "replace")
    return summarize(path, text), windows_of(text)
