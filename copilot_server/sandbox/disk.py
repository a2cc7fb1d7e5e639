"""Watches how much of the disk a program takes where its folder has no file system of its own.

This module runs inside the sandbox and imports only the standard library.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Literal

#: The unit of st_blocks (stat(2)).
_BLOCK_BYTES = 512
#: What each file counts at least, since its name and its inode take space, too.
_LEAST_BYTES = 4096
#: A program is suspected once the disk has lost this many times what the program may take. It may have been
#: lost to others who write at the same time, so that a suspicion is no proof.
_SUSPICIOUS = 4
_PAUSE_S = 0.01

#: Why a program was ended: its files are too large, or the disk fills and no file shows why. Space is taken
#: without being seen by files that were removed while open, and in folders that cannot be listed.
Excess = Literal["", "files", "suspected"]


class Watch:
    """Looks from time to time how much the program in a folder, which is empty at first, has taken."""

    def __init__(self, folder: str, most_bytes: int) -> None:
        self.excess: Excess = ""
        #: How long to wait before the next look. A look takes at most a third of the time.
        self.pause_s = _PAUSE_S
        self._folder, self._most_bytes = folder, most_bytes
        self._free_bytes = free_bytes(folder)

    def exceeded(self) -> bool:
        """Look; return whether the program must be ended, and keep the reason in ``excess``."""
        start = time.monotonic()
        if taken_bytes(self._folder, self._most_bytes) > self._most_bytes:
            self.excess = "files"
        elif self._free_bytes - free_bytes(self._folder) > _SUSPICIOUS * self._most_bytes:
            self.excess = "suspected"
        self.pause_s = max(_PAUSE_S, 2 * (time.monotonic() - start))
        return bool(self.excess)


def free_bytes(folder: str) -> int:
    """Return how much is free on the file system that holds a folder."""
    system = os.statvfs(folder)
    return system.f_bfree * system.f_frsize


def taken_bytes(folder: str, most: int) -> int:
    """Return how much of the disk the files below a folder take; beyond ``most``, not all are counted."""
    total, linked = 0, set[int]()
    for found in _files(folder):
        total += _LEAST_BYTES
        if found.st_ino not in linked:
            total += max(0, found.st_blocks * _BLOCK_BYTES - _LEAST_BYTES)
        if found.st_nlink > 1:
            linked.add(found.st_ino)
        if total > most:
            break
    return total


def _files(folder: str) -> Iterator[os.stat_result]:
    """Yield what is known of each file and folder, except of those that are gone or cannot be read."""
    folders = [folder]
    while folders:
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                with suppress(OSError):
                    found = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(found.st_mode):
                        folders.append(entry.path)
                    yield found
