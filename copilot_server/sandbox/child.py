"""The driver: the first code in the sandbox. It reads one program, runs it and reports the verdict.

It is given to a bare interpreter as text (``python -S -c``), so it uses the standard library alone. Its job
comes on stdin as JSON; its verdict goes, as one line of JSON, to the descriptor that its one argument names.

A pass is a verdict that carries the job's nonce, written after the program ran to its end; exit codes and
whatever the program prints count for nothing. What remains: the program runs in the driver's process, so one
that walks frames to find the nonce, patches the builtins that its test uses, or answers with values whose
``__eq__`` is always true, passes wrongly. Only a verdict from a process that the program does not live in
closes these.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import traceback
import types

# Upstream runs programs with a __name__ other than "__main__", so a main guard in one stays shut; so do we.
MODULE_NAME = "__program__"
FILE_NAME = "<program>"
MAX_ERROR_CHARACTERS = 500


def main() -> None:
    """Run the job on stdin and end the process."""
    # Taken now, so that a program that replaces them changes nothing here.
    write, leave, dumps = os.write, os._exit, json.dumps
    job = json.loads(sys.stdin.buffer.read())
    verdict_fd = int(sys.argv.pop())
    os.set_inheritable(verdict_fd, False)  # noqa: FBT003 - the standard library's own signature
    confine(job["resources"], job["run_as"], enforce=job["enforce"])
    error = execute(job["program"])
    # Whether it passed is said by itself: an error whose class has no name has an empty description.
    verdict = {"nonce": job["nonce"], "passed": error is None, "error": error or ""}
    write(verdict_fd, dumps(verdict).encode() + b"\n")
    leave(0)


def confine(resources: dict[str, int], run_as: int | None, *, enforce: bool) -> None:
    """Set the limits, then become the user ``run_as``; ``enforce``: a limit not to be had is an error."""
    for name, value in resources.items():
        try:
            resource.setrlimit(getattr(resource, name), (value, value))
        except (AttributeError, ValueError, OSError):
            if enforce:
                raise
    if run_as is not None:
        os.setgroups([])
        os.setgid(run_as)
        os.setuid(run_as)


def execute(program: str) -> str | None:
    """Run the program in a fresh module; return what went wrong, None if nothing did."""
    module = types.ModuleType(MODULE_NAME)
    sys.modules[MODULE_NAME] = module
    try:
        # dont_inherit: this file's __future__ import must not change what the program means.
        exec(compile(program, FILE_NAME, "exec", dont_inherit=True), module.__dict__)  # noqa: S102
    except BaseException as error:  # noqa: BLE001 - SystemExit and KeyboardInterrupt are verdicts here too
        return describe(error, program)[:MAX_ERROR_CHARACTERS]
    return None


def describe(error: BaseException, program: str) -> str:
    """Return the error's type and message; for a bare assert, the assert itself."""
    name = type(error).__name__
    try:
        message = str(error) or (failed_line(error, program) if isinstance(error, AssertionError) else "")
    except BaseException:  # noqa: BLE001 - the program's own __str__ can do anything
        message = ""
    return f"{name}: {message}" if message else name


def failed_line(error: BaseException, program: str) -> str:
    """Return the innermost line of the program that the error came through."""
    lines = program.splitlines()
    for frame, number in reversed(list(traceback.walk_tb(error.__traceback__))):
        if frame.f_code.co_filename == FILE_NAME:
            return lines[number - 1].strip()
    return ""


if __name__ == "__main__":
    main()
