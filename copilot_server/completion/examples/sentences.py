"""Reads what prose says about calls: ``f(2) == 4``, ``f(2) => 4``, ``f(2) returns 4``, ``f(2)  # 4``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from copilot_server.completion.examples.doctests import claimed, one_line
from copilot_server.completion.examples.statements import BUILTINS, global_names
from copilot_server.completion.examples.statements import parsed as parsed_statements
from copilot_server.completion.examples.target import Target
from copilot_server.completion.examples.types import Kind, Session, Step, Wanted
from copilot_server.completion.examples.values import Value, read_value
from copilot_server.sandbox.comparing import NotPlainError, evaluated, parsed

#: The longest call, and the most calls that are read.
_MAX_CALL, _MAX_CALLS = 4_000, 100
_CONNECTOR = re.compile(
    r"""`*[ \t]*(?:
        (?P<sign>={1,2}>|-{1,2}>|→|➞|⇒|⟶|➔|==|=(?![=>])|≈|~=|:=>)
      | \#[ \t]*(?:
            (?:={1,2}>|-{1,2}>|→|➞|==|=|(?:will|should)[ ]return|returns?|Returns?|outputs?)[ \t]*:?
        )?(?P<comment>)
      | (?P<words>(?:will|should|must|would|shall)[ \t\n]+
            (?:return|be|give|equal|output|produce|evaluate[ ]to)
          |returns|gives|equals|evaluates[ ]to|is[ ]equal[ ]to|outputs|produces|is)\b[ \t]*:?
    )(?:[ \t]*\n(?=[ \t]*\S))?[ \t]*""",
    re.VERBOSE,
)
_BULLET = r"[ \t]*(?:[-*•+>][ \t]+|\(?\d+[.)][ \t]+|[a-z]\)[ \t]+|\#[ \t]+)?"
_LINE = re.compile(rf"{_BULLET}(?:(?:e\.?g\.?|ex(?:ample)?s?|i\.e\.)[ \t]*\d*[:.,]?[ \t]+)?", re.IGNORECASE)
#: What, before a call in its sentence, makes the claim about it something else.
_DOUBT = re.compile(
    r"\b(?:not|never|cannot|\w+n't|instead|unlike|wrong(?:ly)?|incorrect(?:ly)?|rather|without|if|when|whenever|"
    r"unless|while|until|lambda|or|in|is|was|were|assum\w*|suppos\w*|previously|formerly|used|bugs?|buggy|except|"
    r"whether|than|before|avoid|def|class|old|let|import|from|fails?|elif|with|"
    r"invalid|naive|almost|nearly|once|recursion|recursive(?:ly)?|base)\b",
    re.IGNORECASE,
)
_OPERATOR = re.compile(r"(?:[+\-*/%<>=!&|^~@.\\\[{]|\b(?:return|yield|del|raise))$")
_SENTENCE = re.compile(r".*(?:[.;:!?][ \t]|,[ \t])", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Found:
    line: int
    source: str
    value: Value
    sign: str
    shown: str
    kind: Kind


def read_sentences(text: str, target: Target, first_line: int) -> list[Session]:
    """Return what the lines of ``text`` without doctests claim, each claim as a session of its own."""
    text = without_doctests(text)
    found = [*_comparisons(text, target, first_line), *_calls(text, target, first_line)]
    return [_session(one) for one in _certain(found, target)]


def without_doctests(text: str) -> str:
    """Blank the lines of doctests, and what is printed below them."""
    lines, inside = [], False
    for line in text.split("\n"):
        inside = bool(line.strip()) and (inside or line.lstrip().startswith(">>>"))
        lines.append("" if inside else line)
    return "\n".join(lines)


def _session(found: _Found) -> Session:
    wanted = Wanted("value", found.value.source, found.value.tolerance)
    step = Step(found.source, found.line, True, wanted, True, found.shown)  # noqa: FBT003
    return Session(found.kind, (step,))


def _comparisons(text: str, target: Target, first_line: int) -> Iterator[_Found]:
    """Yield the lines that are a comparison in Python, with a call of any shape on one side."""
    doubted = False
    for number, line in enumerate(text.split("\n")):
        code = line[_LINE.match(line).end() :] if _LINE.match(line) else line  # type: ignore[union-attr]
        if f"{target.name}(" in code.replace(" ", "") and not doubted:
            body = parsed_statements(code.strip().strip("`"))
            claim = claimed(body[0], target) if body and len(body) == 1 else None
            # That an expression is true is also said where another result is meant to be shown.
            is_plain = claim is not None and not claim.source.startswith("bool(")
            if claim and is_plain and _knows(claim.source, target):
                value = _value_of(claim.wanted)
                yield _Found(first_line + number, claim.source, value, "==", one_line(code), "comparison")
        if line.strip():
            doubted = line.rstrip().endswith(":") and bool(_DOUBT.search(line))


def _value_of(wanted: Wanted) -> Value:
    return Value(wanted.text, evaluated(parsed(wanted.text)), wanted.tolerance, 0)


