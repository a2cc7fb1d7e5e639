"""Plain values, and what an example gives against what it must give."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from copilot_server.sandbox.comparing import NotPlainError, plain_value, reports, same, same_error, same_text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4", 4),
        (" -4.5 ", -4.5),
        ("1 + 2 * 3", 7),
        ("2 ** 10", 1024),
        ("7 // 2", 3),
        ("1 + 2j", 1 + 2j),
        ("(1, [2, {3: {4}}])", (1, [2, {3: {4}}])),
        ("set()", set()),
        ("frozenset({1})", frozenset({1})),
        ("float('inf')", math.inf),
        ("inf", math.inf),
        ("'a' 'b'", "ab"),
    ],
)
def test_plain_values(text: str, value: object):
    assert plain_value(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "f()",
        "...",
        "[1, ...]",
        "1 / 0",
        "9 ** 9 ** 9",
        "10 ** 100000",
        "'a' * 3",
        "not 1",
        "1 < 2",
        "[*[1]]",
        "{**{}}",
        "{[]: 1}",
        "lambda: 1",
        "1 if 2 else 3",
        "",
        "(",
        "[" * 500,
        "'" * 3,
        "\x00",
        "f'{1}'",
        "set(1)",
    ],
)
def test_what_is_no_plain_value(text: str):
    with pytest.raises(NotPlainError):
        plain_value(text)


@pytest.mark.parametrize(
    ("got", "want", "equal", "strictly"),
    [
        (4, 4, True, True),
        (4, 5, False, False),
        (4.0, 4, True, False),
        (True, 1, True, False),
        (0.1 + 0.2, 0.3, True, True),
        (0.30001, 0.3, False, False),
        (math.nan, math.nan, True, True),
        (10**400, 1.0, False, False),
        ([0.1 + 0.2], [0.3], True, True),
        ([1], (1,), False, False),
        ({"a": 0.1 + 0.2}, {"a": 0.3}, True, True),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True, True),
        ({"a": 1}, {"a": 2}, False, False),
        ({"a": 1}, {"b": 1}, False, False),
        ({1, 2}, {2, 1}, True, True),
        ("4", 4, False, False),
        (None, 0, False, False),
        ([1, 2], [1], False, False),
    ],
)
def test_equality(got: object, want: object, equal: bool, strictly: bool):
    assert same(got, want) is equal
    assert same(got, want, strict=True) is strictly


def test_a_tolerance_is_the_texts():
    assert same(1.4142, 1.41, 0.01)
    assert not same(1.4242, 1.41, 0.01)
    assert same([1.4142], [1.41], 0.01)
    assert not same("1.4142", 1.41, 0.01)


@pytest.mark.parametrize(
    ("got", "want", "flags", "equal"),
    [
        ("4\n", "4", (), True),
        ("'21'\n", '"21"', (), True),
        ("{'b', 'a'}\n", "{'a', 'b'}", (), True),
        ("[1, 2]\n", "[1,\n 2]", (), True),
        ("a\n\nb\n", "a\n<BLANKLINE>\nb", (), True),
        ("a  b\n", "a b", (), False),
        ("a  b\n", "a b", ("NORMALIZE_WHITESPACE",), True),
        ("abcd\n", "a...d", (), True),
        ("abcd\n", "a...c", (), False),
        ("ad\n", "a...ad", (), False),
        ("<C at 0x7f>\n", "<C at 0x...>", (), True),
        ("4.0\n", "4", (), False),
        ("1\n", "True", (), False),
        ("True\n", "1", (), True),
        ("True\n", "1", ("DONT_ACCEPT_TRUE_FOR_1",), False),
        ("[True]\n", "[1]", (), False),
        ("0.30000000000000004\n", "0.3", (), True),
        ("", "4", (), False),
        ("hello\n", "Hello", (), False),
    ],
)
def test_printed_texts(got: str, want: str, flags: tuple[str, ...], equal: bool):
    assert same_text(got, want, flags) is equal


def test_exceptions():
    assert same_error("ValueError: no\n", "ValueError: no")
    assert same_error("__program__.Own: no\n", "package.Own: no")
    assert same_error("ValueError: no 12\n", "ValueError: no ...")
    assert not same_error("ValueError: no\n", "ValueError: yes")
    assert same_error("ValueError: no\n", "ValueError: yes", ("IGNORE_EXCEPTION_DETAIL",))
    assert not same_error("KeyError: no\n", "ValueError: yes", ("IGNORE_EXCEPTION_DETAIL",))


def answers(*given: object) -> Callable[..., Any]:
    """A function that runs a step, and gives one answer after the other."""
    waiting = list(given)

    def run(*_: object) -> object:
        answer = waiting.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return run


FOUR = ("value", "4", 0.0, ())


@pytest.mark.parametrize(
    ("answer", "wanted", "outcome"),
    [
        (["value", "", 4, "4"], FOUR, ["passed", ""]),
        (["value", "", 5, "5"], FOUR, ["failed", "got 5"]),
        (["value", "", 5, "5" * 1000], FOUR, ["failed", f"got {'5' * 106}"]),
        (
            ["object", "", "builtins", "<function>"],
            FOUR,
            ["failed", "got <function>, which is no plain value"],
        ),
        (["object", "", "__program__", "V()"], FOUR, ["not checked", "got V(), which is no plain value"]),
        (
            ["raised", "", ["ValueError", "Exception"], "ValueError: no\n"],
            FOUR,
            ["failed", "raised ValueError: no"],
        ),
        (["raised", "", ["ModuleNotFoundError", "ImportError"], "m\n"], FOUR, ["not checked", "raised m"]),
        (["raised", "", ["FileNotFoundError", "OSError"], "m\n"], FOUR, ["not checked", "raised m"]),
        (
            ["raised", "", ["ValueError"], "ValueError: no\n"],
            ("error", "ValueError: no", 0.0, ()),
            ["passed", ""],
        ),
        (["raised", "", ["ValueError"], "E: a\n"], ("error", "E: b", 0.0, ()), ["failed", "raised E: a"]),
        (["value", "4\n", None, ""], ("error", "E", 0.0, ()), ["failed", "raised nothing, and gave 4"]),
        (["value", "4\n", None, ""], ("text", "4", 0.0, ()), ["passed", ""]),
        (["value", "5\n", None, ""], ("text", "4", 0.0, ()), ["failed", "got 5"]),
        (["value", "", 4], FOUR, ["failed", "its answer is malformed"]),
        ("passed", FOUR, ["failed", "its answer is malformed"]),
        (["passed", "", 4, "4"], FOUR, ["failed", "its answer is malformed"]),
        (RuntimeError("odd"), FOUR, ["failed", "RuntimeError: odd"]),
    ],
)
def test_the_outcome_of_a_step(answer: object, wanted: tuple[object, ...], outcome: list[str]):
    said = [json.loads(one) for one in reports([[("f(2)", True, True, 0, wanted)]], answers(answer))]
    assert said == ["loaded", [0, *outcome]]


@pytest.mark.parametrize(("calls", "outcome"), [(True, "failed"), (False, "not checked")])
def test_what_follows_on_a_broken_step_is_not_passed(calls: bool, outcome: str):
    raised = ["raised", "", ["ValueError"], "ValueError: no\n"]
    steps = [("x = g()", False, calls, None, None), ("f(x)", True, True, 0, FOUR)]
    said = [json.loads(one) for one in reports([steps], answers(raised, ["value", "", 4, "4"]))]
    assert said == ["loaded", [0, outcome, "x = g() raised ValueError: no"]]
    whole = [
        json.loads(one) for one in reports([steps], answers(["value", "", None, ""], ["value", "", 4, "4"]))
    ]
    assert whole == ["loaded", [0, "passed", ""]]
