"""Imports modules and writes what that did to stdout, as JSON: run as a script, with the modules' names.

An audit hook sees sockets, processes and written files of Python's own functions, at the time, and who called
them. What native code did without these is looked for afterwards: open sockets, child processes, and files in
the folders that a program may write to, which the caller makes empty: HOME, TMPDIR and the working folder.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import sysconfig
from pathlib import Path

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_FAMILIES = (
    "socket.",
    "subprocess.",
    "shutil.",
    "tempfile.",
    "sqlite3.",
    "urllib.",
    "http.",
    "ftplib.",
    "pty.",
)
_CALLS = {
    *(
        "os.system",
        "os.exec",
        "os.posix_spawn",
        "os.spawn",
        "os.fork",
        "os.forkpty",
        "os.startfile",
        "os.kill",
    ),
    *("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate"),
    *("os.chmod", "os.chown", "os.utime", "os.setxattr"),
}
_PURE = sysconfig.get_path("stdlib")
_SITE = ("site-packages", "dist-packages")
_seen: list[tuple[str, str, str]] = []


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open":
        flags = arguments[2]
        if isinstance(flags, int) and flags & _WRITING:
            _seen.append((_caller(), event, repr(arguments[0])))
    elif event in _CALLS or event.startswith(_FAMILIES):
        _seen.append((_caller(), event, repr(arguments)))


def _caller() -> str:
    """The package, outside the standard library, whose code is being run."""
    frame = sys._getframe(2)
    while frame is not None:
        path = frame.f_code.co_filename
        is_standard = path.startswith(("<frozen", _PURE)) and not any(name in path for name in _SITE)
        if not is_standard and path != __file__:
            return str(frame.f_globals.get("__name__", path)).partition(".")[0]
        frame = frame.f_back
    return "unknown"


def _sockets() -> list[str]:
    return [str(one.readlink()) for one in Path("/proc/self/fd").iterdir() if one.is_socket()]


def _children() -> list[str]:
    tasks = Path("/proc/self/task").iterdir()
    return [child for task in tasks for child in (task / "children").read_text().split()]


def _files() -> list[str]:
    folders = [Path(os.environ["HOME"]), Path(os.environ["TMPDIR"]), Path.cwd()]
    return [str(path) for folder in folders for path in folder.rglob("*")]


def main(names: list[str]) -> None:
    """Import the modules and write what was seen."""
    failed = {}
    sys.addaudithook(_hook)
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError as error:
            failed[name] = str(error)
    during = list(_seen)
    after = {"sockets": _sockets(), "children": _children(), "files": _files()}
    sys.stdout.write(json.dumps({"seen": during, "failed": failed, "after": after}))


if __name__ == "__main__":
    main(sys.argv[1:])
