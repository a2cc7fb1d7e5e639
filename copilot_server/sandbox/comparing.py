"""Reads plain values, and compares what the steps of an example give with what they must give.

Our own process reads examples with it; in the sandbox it runs in the judge's process, and imports only the
standard library.
"""

from __future__ import annotations

import ast
import collections
import json
import math
import operator
import re
import warnings
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

#: The longest text that is read as a value.
_MAX_TEXT = 50_000
#: Arithmetic in a text gives no larger numbers.
_MAX_BITS = 4096
#: Two floats are equal if they differ only in the last digits that a different order of operations changes.
_REL_TOL, _ABS_TOL = 1e-9, 1e-12
#: The longest detail, in characters. The details of all examples must fit into a pipe.
_MAX_DETAIL = 110


class NotPlainError(ValueError):
    """A text that is not a plain value."""


def parsed(text: str) -> ast.expr:
    """Parse an expression.

    Raises:
        NotPlainError: it is not one, or more than the parser can take.
    """
    if len(text) > _MAX_TEXT:
        raise NotPlainError("too long")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as an unknown escape in a string
        try:
            return ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise NotPlainError("not an expression") from error


def plain_value(text: str) -> Any:  # noqa: ANN401 - any plain value
    """Return the value of a literal, of arithmetic with numbers, or of ``set()`` and its like.

    Raises:
        NotPlainError: the text is nothing of these.
    """
    return evaluated(parsed(text))


