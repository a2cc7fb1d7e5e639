"""The languages that are indexed.

For some of them a module turns source into a ``FileSummary``; for the others the index only knows like code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from copilot_server.workspace.python import heads
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
SUFFIXES = tuple(dict.fromkeys((*SUMMARIZERS, *families.SUFFIXES)))


def summarize(path: str, text: str) -> FileSummary:
    """Return the summary of the file at ``path``; an empty one if no definitions are read in its language."""
    summarizer = SUMMARIZERS.get(path[path.rfind(".") :])
    return FileSummary() if summarizer is None else summarizer(text)


def read_bytes(path: str, content: bytes) -> tuple[FileSummary, tuple[Window, ...]]:
    """Return the summary and the windows of a file's content. Those of a binary file are empty."""
    if b"\0" in content:
        return FileSummary(), ()
    text = content.decode("utf-8-sig", "replace")
    return summarize(path, text), windows_of(text)
