"""The languages that are indexed: for each one module turns source into a ``FileSummary``."""

from __future__ import annotations

from collections.abc import Callable

from copilot_server.workspace.names import FileNames
from copilot_server.workspace.python import heads, scopes
from copilot_server.workspace.summary import FileSummary

#: The function that reads a file's text, by the suffix of the file's name. It never raises.
SUMMARIZERS: dict[str, Callable[[str], FileSummary]] = {".py": heads.summarize, ".pyi": heads.summarize}
#: The function that reads the names in a file's text. It never raises.
NAMERS: dict[str, Callable[[str], FileNames]] = {".py": scopes.read_names, ".pyi": scopes.read_names}
SUFFIXES = tuple(SUMMARIZERS)


def summarize(path: str, text: str) -> FileSummary:
    """Return the summary of the file at ``path``, whose suffix is one of ``SUFFIXES``."""
    return SUMMARIZERS[path[path.rindex(".") :]](text)


def read_names(path: str, text: str) -> FileNames:
    """Return the names in the file at ``path``, whose suffix is one of ``SUFFIXES``."""
    return NAMERS[path[path.rindex(".") :]](text)


def read_names_of_bytes(path: str, content: bytes) -> FileNames:
    """Return the names in a file's content. A binary file may have any."""
    if b"\0" in content:
        return FileNames(is_open=True)
    return read_names(path, content.decode("utf-8-sig", "replace"))


def summarize_bytes(path: str, content: bytes) -> FileSummary:
    """Return the summary of a file's content. A binary file has an empty one."""
    if b"\0" in content:
        return FileSummary()
    return summarize(path, content.decode("utf-8-sig", "replace"))
