"""Empties a folder of unknown contents.

This module runs on the host and inside the sandbox, and imports only the standard library.
"""

from __future__ import annotations

import os
import sys


def empty(folder: str, most: int = sys.maxsize) -> None:
    """Remove everything in a folder that nobody uses any more, whatever its depth and permissions.

    The contents of inner folders are moved up first, so that nothing recurses and no path grows too long.

    Raises:
        OSError: a file cannot be removed, or there are more than ``most``.
    """
    unique, removed = os.urandom(8).hex(), 0
    while found := os.listdir(folder):  # noqa: PTH208 - names alone: there may be many
        for name in found:
            removed += 1
            if removed > most:
                raise OSError(f"more than {most} files")
            path = f"{folder}/{name}"
            if _is_folder(path):
                _move_up(path, f"{folder}/{unique}-{removed}")
                os.rmdir(path)  # noqa: PTH106
            else:
                os.unlink(path)  # noqa: PTH108


def _is_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)  # noqa: PTH112, PTH114


def _move_up(path: str, prefix: str) -> None:
    os.chmod(path, 0o700)  # noqa: PTH101
    for number, name in enumerate(os.listdir(path)):  # noqa: PTH208
        inner = f"{path}/{name}"
        if _is_folder(inner):
            os.chmod(inner, 0o700)  # noqa: PTH101 - without it the folder cannot be moved
        os.rename(inner, f"{prefix}-{number}")  # noqa: PTH104
