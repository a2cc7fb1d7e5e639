"""The solution's process: it runs the solution, and answers the judge's calls until it is killed.

Nothing here is trusted, since the solution may rewrite all of it. The process holds only the descriptors of
its output and of two pipes to the judge, and its memory has never held the test.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import types
from typing import Any

from copilot_server.sandbox import failure, wire

# Not "__main__", as in the original harness: the body of a main guard does not run.
MODULE_NAME = "__program__"
FILE_NAME = "<program>"


def read_job(descriptor: int) -> dict[str, Any]:
    """Return the job that the host wrote to the file, and close the file."""
    with os.fdopen(descriptor, "rb") as file:
        job: dict[str, Any] = json.loads(file.read())
    return job


def serve(job_fd: int, calls_fd: int, answers_fd: int) -> None:
    """Run the solution, then answer calls of its entry point; return when the judge has ended."""
    job = read_job(job_fd)
    sources = {FILE_NAME: job["solution"]}
    flush = sys.stdout.flush
    try:
        function = _load(job["solution"], job["entry_point"])
    except BaseException as error:  # noqa: BLE001 - SystemExit and KeyboardInterrupt are verdicts here too
        wire.send(answers_fd, wire.dumps(["failed", failure.describe(error, sources)]))
        return
    wire.send(answers_fd, wire.dumps(["ready"]))
    while (call := wire.receive(calls_fd)) is not None:
        number, arguments, keywords = wire.loads(call)
        try:
            answer = wire.dumps(["value", number, function(*arguments, **keywords)])
        except wire.WireError as error:
            answer = wire.dumps(["unsupported", number, str(error)])
        except BaseException as error:  # noqa: BLE001 - whatever was raised is sent to the judge
            answer = _raised(number, error, sources)
        with contextlib.suppress(Exception):  # a failure to print changes no answer
            flush()
        wire.send(answers_fd, answer)


def _load(solution: str, entry_point: str) -> Any:  # noqa: ANN401 - the solution's entry point may be anything
    module = types.ModuleType(MODULE_NAME)
    sys.modules[MODULE_NAME] = module
    # dont_inherit: this file's __future__ import must not change what the program means.
    exec(compile(solution, FILE_NAME, "exec", dont_inherit=True), module.__dict__)  # noqa: S102
    if entry_point not in module.__dict__:
        raise NameError(f"name {entry_point!r} is not defined")
    return module.__dict__[entry_point]


def _raised(number: int, error: BaseException, sources: dict[str, str]) -> bytes:
    """Return the message about an error: its builtin classes, nearest first, its text and a description."""
    names = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"]
    try:
        message = str(error.args[0]) if len(error.args) == 1 else str(error)
    except BaseException:  # noqa: BLE001 - the program's own __str__ can do anything
        message = ""
    description = failure.describe(error, sources)
    return wire.dumps(["raised", number, names, message[:10_000], description])
