"""Reading a file that another program may replace at any time, such as one of a repository."""

from __future__ import annotations

import os
import stat


def read_regular(path: str, most: int, *, follow: bool = True) -> bytes | None:
    """Return the first ``most`` bytes of a regular file; None for anything else.

    A pipe or a device is not waited for, also where it has taken the file's place since someone looked.
    ``follow``: whether the path may be a link to a file.

    Raises:
        OSError: there is no such file, or it cannot be read.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags | (0 if follow else getattr(os, "O_NOFOLLOW", 0)))
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        content = bytearray()
        while len(content) < most and (piece := os.read(descriptor, most - len(content))):
            content += piece
        return bytes(content)
    finally:
        os.close(descriptor)
