"""The languages that are indexed: for each one module turns source into a ``FileSummary``."""

from __future__ import annotations

from collections.abc import Callable

from copilot_server.workspace.python import heads
from copilot_server.workspace.summary import FileSummary

#: The function that reads a file's text, by the suffix of the file's name. It never raises.
SUMMARIZERS: dict[str, Callable[[str], FileSummary]] = {".py": heads.summarize, ".pyi": heads.summarize}
SUFFIXES = tuple(SUMMARIZERS)


def summarize(path: str, text: str) -> FileSummary:
    """Return the summary of the file at ``path``, whose suffix is one of ``SUFFIXES``."""
    return SUMMARIZERS[path[path.rindex(".") :]](text)


def summarize_bytes(path: str, content: bytes) -> FileSummary:
    """Return the summary of a file's content. A binary file has an empty one."""
    if b"\0" in content:
        return FileSummary()
    return summarize(path, content.decode("utf-8-sig", "replace"))
