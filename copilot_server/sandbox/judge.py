"""The judge's process: it runs the test, and only its verdict counts.

The function that the test calls is a proxy: it sends its arguments to the solution's process, and returns or
raises the answer. Anything else that the solution's process does ends the judge at once with the verdict that
the program failed, so that no ``except`` in a test can turn it into a pass.

A test whose ``check`` is a generator reports on the way: each text that it yields is written at once, so that
it counts even if the program ends badly later.

A solution that tries to cheat can still answer with any plain value, as any function can, and recognize a
test by the arguments of its calls. The test decides what an exception of the solution means.
"""

from __future__ import annotations

import builtins
import contextlib
import json
import os
import signal
import sys
import traceback
import types
from typing import Any, NoReturn

from copilot_server.sandbox import failure, wire
from copilot_server.sandbox.candidate import MODULE_NAME, read_job

#: The judge's exit status if the solution's process has ended; the zygote reports how it ended.
CANDIDATE_GONE = 3

_TEST_NAME = "<test>"
#: The most bytes of a report, with its nonce: so many are written in one piece.
_MAX_REPORT_BYTES = 4000
#: The attribute of the proxy's errors that holds the solution's own description.
_DESCRIPTION = "_description"
#: The number of parts of each kind of answer, with the kind itself.
_PARTS = {"ready": 1, "failed": 2, "value": 3, "raised": 5, "unsupported": 3}


def judge(job_fd: int, answers_fd: int, calls_fd: int, verdict_fd: int) -> NoReturn:
    """Check the solution and end the process."""
    # If the solution signals this process, the process dies rather than continue somewhere else.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    job = read_job(job_fd)
    test = job["test"]
    verdict = _Verdict(verdict_fd, job["nonce"], test)
    proxy = _Proxy(job["entry_point"], answers_fd, calls_fd, verdict)
    module = types.ModuleType(MODULE_NAME)
    sys.modules[MODULE_NAME] = module
    try:
        _set_up(job["setup"], module)
        module.__dict__[job["entry_point"]] = proxy
        code = compile(test, _TEST_NAME, "exec", dont_inherit=True)
        proxy.wait()
        exec(code, module.__dict__)  # noqa: S102 - the test is what this process is for
        if "check" not in module.__dict__:
            raise NameError("name 'check' is not defined")
        reports = module.__dict__["check"](proxy)
        if isinstance(reports, types.GeneratorType):
            for report in reports:
                verdict.report(report)
    except BaseException as error:  # noqa: BLE001 - SystemExit and KeyboardInterrupt are verdicts here too
        said = getattr(error, _DESCRIPTION, "") or failure.describe(error, {_TEST_NAME: test})
        frames = list(traceback.walk_tb(error.__traceback__))
        verdict.fail(said, failure.statement(frames, _TEST_NAME, test))
    verdict.say(passed=True)


def _set_up(setup: str, module: types.ModuleType) -> None:
    """Define what the test may use; a prompt that is not a valid program defines nothing."""
    with contextlib.suppress(BaseException):  # the test reports what is missing
        exec(compile(setup, "<setup>", "exec", dont_inherit=True), module.__dict__)  # noqa: S102


class _Verdict:
    """The pipe that the verdict is written to, and the end of the process."""

    def __init__(self, descriptor: int, nonce: str, test: str) -> None:
        self._descriptor = descriptor
        self._nonce = nonce
        self._test = test
        # Kept from the start: a test that replaces these functions changes nothing here.
        self._dumps, self._write, self._leave, self._flush = json.dumps, os.write, os._exit, sys.stdout.flush

    def fail(self, error: str, assertion: str = "", status: int = 0) -> NoReturn:
        self.say(passed=False, error=error, assertion=assertion, status=status)

    def fail_in_call(self, error: str, status: int = 0) -> NoReturn:
        """Fail with the statement of the test that is being run."""
        frames = reversed(list(traceback.walk_stack(None)))
        self.fail(error, failure.statement(frames, _TEST_NAME, self._test), status)

    def report(self, report: object) -> None:
        """Write a line with a text of the test's."""
        line = self._dumps({"nonce": self._nonce, "report": str(report)}).encode() + b"\n"
        if len(line) > _MAX_REPORT_BYTES:
            self.fail("a report of the test is too long")
        self._write(self._descriptor, line)

    def say(self, *, passed: bool, error: str = "", assertion: str = "", status: int = 0) -> NoReturn:
        with contextlib.suppress(Exception):  # a failure to print changes no verdict
            self._flush()
        verdict = {"nonce": self._nonce, "passed": passed, "error": error, "assertion": assertion}
        self._write(self._descriptor, self._dumps(verdict).encode())
        self._leave(status)


class _Proxy:
    """The function that the test checks."""

    def __init__(self, name: str, answers_fd: int, calls_fd: int, verdict: _Verdict) -> None:
        self.__name__ = name
        self._answers_fd = answers_fd
        self._calls_fd = calls_fd
        self._verdict = verdict
        self._calls = 0

    def wait(self) -> None:
        """Return when the solution has run and its entry point can be called."""
        kind, *rest = self._receive("ready", "failed")
        if kind == "failed":
            self._verdict.fail(str(rest[0]))

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401 - as the solution has it
        self._calls += 1
        try:
            kind, value = self._ask(arguments, keywords)
        except BaseException as error:  # noqa: BLE001 - no error of the pipe may reach the test
            self._verdict.fail_in_call(f"strict check: {failure.describe(error, {})}")
        if kind == "raised":
            raise value
        return value

    def _ask(self, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[str, Any]:
        try:
            wire.send(self._calls_fd, wire.dumps([self._calls, list(arguments), keywords]))
        except BrokenPipeError:
            self._gone()
        except wire.WireError as error:
            self._verdict.fail_in_call(f"strict check: {error} cannot be an argument")
        kind, number, *rest = self._receive("value", "raised", "unsupported")
        if number != self._calls:
            self._verdict.fail_in_call("strict check: the answer was to another call")
        if kind == "unsupported":
            self._verdict.fail_in_call(f"strict check: {rest[0]} cannot be returned")
        return kind, self._error(*rest) if kind == "raised" else rest[0]

    def _receive(self, *kinds: str) -> list[Any]:
        """Return an answer of one of the kinds, with the right number of parts."""
        try:
            message = wire.receive(self._answers_fd)
            answer = self._gone() if message is None else wire.loads(message)
        except wire.WireError as error:
            self._verdict.fail_in_call(f"strict check: the answer was {error}")
        kind = answer[0] if type(answer) is list and answer else None
        if kind not in kinds or len(answer) != _PARTS[kind]:
            self._verdict.fail_in_call("strict check: the answer was malformed")
        return list(answer)

    def _error(self, names: list[str], message: str, description: str) -> Exception:  # noqa: RET503
        """Return the nearest builtin exception, with the solution's own message."""
        for kind in (getattr(builtins, name, None) for name in names):
            if not (isinstance(kind, type) and issubclass(kind, Exception)):
                continue
            # Raised inside a map() in the test, these would end a loop over answers instead of the test.
            if issubclass(kind, StopIteration | StopAsyncIteration):
                kind = RuntimeError  # noqa: PLW2901 - as a generator does with them
            try:
                error = kind(message) if message else kind()
            except TypeError:  # it takes more than a message: use its base class
                continue
            setattr(error, _DESCRIPTION, str(description))
            return error
        # SystemExit and the like would have ended the solution's process.
        self._verdict.fail_in_call(str(description))

    def _gone(self) -> NoReturn:
        self._verdict.fail_in_call("ended without a verdict", CANDIDATE_GONE)
