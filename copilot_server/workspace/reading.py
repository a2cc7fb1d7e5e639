"""Files as they are now, which may have been replaced since they were listed."""

from __future__ import annotations

import os
from pathlib import Path

from copilot_server.context.regular_file import read_regular
from copilot_server.workspace.files import MAX_BYTES


def text_of(path: str) -> str:
    """Return the text of a regular file; "" if it is none any more, or reached through a link."""
    try:
        if os.path.realpath(path) != path:
            return ""
        content = read_regular(path, MAX_BYTES + 1, follow=False)
    except (OSError, ValueError):
        return ""
    if content is None or len(content) > MAX_BYTES or b"\0" in content:
        return ""
    return content.decode("utf-8-sig", "replace")


def are_same_file(one: str, other: str) -> bool:
    """Whether two paths lead to one file, by links or otherwise."""
    try:
        return Path(one).samefile(other)
    except OSError:
        return False
