"""Files as they are now, which may have been replaced since they were listed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from copilot_server.workspace.files import MAX_BYTES


def text_of(path: str) -> str:
    """Return the text of a regular file; "" if it is none any more, or reached through a link."""
    try:
        if os.path.realpath(path) != path:
            return ""
        # A pipe that has taken the file's place must not be waited for.
        opened = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        with open(opened, "rb") as file:  # noqa: PTH123
            found = os.fstat(opened)
            if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_BYTES:
                return ""
            content = file.read(MAX_BYTES)
    except (OSError, ValueError):
        return ""
    return "" if b"\0" in content else content.decode("utf-8-sig", "replace")


def are_same_file(one: str, other: str) -> bool:
    """Whether two paths lead to one file, by links or otherwise."""
    try:
        return Path(one).samefile(other)
    except OSError:
        return False
