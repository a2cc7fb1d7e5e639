"""Runs the steps of examples in the solution's process, and answers with what each gave.

Like all of that process it is not trusted: it never has what a step must give. This module runs inside the
sandbox and imports only the standard library.
"""

from __future__ import annotations

import ast
import inspect
import io
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from copilot_server.sandbox import wire

_MAX_SHOWN, _MAX_MESSAGE = 1_000, 10_000


class Stepper:
    """Runs steps in the namespaces of sessions, each of which begins as a copy of the solution's module."""

    def __init__(self, module: dict[str, Any]) -> None:
        self._module = module
        self._sessions: dict[int, dict[str, Any]] = {}
        # The same for all steps: a logger keeps what was the standard output when it was configured.
        self._output = io.StringIO()

    def __call__(self, session: int, source: str, is_expression: bool) -> list[Any]:  # noqa: FBT001
        """Run a step; return its kind, what it printed, its value or classes, and a text about that.

        Kinds: ``value``, with a copy of a plain value; ``object``, with the module of its class; ``raised``,
        with the builtin classes of the exception. An expression's value is taken; otherwise it is printed.
        """
        scope = self._sessions.setdefault(session, {**self._module})
        output = self._output
        output.seek(0)
        output.truncate()
        with _printing_to(output):
            try:
                value = _run(source, "eval" if is_expression else "single", scope)
                return [*_answer(value, output, taken=is_expression)]
            except BaseException as error:  # noqa: BLE001 - whatever was raised is the answer
                names = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"]
                return ["raised", output.getvalue(), names, _last_line(error)]


def _answer(value: Any, output: io.StringIO, *, taken: bool) -> list[Any]:  # noqa: ANN401
    if not taken:
        return ["value", output.getvalue(), None, ""]
    text = _written(value)
    try:
        data = wire.dumps(value)  # once: a generator has no second time
    except wire.WireError:
        return ["object", output.getvalue(), type(value).__module__, text]
    if len(data) > wire.MAX_MESSAGE_BYTES // 2:
        return ["object", output.getvalue(), "builtins", text]
    return ["value", output.getvalue(), wire.loads(data), text]


def _run(source: str, mode: str, scope: dict[str, Any]) -> Any:  # noqa: ANN401
    if "asyncio" in sys.modules or "asyncio" in source or "await" in source:
        _use_loop_without_sockets()
    code = compile(source, "<example>", mode, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    value = eval(code, scope)  # noqa: S307 - running the example is what this process is for
    if code.co_flags & inspect.CO_COROUTINE:
        return sys.modules["asyncio"].run(value)
    return value


@contextmanager
def _printing_to(output: io.StringIO) -> Iterator[None]:
    """Keep what is printed, and print values as an interpreter does."""

    def show(value: object) -> None:
        if value is not None:
            print(repr(value))  # noqa: T201

    before = sys.stdout, sys.displayhook
    sys.stdout, sys.displayhook = output, show
    try:
        yield
    finally:
        sys.stdout, sys.displayhook = before


def _written(value: object) -> str:
    try:
        return repr(value)[:_MAX_SHOWN]
    except Exception:  # noqa: BLE001 - the solution's own __repr__ can do anything
        return f"a value of the type {type(value).__name__!r}"


def _last_line(error: BaseException) -> str:
    try:
        return traceback.format_exception_only(type(error), error)[-1][:_MAX_MESSAGE]
    except BaseException:  # noqa: BLE001 - the solution's own __str__ can do anything
        return type(error).__name__


def _use_loop_without_sockets() -> None:
    """Have asyncio wake its loop through a pipe, since the sandbox refuses sockets."""
    import asyncio  # noqa: PLC0415 - few programs use it
    import selectors  # noqa: PLC0415
    import warnings  # noqa: PLC0415

    class Loop(asyncio.SelectorEventLoop):
        def _make_self_pipe(self) -> None:
            self._ends = os.pipe()
            for end in self._ends:
                os.set_blocking(end, False)
            self._add_reader(self._ends[0], lambda: os.read(self._ends[0], 4096))  # type: ignore[attr-defined]

        def _close_self_pipe(self) -> None:
            self._remove_reader(self._ends[0])  # type: ignore[attr-defined]
            for end in self._ends:
                os.close(end)

        def _write_to_self(self) -> None:
            os.write(self._ends[1], b"\0")

    class Policy(asyncio.DefaultEventLoopPolicy):
        def new_event_loop(self) -> asyncio.AbstractEventLoop:
            return Loop(selectors.SelectSelector())

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        asyncio.set_event_loop_policy(Policy())