def _calls(text: str, target: Target, first_line: int) -> Iterator[_Found]:
    """Yield the calls that a sign or words connect with a value."""
    if target.classes or target.is_async:
        return
    pattern = re.compile(rf"(?<![\w.]){re.escape(target.name)}[ \t]?\(")
    for count, found in enumerate(pattern.finditer(text)):
        if count >= _MAX_CALLS:
            return
        one = _call(text, found.start(), found.end() - 1, target)
        if one is not None:
            source, connector, value, end = one
            line = first_line + text.count("\n", 0, found.start())
            kind: Kind = "comparison" if connector["sign"] == "==" else "sentence"
            sign = connector["sign"] or ("#" if connector["comment"] is not None else "is")
            yield _Found(line, source, value, sign, one_line(text[found.start() : end]), kind)


def _call(
    text: str, start: int, bracket: int, target: Target
) -> tuple[str, re.Match[str], Value, int] | None:
    if not _is_claimed(text, start):
        return None
    end = _closing(text, bracket)
    connector = _CONNECTOR.match(text, end) if end else None
    if end is None or connector is None:
        return None
    source = one_line(text[start:end])
    try:
        node = parsed(source)
    except NotPlainError:
        return None
    if not isinstance(node, ast.Call) or not _has_plain_arguments(node, target):
        return None
    sign = connector["sign"] or ("#" if connector["comment"] is not None else "")
    value = read_value(text[connector.end() :], target.name, sign)
    if (
        value is None
        or (value.value is None and sign in {"->", "-->", ":"})
        or not target.may_return(value.value)
    ):
        return None
    return text[start:end], connector, value, connector.end() + value.end


def _is_claimed(text: str, start: int) -> bool:
    """Whether what stands before a call in its line and sentence leaves the claim as it is."""
    line_start = text.rfind("\n", 0, start) + 1
    before = text[line_start:start]
    bullet = _LINE.match(before)
    rest = before[bullet.end() if bullet else 0 :]
    bare = rest.rstrip(" \t`\"'*")
    if bare and (_OPERATOR.search(bare) or (bare[-1] == "(" and (len(bare) == 1 or bare[-2].isalnum()))):
        return bare == "("
    above = text[:line_start].rstrip("\n").rpartition("\n")[2]
    sentence = _SENTENCE.sub("", bare)
    if _DOUBT.search(sentence):
        return False
    starts_line = not bare
    return not (starts_line and above.rstrip().endswith(":") and _DOUBT.search(above))


def _closing(text: str, bracket: int) -> int | None:
    """Return the end of the brackets that open at ``bracket``; None if nothing closes them."""
    depth, at, limit = 0, bracket, min(len(text), bracket + _MAX_CALL)
    while at < limit:
        char = text[at]
        if char in "\"'":
            found = _STRING.match(text, at)
            if found is None:
                return None
            at = found.end()
            continue
        depth += (char in "([{") - (char in ")]}")
        at += 1
        if depth == 0:
            return at
    return None


_STRING = re.compile(
    r'"{3}(?:[^"\\]|\\.|"(?!""))*"{3}|\'{3}(?:[^\'\\]|\\.|\'(?!\'\'))*\'{3}'
    r'|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'',
    re.DOTALL,
)


def _has_plain_arguments(node: ast.Call, target: Target) -> bool:
    """Whether the arguments are plain values, or are made of them by what the document defines."""
    values = [*node.args, *(one.value for one in node.keywords)]
    return all(_is_plain(one) or _is_made(one, target) for one in values)


def _is_plain(node: ast.expr) -> bool:
    try:
        evaluated(node)
    except NotPlainError:
        return False
    return True


def _is_made(node: ast.expr, target: Target) -> bool:
    return isinstance(node, ast.Call | ast.Attribute) and _knows(ast.unparse(node), target)


def _knows(source: str, target: Target) -> bool:
    """Whether all names of an expression are the document's or builtin; one letter may be any variable."""
    return all(
        name in BUILTINS or (name in target.known and len(name) > 1) or name in {target.name, *target.classes}
        for name in global_names(source)
    )


def _certain(found: list[_Found], target: Target) -> list[_Found]:
    """Leave out what is found twice, contradicts another claim, or is not certain beside the others."""
    unique: dict[tuple[int, str], _Found] = {}
    for one in found:
        if target.may_return(one.value.value) or not one.source.startswith(f"{target.name}("):
            unique.setdefault((one.line, _plain_source(one.source)), one)
    kept = list(unique.values())
    values: dict[str, set[str]] = {}
    for one in kept:
        values.setdefault(_plain_source(one.source), set()).add(repr(one.value.value))
    kept = [one for one in kept if len(values[_plain_source(one.source)]) == 1]
    equations = [one for one in kept if one.sign == "="]
    kinds = {_kind(one.value.value) for one in equations} - {"NoneType"}
    # "f(1) = 3" may define a sequence that the function gives the members of.
    return [one for one in kept if one.sign != "="] + (equations if len(kinds) == 1 else [])


def _kind(value: object) -> str:
    return (
        "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
    )


def _plain_source(source: str) -> str:
    try:
        return ast.unparse(parsed(source))
    except NotPlainError:
        return source
