"""Landlock: the command that isolates a program where bubblewrap cannot, by rights that a process gives up.

The program sees the machine's files and processes, but may read only the interpreter, its standard library
and the system's shared libraries, and write to one folder. Landlock alone does not make a sandbox: the filter
on system calls (``seccomp``) keeps a program from the network, other processes and the metadata of files.
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

    Started by root the program runs as nobody, else as the same user. Its working folder, also for temporary
    files, is ``writable``, which must belong to nobody if root starts it. It can read ``packages``, which may
    be files or folders. It inherits descriptors and the environment.
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
    """Yield the parts of ``folders`` that may be read: all but installed packages.

    A rule covers a whole tree, so the children of folders above packages get a rule each. Symbolic links are
    left out: their targets have rules of their own, or none.
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
