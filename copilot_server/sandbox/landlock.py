"""Landlock: the command that shuts a program in where bubblewrap cannot, by rights that a process gives up.

What it starts sees the machine's files and processes, but may read only the interpreter, its standard library
and the system's shared libraries, and write to one folder. Landlock alone is no sandbox: the filter on system
calls (``seccomp``) keeps a program from the network, from other processes and from what belongs to files
beside their content.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from copilot_server.sandbox import landlock_launcher
from copilot_server.sandbox.bubblewrap import NOBODY
from copilot_server.sandbox.interpreter import base_python, installed_packages, library_folders

_LIBRARY = "py_landlock"
_LOADER_CACHE = "/etc/ld.so.cache"
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


def unavailable() -> str:
    """Return why Landlock cannot be used here; empty if it can."""
    if not importlib.util.find_spec(_LIBRARY):
        return "the library py-landlock is not installed"
    from py_landlock import LandlockError, get_abi_version  # noqa: PLC0415 - a library of Linux alone

    try:
        abi = get_abi_version()
    except LandlockError as error:
        return str(error)
    least = landlock_launcher.LEAST_ABI
    return f"the kernel's Landlock is version {abi}, not {least} (Linux 6.2)" if abi < least else ""


def command(writable: Path, packages: Sequence[Path] = ()) -> list[str]:
    """Return the command line up to the interpreter's own arguments.

    What it starts is nobody if we are root, else the user that we are. Its folder, and its place for
    temporary files, is ``writable``, which root must have given to nobody. It can read ``packages``, files or
    folders. Descriptors and environment are inherited.
    """
    python = base_python()
    folders = sorted({path.resolve() for path in library_folders()})
    readable = [python, Path(_LOADER_CACHE), *packages, *_readable(folders)]
    job: landlock_launcher.Job = {
        "library": str(_installed_library()),
        "readable": [str(path) for path in readable if path.exists()],
        "listable": [str(path) for path in folders],
        "devices": [device for device in _DEVICES if Path(device).exists()],
        "writable": str(writable),
        "run_as": NOBODY if os.geteuid() == 0 else None,
    }
    launcher = Path(landlock_launcher.__file__).read_text(encoding="utf-8")
    return [str(python), "-I", "-S", "-B", "-c", launcher, json.dumps(job), str(python)]


def _installed_library() -> Path:
    spec = importlib.util.find_spec(_LIBRARY)
    assert spec is not None  # noqa: S101 - `unavailable` came first
    assert spec.origin is not None  # noqa: S101 - it is no namespace package
    return Path(spec.origin).parents[1]


def _readable(folders: list[Path]) -> Iterator[Path]:
    """Yield what of ``folders`` may be read: all but installed packages.

    A rule gives a whole tree, so the folders above packages are given child by child, links left out: what
    they lead to has a rule of its own, or none.
    """
    for folder in folders:
        packages = set(installed_packages(folder))
        above = {path.parent for path in packages}
        if not above:
            yield folder
            continue
        for parent in (folder, *above):
            yield from (
                child
                for child in parent.iterdir()
                if child not in above | packages and not child.is_symlink()
            )
