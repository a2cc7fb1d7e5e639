"""The launcher: restricts its own process with Landlock, then executes the given program.

A bare interpreter gets it as text (``python -S -c``), so that it can import only the standard library and one
library from the folder that its job names. The job is the first argument, as JSON; the others are the
program's command.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from pathlib import Path
from typing import TypedDict

#: The first version of Landlock that restricts truncation, which changes a file's content too (Linux 6.2).
LEAST_ABI = 3

_PR_SET_KEEPCAPS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 8, 47, 2
_CAP_DAC_READ_SEARCH = 2
_CAPABILITY_VERSION_3 = 0x20080522


class Job(TypedDict):
    """What to allow. ``listable``: folders that may be listed; ``run_as``: the user to become, if any."""

    library: str
    readable: list[str]
    listable: list[str]
    devices: list[str]
    writable: str
    run_as: int | None


def main() -> None:
    """Confine this process as the job says, and start the command in its place."""
    job: Job = json.loads(sys.argv[1])
    command = sys.argv[2:]
    if job["run_as"] is not None:
        become(job["run_as"])
    # Last on the path, so that it hides nothing of the standard library.
    sys.path.append(job["library"])
    confine(job)
    os.environ["TMPDIR"] = job["writable"]
    os.chdir(job["writable"])
    os.execv(command[0], command)  # noqa: S606 - the interpreter's command, made by the host


def confine(job: Job) -> None:
    """Put this process, which has one thread, into a Landlock domain that it cannot leave.

    If the kernel can, this also refuses TCP, abstract sockets and signals to processes outside.

    Raises:
        OSError: the kernel has no Landlock, or an older one than ``LEAST_ABI``.
    """
    from py_landlock import AccessFs, Landlock, LandlockError  # noqa: PLC0415 - the job names its folder

    read = AccessFs.READ_FILE | AccessFs.EXECUTE
    change = AccessFs.WRITE_FILE | AccessFs.TRUNCATE | AccessFs.REMOVE_FILE | AccessFs.REMOVE_DIR
    make = AccessFs.MAKE_REG | AccessFs.MAKE_DIR | AccessFs.MAKE_SYM | AccessFs.REFER
    try:
        # Strict: a right that this kernel does not know is an error. Whatever no rule grants is refused.
        rules = Landlock(strict=True)
        for path in map(Path, job["readable"]):
            rules.add_path_rule(path, access=read | AccessFs.READ_DIR if path.is_dir() else read)
        rules.add_path_rule(*job["listable"], access=AccessFs.READ_DIR)
        rules.add_path_rule(*job["devices"], access=AccessFs.READ_FILE | AccessFs.WRITE_FILE)
        rules.add_path_rule(job["writable"], access=AccessFs.READ_FILE | AccessFs.READ_DIR | change | make)
        rules.apply()
    except LandlockError as error:
        raise OSError(str(error)) from error


def become(user: int) -> None:
    """Change from root to ``user``, keeping one capability: to read root's files, such as the interpreter."""
    libc = ctypes.CDLL(None, use_errno=True)
    os.setgroups([])
    os.setgid(user)
    _call(libc.prctl, _PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setuid(user)
    one = 1 << _CAP_DAC_READ_SEARCH
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    # Effective, permitted and inheritable, for capabilities 0 to 31, then for the rest (capset(2)).
    _call(libc.capset, header, (ctypes.c_uint32 * 6)(one, one, one, 0, 0, 0))
    _call(libc.prctl, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_READ_SEARCH, 0, 0)


def _call(function: ctypes._NamedFuncPointer, *arguments: object) -> None:
    words = [ctypes.c_ulong(value) if isinstance(value, int) else value for value in arguments]
    if function(*words):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    main()
