"""Reads the value that a sentence ends in, and makes sure that it is the whole of what is claimed."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass
from typing import Any

from copilot_server.sandbox.comparing import NotPlainError, evaluated, parsed, same

#: How much text after a sign is read, and how many of its tokens outside brackets.
_MAX_TEXT, _MAX_TOKENS = 8_000, 60
_NUMBER_END = re.compile(r"\d\.$")
_WORDS = {"true": "True", "false": "False"}
#: What may follow a value without changing what is claimed.
_TAIL = re.compile(
    r"""[`)*]*(?:
        [ \t]*[.!;,:]?[ \t]*$
      | [ \t]*(?:\#|//)
      | [ \t]+[-\u2013\u2014]{1,2}[ \t]+[A-Za-z]
      | [ \t]*[,;.]?[ \t]*\((?!.*\b(?:or|mod|modulo|not|if|unless|when)\b)
      | [.;!][ \t]+[A-Z`]
      | [ \t]*,?[ \t]+(?:because|since|as|where|whereas|while|so|which|i\.e\.)\b
      | [ \t]*,?[ \t]+and[ \t]+(?![\d'"\[({-])
      | [ \t]*[,;][ \t]*`*[^\W\d]\w*\(
    )""",
    re.VERBOSE,
)
_ROUNDED = re.compile(r"(?:approximately|approx\.?|about|roughly|around|circa|~|≈)[ \t]*")
_ABOUT = frozenset({"≈", "~="})
_SIGN = re.compile(r"[`)]*[ \t]*(?:==|=)[ \t]*(?=\S)")
_LARGE_TOLERANCE_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Value:
    """A value in a text: its source, itself, how far a number may be from it, and where its source ends."""

    source: str
    value: Any
    tolerance: float
    end: int


def read_value(text: str, name: str = "", sign: str = "") -> Value | None:
    """Return the value with which ``text`` begins; None unless that is certain.

    ``sign`` is what stands before it; after ``==`` it is Python, elsewhere division, for example, is not
    certain to be one.
    """
    start = len(text) - len(text.lstrip(" \t`"))
    rounded = _ROUNDED.match(text, start)
    start = rounded.end() if rounded else start
    found = literal_prefix(text[start:], sign)
    if found is None:
        return None
    tail = text[start + found.end :].split("\n", 1)[0]
    tolerance = found.tolerance
    if tail.startswith(("...", "…")) and isinstance(found.value, float):
        tail, tolerance = tail.lstrip(".…"), 10.0 ** -_digits(found.source)
    elif rounded or sign in _ABOUT:
        if not isinstance(found.value, int | float) or isinstance(found.value, bool):
            return None
        tolerance = 10.0 ** -_digits(found.source)
    if (chained := _SIGN.match(tail)) and not _TAIL.match(tail):
        return _same_value(found, read_value(tail[chained.end() :], name, "=="))
    if not _TAIL.match(tail):
        return None
    return Value(found.source, found.value, tolerance, start + found.end)


def _same_value(first: Value, second: Value | None) -> Value | None:
    """Return the first value of ``2 + 3 = 5`` if the second is the same."""
    return first if second and same(first.value, second.value) else None


def literal_prefix(text: str, sign: str = "") -> Value | None:
    """Return the longest plain value that ``text`` begins with; None if there is none."""
    text = text[:_MAX_TEXT]
    indent = len(text) - len(text.lstrip())
    stripped = text[indent:]
    for end in reversed(_token_ends(stripped)):
        source = stripped[:end]
        if _NUMBER_END.search(source):  # the full stop of a sentence
            source = source[:-1]
        value = _plain(source, sign)
        if value is not None:
            return Value(value.source, value.value, value.tolerance, indent + len(source))
    return None


def _plain(source: str, sign: str) -> Value | None:
    source = _WORDS.get(source, source)
    try:
        node = parsed(source)
        value = evaluated(node)
    except NotPlainError:
        return None
    if _is_uncertain(source, node, sign):
        return None
    digits = _digits(source)
    # So many digits are shown only of a number that has more of them.
    is_long = isinstance(value, float) and "e" not in source.lower() and digits >= _LARGE_TOLERANCE_DIGITS
    return Value(source, value, 0.5 * 10.0**-digits if is_long and sign != "==" else 0.0, 0)


def _is_uncertain(source: str, node: ast.expr, sign: str) -> bool:
    """Whether a text may mean something else than the value that Python reads."""
    if isinstance(node, ast.Tuple) != source.startswith("(") and (
        isinstance(node, ast.Tuple) or source.startswith("(")
    ):
        return True  # several values, or brackets around one, which may be meant as a tuple
    if any(isinstance(one, ast.Constant) and _is_joined(one, source) for one in ast.walk(node)):
        return True
    binary = [one for one in ast.walk(node) if isinstance(one, ast.BinOp)]
    if sign == "==":
        return False
    return any(isinstance(one.op, ast.Div | ast.Mod) for one in binary) or (
        bool(binary) and not re.search(r"\S [-+*/]{1,2} \S", source)
    )


def _is_joined(node: ast.Constant, source: str) -> bool:
    """Whether a string is written as several in a row."""
    if not isinstance(node.value, str) or node.end_lineno != node.lineno:
        return isinstance(node.value, str)
    written = source.split("\n")[node.lineno - 1].encode()[node.col_offset : node.end_col_offset].decode()
    try:
        return (
            len(
                [
                    one
                    for one in tokenize.generate_tokens(io.StringIO(written).readline)
                    if one.string[-1:] in "'\"" and one.string
                ]
            )
            > 1
        )
    except (tokenize.TokenError, SyntaxError):
        return True


def _digits(source: str) -> int:
    """Return how many digits follow the point of a number."""
    return len(source.partition(".")[2].rstrip("_"))


def _token_ends(text: str) -> list[int]:
    """Return where the tokens outside brackets end, up to the first end of a line outside brackets."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    ends: list[int] = []
    depth = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type in {tokenize.NEWLINE, tokenize.COMMENT, tokenize.ENDMARKER} and depth == 0:
                break
            depth += (token.string in {"(", "[", "{"}) - (token.string in {")", "]", "}"})
            if depth < 0 or len(ends) >= _MAX_TOKENS:
                break
            if depth == 0 and token.string:
                ends.append(starts[token.end[0] - 1] + token.end[1])
    except (tokenize.TokenError, SyntaxError):
        pass
    return ends