def evaluated(node: ast.expr) -> Any:  # noqa: ANN401 - any plain value
    """Return the value of a parsed plain value.

    Raises:
        NotPlainError: it is not one.
    """
    try:
        return _evaluated(node)
    except NotPlainError:
        raise
    except (ArithmeticError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise NotPlainError(str(error)) from error


def _evaluated(node: ast.expr) -> Any:  # noqa: ANN401
    reader = _READERS.get(type(node))
    if reader is None:
        raise NotPlainError(f"{type(node).__name__} is not a plain value")
    return reader(node)


def _constant(node: Any) -> Any:  # noqa: ANN401
    if node.value is Ellipsis:
        raise NotPlainError("an ellipsis")
    return node.value


def _items(nodes: list[ast.expr]) -> Iterator[Any]:
    return (_evaluated(item) for item in nodes)


def _dict(node: Any) -> dict[Any, Any]:  # noqa: ANN401
    if None in node.keys:
        raise NotPlainError("an unpacking")
    return dict(zip(_items(node.keys), _items(node.values), strict=True))


def _unary(node: Any) -> Any:  # noqa: ANN401
    value = _evaluated(node.operand)
    signs: dict[type, Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
    if type(node.op) not in signs or not _is_number(value):
        raise NotPlainError("an operator")
    return signs[type(node.op)](value)


def _binary(node: Any) -> Any:  # noqa: ANN401
    left, right = _evaluated(node.left), _evaluated(node.right)
    act = _OPERATORS.get(type(node.op))
    if act is None or not (_is_number(left) and _is_number(right)):
        raise NotPlainError("an operator")
    if act is operator.pow and (abs(right) > _MAX_BITS or _bits(left) * abs(right) > _MAX_BITS):
        raise NotPlainError("too large")
    value = act(left, right)
    if _bits(value) > _MAX_BITS:
        raise NotPlainError("too large")
    return value


def _bits(number: Any) -> int:  # noqa: ANN401
    return number.bit_length() if isinstance(number, int) else 64


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | complex) and not isinstance(value, bool)


def _name(node: Any) -> float:  # noqa: ANN401
    if node.id not in {"inf", "nan"}:
        raise NotPlainError(f"the name {node.id}")
    return float(node.id)


def _call(node: Any) -> Any:  # noqa: ANN401
    make = _MAKERS.get(node.func.id) if isinstance(node.func, ast.Name) else None
    if make is None or node.keywords or len(node.args) > 2:
        raise NotPlainError("a call")
    return make(*_items(node.args))


def _float(text: object = "") -> float:
    if not isinstance(text, str | int | float):
        raise NotPlainError("a call")
    return float(text)


_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_MAKERS: dict[str, Callable[..., Any]] = {
    "set": set,
    "frozenset": frozenset,
    "float": _float,
    "Decimal": Decimal,
    "Fraction": Fraction,
    "OrderedDict": collections.OrderedDict,
    "Counter": collections.Counter,
    "deque": collections.deque,
}
_READERS: dict[type, Callable[[Any], Any]] = {
    ast.Constant: _constant,
    ast.Tuple: lambda node: tuple(_items(node.elts)),
    ast.List: lambda node: list(_items(node.elts)),
    ast.Set: lambda node: set(_items(node.elts)),
    ast.Dict: _dict,
    ast.UnaryOp: _unary,
    ast.BinOp: _binary,
    ast.Name: _name,
    ast.Call: _call,
}


def same(got: Any, want: Any, tolerance: float = 0.0, *, strict: bool = False) -> bool:  # noqa: ANN401
    """Whether two plain values are equal; floats may differ in their last digits.

    ``strict``: 1, 1.0 and True differ, as they do where they are printed.
    """
    try:
        return _same(got, want, tolerance, strict)
    except RecursionError:
        return False


def _same(got: Any, want: Any, tolerance: float, strict: bool) -> bool:  # noqa: ANN401, FBT001
    if strict and isinstance(want, bool | int | float) and type(got) is not type(want):
        return False
    if _is_number(want) and _is_number(got):
        return _same_number(got, want, tolerance)
    if isinstance(want, list | tuple | collections.deque):
        kind = next(one for one in (list, tuple, collections.deque) if isinstance(want, one))
        return (
            isinstance(got, kind)
            and len(got) == len(want)
            and all(_same(one, other, tolerance, strict) for one, other in zip(got, want, strict=True))
        )
    if isinstance(want, dict):
        return (
            isinstance(got, dict)
            and len(got) == len(want)
            and all(key in got and _same(got[key], value, tolerance, strict) for key, value in want.items())
        )
    return bool(got == want)


def _same_number(got: Any, want: Any, tolerance: float) -> bool:  # noqa: ANN401
    if got == want or (got != got and want != want):  # noqa: PLR0124 - not a number
        return True
    if tolerance:
        return bool(abs(got - want) <= tolerance * (1 + _REL_TOL))
    if not (isinstance(got, float | complex) or isinstance(want, float | complex)):
        return False
    if isinstance(got, complex) or isinstance(want, complex):
        return bool(abs(got - want) <= max(_ABS_TOL, _REL_TOL * abs(want)))
    try:
        return math.isclose(got, want, rel_tol=_REL_TOL, abs_tol=_ABS_TOL)
    except OverflowError:  # an int beyond all floats
        return False


def same_text(got: str, want: str, flags: tuple[str, ...] = (), tolerance: float = 0.0) -> bool:
    """Whether a printed text is the one that doctest expects, or shows an equal plain value.

    An ellipsis stands for any text, whether the flag says so or not: projects set it for all their doctests.
    """
    got, want = _trimmed(got), _trimmed(want)
    if "NORMALIZE_WHITESPACE" in flags:
        got, want = " ".join(got.split()), " ".join(want.split())
    if got == want or ("..." in want and _matches(got, want)):
        return True
    if "DONT_ACCEPT_TRUE_FOR_1" not in flags and (got, want) in {("True", "1"), ("False", "0")}:
        return True  # as doctest has it
    try:
        return same(plain_value(got), plain_value(want), tolerance, strict=True)
    except NotPlainError:
        return False


def _trimmed(text: str) -> str:
    lines = ["" if line.strip() == "<BLANKLINE>" else line.rstrip() for line in text.split("\n")]
    return "\n".join(lines).rstrip("\n")


def _matches(got: str, want: str) -> bool:
    """Whether the text has the parts around each ellipsis, in their order, and begins and ends with them."""
    first, *middle, last = want.split("...")
    if len(got) < len(first) + len(last) or not (got.startswith(first) and got.endswith(last)):
        return False
    at, end = len(first), len(got) - len(last)
    for part in middle:
        at = got.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


_MODULE_PATH = re.compile(r"^(?:[^\W\d]\w*\.)+(?=\w)")


def same_error(got: str, want: str, flags: tuple[str, ...] = ()) -> bool:
    """Whether an exception's last line is the one that doctest expects. The class's module does not count."""
    got, want = (_MODULE_PATH.sub("", text.strip()) for text in (got, want))
    if "IGNORE_EXCEPTION_DETAIL" in flags:
        got, want = (text.partition(":")[0].strip() for text in (got, want))
    return same_text(got, want, flags)


#: ``passed``, ``failed`` or ``not checked``, and the reason.
_Outcome = tuple[str, str]
#: What the sandbox lacks and the user's machine may have: the program has not been shown to be wrong.
_OUTSIDE = {"OSError", "ModuleNotFoundError"}


def reports(plan: list[list[Any]], run: Callable[..., Any]) -> Iterator[str]:
    """Run sessions with the function that runs a step; yield first that it can be called, then each verdict.

    A session is a list of steps: the source, whether it is an expression, whether it calls the function, the
    example's number or None, and what it must give (form, text, tolerance, flags) or None. A verdict is JSON:
    the number, the outcome (``passed``, ``failed``, ``not checked``) and the reason.
    """
    yield json.dumps("loaded")
    for number, steps in enumerate(plan):
        broken: _Outcome | None = None
        for source, is_expression, calls, example, wanted in steps:
            outcome = broken or _outcome(run, (number, source, is_expression), wanted)
            if wanted is None and outcome[0] != "passed":
                broken = broken or _broken(source, outcome, calls=calls)
            if example is not None:
                yield json.dumps([example, outcome[0], outcome[1][:_MAX_DETAIL]])


def _broken(source: str, outcome: _Outcome, *, calls: bool) -> _Outcome:
    """Return what the rest of a session is after a step that prepares it has failed."""
    return outcome[0] if calls else "not checked", f"{source.strip()} {outcome[1]}"


def _outcome(run: Callable[..., Any], step: tuple[int, str, bool], wanted: Any) -> _Outcome:  # noqa: ANN401
    try:
        answer = run(*step)
    except Exception as error:  # noqa: BLE001 - whatever it is, the step has not given what it must
        return "failed", f"{type(error).__name__}: {error}"
    if type(answer) is not list or len(answer) != 4 or answer[0] not in {"raised", "value", "object"}:
        return "failed", "its answer is malformed"
    form, text, tolerance, flags = wanted or ("", "", 0.0, ())
    if answer[0] == "raised":
        return _raised(answer, form, text, tuple(flags))
    if form == "error":
        return "failed", f"raised nothing, and gave {_shown(answer[3] or answer[1])}"
    if form == "text":
        return _verdict(same_text(str(answer[1]), text, tuple(flags), tolerance), answer[1])
    return _value(answer, text, tolerance) if form == "value" else ("passed", "")


def _verdict(passed: bool, got: object, verb: str = "got") -> _Outcome:  # noqa: FBT001
    return ("passed", "") if passed else ("failed", f"{verb} {_shown(got)}")


def _raised(answer: list[Any], form: str, text: str, flags: tuple[str, ...]) -> _Outcome:
    _, _, names, last_line = answer
    if form == "error":
        return _verdict(same_error(str(last_line), text, flags), last_line, "raised")
    is_outside = type(names) is list and not _OUTSIDE.isdisjoint(map(str, names))
    is_relative = "attempted relative import" in str(last_line)
    return "not checked" if is_outside or is_relative else "failed", f"raised {_shown(last_line)}"


def _value(answer: list[Any], text: str, tolerance: float) -> _Outcome:
    kind, _, value, shown = answer
    if kind == "object":
        # No function, class or generator is equal to a plain value. Other objects may define that they are.
        outcome = "failed" if value == "builtins" else "not checked"
        return outcome, f"got {_shown(shown)}, which is no plain value"
    return _verdict(same(value, plain_value(text), tolerance), shown)


def _shown(text: object) -> str:
    shown = str(text).strip()
    return shown if len(shown) <= _MAX_DETAIL else f"{shown[:_MAX_DETAIL]}..."
