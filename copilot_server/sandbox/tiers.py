"""The ways to isolate programs, best first. Each is tried by running a program that looks for holes in it."""

from __future__ import annotations

import importlib.machinery
import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from copilot_server.errors import SandboxUnavailableError
from copilot_server.sandbox import bubblewrap, landlock, seccomp
from copilot_server.sandbox.interpreter import base_python
from copilot_server.sandbox.worker import Launch

#: The tier's name when there is no sandbox at all.
UNSANDBOXED = "none (unsandboxed)"

#: Unused user ids (systemd: UIDS-GIDS, "unused"), one for each worker, since the kernel counts processes by
#: user.
_FIRST_USER, _USERS, _USERS_A_HOST = 0x70000000, 1 << 28, 1 << 10
_numbers = itertools.count()
#: The names of the folders with installed packages.
_INSTALLED = frozenset({"site-packages", "dist-packages"})


@dataclass(frozen=True, slots=True)
class Tier:
    """A way to start a zygote. ``unavailable``: why it cannot be tried at all, else empty."""

    name: str
    start: Callable[[int, list[Path]], Launch]
    unavailable: str = ""

    def launch(self, disk_bytes: int, preload: tuple[str, ...]) -> Launch:
        """Return how to start a zygote whose programs may write ``disk_bytes`` and import ``preload``."""
        origins = {name: _origin(name) for name in preload}
        packages = [path for name, origin in origins.items() for path in _files(name, origin)]
        return replace(
            self.start(disk_bytes, packages), preload={name: str(path) for name, path in origins.items()}
        )


def tiers() -> list[Tier]:
    """Return the tiers that may work on this system."""
    if sys.platform != "linux":
        return []
    modes: list[bubblewrap.Mode] = ["user namespace"] if os.geteuid() else ["user namespace", "user nobody"]
    found = [_bubblewrap(binary, mode) for binary in bubblewrap.find_binaries() for mode in modes]
    return [*found, _landlock()]


def unsandboxed() -> Tier:
    """Return the tier of plain processes."""

    def start(_: int, __: list[Path]) -> Launch:
        return Launch([str(base_python())], _own_folder(), enforce=False, filter=False)

    return Tier(UNSANDBOXED, start)


def _bubblewrap(binary: Path, mode: bubblewrap.Mode) -> Tier:
    def start(disk_bytes: int, packages: list[Path]) -> Launch:
        argv = bubblewrap.command(binary, mode, disk_bytes, packages)
        run_as = _unused_user() if mode == "user nobody" else None
        folder = bubblewrap.writable_folder(packages)
        return Launch(argv, folder, first=True, run_as=run_as, filter=not unfiltered)

    unfiltered = _no_filter()
    return Tier(f"{_version(binary)} ({mode}{', no seccomp' if unfiltered else ''})", start)


def _landlock() -> Tier:
    def start(disk_bytes: int, packages: list[Path]) -> Launch:
        folder = _own_folder()
        if os.geteuid() == 0:
            os.chown(folder, bubblewrap.NOBODY, bubblewrap.NOBODY)
        # The limit on processes counts all of a user's, so a program may not create any.
        argv = landlock.command(Path(folder), packages)
        return Launch(argv, folder, may_fork=False, watched_bytes=disk_bytes)

    return Tier("Landlock + seccomp", start, landlock.unavailable() or _no_filter())


def _no_filter() -> str:
    """Return why the filter on system calls cannot be used; empty if it can."""
    try:
        seccomp.bpf(os.getpid())
    except OSError as error:
        return str(error)
    return ""


def _own_folder() -> str:
    return tempfile.mkdtemp(prefix="copilot-server-sandbox-")


def _unused_user() -> int:
    return _FIRST_USER + (os.getpid() * _USERS_A_HOST + next(_numbers) % _USERS_A_HOST) % _USERS


def _version(binary: Path) -> str:
    try:
        done = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True, timeout=10)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return f"{binary.name} (does not run)"
    return done.stdout.strip()


def _origin(name: str) -> Path:
    """Return the file of an installed module; nothing is imported for it.

    A problem set names the modules. So one counts only where packages are installed, and not in the current
    folder or in a project: its code would run before the program's limits hold, and programs could read it.

    Raises:
        SandboxUnavailableError: it is not installed.
    """
    installed = [one for one in sys.path if Path(one).name in _INSTALLED]
    spec = importlib.machinery.PathFinder.find_spec(name, installed)
    if spec is None or spec.origin is None:
        raise SandboxUnavailableError(
            f"The package {name}, which the programs import, is not installed.",
            remedy=f"Install it: pip install {name}",
        )
    return Path(spec.origin)


def _files(name: str, origin: Path) -> list[Path]:
    """Return the path of an installed package, and that of the libraries in its wheel."""
    package = origin.parent if origin.name == "__init__.py" else origin
    libraries = package.with_name(f"{name}.libs")
    return [package, *([libraries] if libraries.is_dir() else [])]
