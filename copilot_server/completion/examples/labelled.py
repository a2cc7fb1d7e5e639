"""Reads inputs with their output: ``For n = 5 the output should be 3``; ``Input: 5`` above ``Output: 3``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice

from copilot_server.completion.examples.doctests import one_line
from copilot_server.completion.examples.sentences import without_doctests
from copilot_server.completion.examples.target import Target
from copilot_server.completion.examples.types import Session, Step, Wanted
from copilot_server.completion.examples.values import Value, literal_prefix, read_value

_FOR = re.compile(r"\b(?:For|for|With|with|If|if|When|when|Given|given)[ \t]+(?=[^\W\d]\w*[ \t]*=[^=])")
_RESULT = re.compile(
    r"[ \t]*[,:;]?[ \t]*(?:then[ \t]+|we[ \t]+(?:get|have)[ \t]+)?"
    r"(?:[^.\n]{0,200}?\b(?:output|result|answer|return(?:ed)?[ ]value|function)[ \t]+"
    r"(?:(?:should|will|must|would)[ \t]+(?:be|return|equal)|is|returns|equals)\b[ \t]*:?"
    r"|returns?\b[ \t]*:?|(?:={1,2}>|-{1,2}>|→|➞|⇒))[ \t]*"
)
_NEGATED = re.compile(r"\b(?:not|never|n't|instead|without|unless)\b")
_INPUT = re.compile(
    r"^[ \t*-]*(?:sample[ \t]+)?inputs?[ \t]*\d*[ \t]*[:=][ \t]*", re.IGNORECASE | re.MULTILINE
)
_OUTPUT = re.compile(
    r"[ \t*,;-]*(?:sample[ \t]+|expected[ \t]+)?outputs?[ \t]*\d*[ \t]*[:=][ \t]*(?:\n[ \t]*(?=\S))?",
    re.IGNORECASE,
)
_OUTPUT_LINE = re.compile(rf"^{_OUTPUT.pattern}", re.IGNORECASE | re.MULTILINE)
_LABEL = re.compile(r"(?P<name>[^\W\d]\w*)[ \t]*(?::|=(?!=)|\bis\b)[ \t]*")
_SEPARATOR = re.compile(r"(?:[ \t]*(?:,|;|\band\b)[ \t]*(?:and\b[ \t]*)?|[ \t]*\n[ \t]*)(?:\n[ \t]*)?")
#: The most inputs that are read.
_MAX_PAIRS = 60


@dataclass(frozen=True, slots=True)
class _Inputs:
    """Values by their labels, or the one value without a label; ``end``: where they end in the text."""

    named: tuple[tuple[str, Value], ...]
    end: int


def read_labelled(text: str, target: Target, first_line: int) -> list[Session]:
    """Return the inputs with outputs that ``text`` names, each pair as a session."""
    if target.classes or target.is_async or target.parameters is None:
        return []
    text = without_doctests(text)
    return [*_sentences(text, target, first_line), *_blocks(text, target, first_line)]


def _sentences(text: str, target: Target, first_line: int) -> list[Session]:
    sessions = []
    for found in islice(_FOR.finditer(text), _MAX_PAIRS):
        inputs = _named(text, found.end())
        result = _RESULT.match(text, inputs.end) if inputs else None
        if inputs is None or result is None or _NEGATED.search(result[0]):
            continue
        value = read_value(text[result.end() :])
        call = _call(inputs, target)
        if value is None or call is None or not target.may_return(value.value):
            continue
        shown = text[found.start() : result.end() + value.end]
        sessions.append(_session(call, value, first_line + text.count("\n", 0, found.start()), shown))
    return sessions


def _blocks(text: str, target: Target, first_line: int) -> list[Session]:
    sessions = []
    for found in islice(_INPUT.finditer(text), _MAX_PAIRS):
        inputs = _named(text, found.end()) or _unnamed(text, found.end(), target)
        output = _output(text, inputs.end) if inputs else None
        if inputs is None or output is None:
            continue
        value = read_value(text[output:])
        call = _call(inputs, target)
        if value is None or call is None or not target.may_return(value.value):
            continue
        line = first_line + text.count("\n", 0, found.start() + len(found[0]) - len(found[0].lstrip()))
        shown = one_line(text[found.start() : output + value.end])
        sessions.append(_session(call, value, line, shown))
    return sessions


def _output(text: str, end: int) -> int | None:
    """Return where the output begins that follows on an input that ends at ``end``."""
    same_line = _OUTPUT.match(text, end)
    if same_line:
        return same_line.end()
    rest = text[end:]
    line, _, _ = rest.partition("\n")
    if line.strip() and not line.strip().startswith(("#", "//")):
        return None
    found = _OUTPUT_LINE.search(text, end + len(line))
    if found is None or text[end : found.start()].strip(" \t\n") != line.strip():
        return None
    return found.end()


def _named(text: str, start: int) -> _Inputs | None:
    """Read ``a = 1, b = 2``, also over several lines; None if no label is there."""
    named: list[tuple[str, Value]] = []
    at = _skip_break(text, start)
    while (label := _LABEL.match(text, at)) and not _OUTPUT.match(text, at):
        value = literal_prefix(text[label.end() :])
        if value is None:
            return None
        named.append((label["name"], value))
        end = label.end() + value.end
        separator = _SEPARATOR.match(text, end)
        if separator is None or not _LABEL.match(text, separator.end()):
            return _Inputs(tuple(named), end)
        at = separator.end()
    return _Inputs(tuple(named), (named and at) or start) if named else None


def _skip_break(text: str, at: int) -> int:
    """Skip the end of a line that holds nothing more, and the indentation of the next."""
    found = re.compile(r"[ \t]*\n[ \t]*(?=\S)").match(text, at)
    return found.end() if found else at


def _unnamed(text: str, start: int, target: Target) -> _Inputs | None:
    """Read the only argument of a function, or as many as it has parameters."""
    first = literal_prefix(text[start:])
    values = [first] if first else []
    end = start + first.end if first else start
    while values and (comma := re.compile(r"[ \t]*,[ \t]*").match(text, end)):
        value = literal_prefix(text[comma.end() :])
        if value is None:
            break
        values.append(value)
        end = comma.end() + value.end
    parameters = target.parameters or ()
    required = [name for name, has_default in parameters if not has_default]
    if not values or len(values) != len(required):
        return None
    return _Inputs(tuple(zip(required, values, strict=True)), end)


def _call(inputs: _Inputs, target: Target) -> str | None:
    """Return the call with the inputs; None if they are not the function's parameters."""
    parameters = dict(target.parameters or ())
    names = [_parameter(label, parameters) for label, _ in inputs.named]
    if None in names or len(set(names)) != len(names):
        return None
    if any(not has_default and name not in names for name, has_default in parameters.items()):
        return None
    sources = {name: value.source for name, (_, value) in zip(names, inputs.named, strict=True)}
    ordered = [(name, sources[name]) for name in parameters if name in sources]
    positional = [name for name, _ in ordered] == list(parameters)[: len(ordered)]
    written = [source if positional else f"{name}={source}" for name, source in ordered]
    return f"{target.name}({', '.join(written)})"


def _parameter(label: str, parameters: dict[str, bool]) -> str | None:
    """Return the parameter that a label names, perhaps with a word before it (``bucket_capacity``)."""
    if label in parameters:
        return label
    ends = [name for name in parameters if len(name) > 2 and label.endswith(f"_{name}")]
    return ends[0] if len(ends) == 1 else None


def _session(call: str, value: Value, line: int, shown: str) -> Session:
    wanted = Wanted("value", value.source, value.tolerance)
    step = Step(call, line, True, wanted, True, one_line(shown))  # noqa: FBT003
    return Session("input and output", (step,))
