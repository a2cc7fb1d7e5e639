"""Reads the doctests of a docstring as a session of steps; those that call the function are examples."""

from __future__ import annotations

import ast
import doctest
import re
from dataclasses import dataclass, field

from copilot_server.completion.examples.statements import (
    BUILTINS,
    bound_names,
    global_names,
    is_standard,
    parsed,
)
from copilot_server.completion.examples.target import Target
from copilot_server.completion.examples.types import Session, Step, Wanted
from copilot_server.completion.examples.values import read_value
from copilot_server.sandbox.comparing import NotPlainError, evaluated, plain_value

#: The most steps of a session.
_MAX_STEPS = 300
#: Flags of widespread plugins, which doctest's parser would not accept.
_FOREIGN = (
    "NUMBER",
    "FLOAT_CMP",
    "ALLOW_UNICODE",
    "ALLOW_BYTES",
    "IGNORE_OUTPUT",
    "IGNORE_WARNINGS",
    "REMOTE_DATA",
)
_PROMPT = re.compile(r"^[ \t]*>>>", re.MULTILINE)
_BLOCK = re.compile(r"(?:^[^\n]*\S[^\n]*(?:\n|\Z))+", re.MULTILINE)
_NO_DIRECTIVE = re.compile(rf"#\s*doctest:[^\n]*(?:{'|'.join(_FOREIGN)})[^\n]*")
#: What is printed differs with each run, as its address or a remark shows.
_VARYING = re.compile(r"\bat 0x[0-9a-fA-F]+|\b(?:may|might|will|can) (?:vary|differ)|#\s*random|\bvaries\b")
_UNSTEADY = frozenset(
    {"random", "randint", "uuid", "uuid4", "time", "now", "today", "getpid", "secrets", "urandom", "environ"}
)
_FENCE = re.compile(r"^\s*(?:```|~~~|\.\. )")
_PROSE = re.compile(r"^[^\W\d]\w*(?:[ ,]+[\w'-]+){2,}")
_COMMENT = re.compile(r"#[ \t]*(?:={0,2}>|-+>|→|➞|==|returns?:?|Returns?:?)?[ \t]*(?P<value>\S.*)$")


def has_prompt(text: str) -> bool:
    """Whether a text has a doctest."""
    return bool(_PROMPT.search(text))


@dataclass
class _Reading:
    """What is known while the steps of a docstring are read.

    ``bound``: the names that earlier steps bind. ``tainted``: those whose values depend on the function.
    """

    target: Target
    bound: set[str] = field(default_factory=set)
    tainted: set[str] = field(default_factory=set)

    def knows(self, source: str) -> bool:
        names = global_names(source) - bound_names(source)
        return all(name in self.bound or name in self.target.known or name in BUILTINS for name in names)


def read_doctests(text: str, target: Target, first_line: int, *, is_lenient: bool = False) -> Session | None:
    """Return the doctests in ``text``; None if none of them is an example.

    ``first_line`` is the line of the document at which the text begins. ``is_lenient``: leave out a broken
    one.

    Raises:
        SyntaxError: one is broken. It may hold an escape that the docstring should not have.
    """
    reading = _Reading(target)
    steps: list[Step] = []
    for found in _BLOCK.finditer(text):
        if not has_prompt(found[0]) or len(steps) > _MAX_STEPS:
            continue
        above = first_line + text.count("\n", 0, found.start())
        try:
            for example in doctest.DocTestParser().get_examples(_NO_DIRECTIVE.sub("", found[0]))[:_MAX_STEPS]:
                steps += [step for step in [_read(example, above + example.lineno, reading)] if step]
        except (ValueError, SyntaxError) as error:
            if not is_lenient:
                raise SyntaxError(str(error)) from error
    return Session("doctest", tuple(steps)) if any(step.shown for step in steps) else None


def _read(example: doctest.Example, line: int, reading: _Reading) -> Step | None:
    """Return the step that an example is; None if it does not belong to the session."""
    if example.options.get(doctest.SKIP):
        return None
    source = example.source.strip("\n")
    body = parsed(source)
    if body is None:
        raise SyntaxError(source)
    if not body or len(body) > 1 or not reading.knows(source):
        return None
    node = body[0]
    if _is_own_import(node, reading.target):
        return None
    step = _step(example, source, node, line, reading)
    if step is not None:
        _remember(node, source, step.calls, reading)
    return step


def _step(example: doctest.Example, source: str, node: ast.stmt, line: int, reading: _Reading) -> Step | None:
    target = reading.target
    calls = bool(target.calls(node)) or bool(reading.tainted & global_names(source))
    want = _want(example)
    prepares = Step(source, line, calls)
    if not calls or _is_unsteady(node) or not target.is_awaited(node):
        return prepares
    claim = claimed(node, target, awaits=True)
    if claim and want in {"", "True"} and not example.exc_msg:
        return Step(claim.source, line, calls, claim.wanted, claim.is_expression, one_line(source))
    if example.exc_msg:
        wanted = Wanted("error", example.exc_msg.strip(), flags=_flags(example))
        return Step(source, line, calls, wanted, shown=one_line(source))
    if want:
        return _printed(example, node, want, prepares)
    return _unprinted(source, node, prepares, target)


def _printed(example: doctest.Example, node: ast.stmt, want: str, prepares: Step) -> Step:
    source = prepares.source
    if (
        not want.strip(". \n")
        or _VARYING.search(want)
        or _VARYING.search(source)
        or _is_followed_by_prose(want)
    ):
        return prepares
    wanted = Wanted("text", want, flags=_flags(example))
    shown = one_line(_without_comment(source))
    if isinstance(node, ast.Expr) and _is_plain(want) and "print" not in global_names(source):
        shown = f"{shown} == {one_line(want)}"
    return Step(source, prepares.line, prepares.calls, wanted, shown=shown)


def _unprinted(source: str, node: ast.stmt, prepares: Step, target: Target) -> Step | None:
    """Read an example without output: a value in a comment, or None if that is one of several results."""
    if not isinstance(node, ast.Expr):
        return prepares
    if (comment := _COMMENT.search(source)) and _without_comment(source) != source:
        value = read_value(comment["value"], "", sign="#")
        if value is not None and isinstance(node.value, ast.Call) and target.may_return(value.value):
            wanted = Wanted("value", value.source, value.tolerance)
            code = ast.unparse(node)
            return Step(code, prepares.line, True, wanted, True, one_line(source))  # noqa: FBT003
    if not isinstance(node.value, ast.Call | ast.Await):
        return None
    if node.value in target.calls(node) and target.may_return_none:
        return Step(source, prepares.line, True, Wanted("value", "None"), True, f"{one_line(source)} == None")  # noqa: FBT003
    return prepares


@dataclass(frozen=True, slots=True)
class Claim:
    """What a comparison or an assertion says: ``source`` gives what is wanted."""

    source: str
    wanted: Wanted
    is_expression: bool = True


def claimed(node: ast.stmt, target: Target, *, awaits: bool = False) -> Claim | None:
    """Return what a comparison of a call with a plain value says, or an assertion; None if it is neither."""
    if isinstance(node, ast.Assert):
        test = node.test
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Compare):
        test = node.value
    else:
        return None
    if not target.calls(test) or not (awaits or target.is_awaited(test)):
        return None
    if (sides := _sides(test, target)) is not None:
        call, wanted = sides
        return Claim(ast.unparse(call), wanted)
    if isinstance(node, ast.Assert):
        return Claim(f"bool({ast.unparse(test)})", Wanted("value", "True"))
    return None


def _sides(test: ast.expr, target: Target) -> tuple[ast.expr, Wanted] | None:
    """Split ``call == value``, so that the function's process never sees the value."""
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return None
    if not isinstance(test.ops[0], ast.Eq | ast.Is):
        return None
    for call, value in ((test.left, test.comparators[0]), (test.comparators[0], test.left)):
        if not target.calls(call) or isinstance(call, ast.Compare):
            continue
        if (approximate := _approximate(value)) is not None:
            return call, approximate
        try:
            plain = evaluated(value)
        except NotPlainError:
            continue
        if isinstance(test.ops[0], ast.Eq) or plain is None or isinstance(plain, bool):
            return call, Wanted("value", ast.unparse(value))
    return None


def _approximate(node: ast.expr) -> Wanted | None:
    """Read ``approx(1.41)``, whose default tolerance is a millionth of the value, or an absolute one."""
    if not (isinstance(node, ast.Call) and node.args and ast.unparse(node.func).endswith("approx")):
        return None
    options = {one.arg: one.value for one in node.keywords}
    try:
        value = evaluated(node.args[0])
        relative = evaluated(options["rel"]) if "rel" in options else 1e-6
        absolute = evaluated(options["abs"]) if "abs" in options else 1e-12
        tolerance = float(max(absolute, relative * abs(value)))
    except (NotPlainError, TypeError, ValueError):
        return None
    return Wanted("value", ast.unparse(node.args[0]), tolerance)


def _want(example: doctest.Example) -> str:
    """Return what is printed, without what can only be markup of the text below it."""
    lines = example.want.rstrip("\n").split("\n")
    while lines and _FENCE.match(lines[-1]):
        lines.pop()
    return "\n".join(lines)


def _is_followed_by_prose(want: str) -> bool:
    """Whether a sentence seems to follow on what is printed, without a blank line between."""
    first, *others = want.split("\n")
    return not _is_plain(want) and _is_plain(first) and any(_PROSE.match(line.strip()) for line in others)


def _is_plain(text: str) -> bool:
    try:
        plain_value(text)
    except NotPlainError:
        return False
    return True


def _flags(example: doctest.Example) -> tuple[str, ...]:
    names = {number: name for name, number in doctest.OPTIONFLAGS_BY_NAME.items()}
    return tuple(names[number] for number, is_on in example.options.items() if is_on)


def _is_unsteady(node: ast.AST) -> bool:
    return any(
        (isinstance(one, ast.Name) and one.id in _UNSTEADY)
        or (isinstance(one, ast.Attribute) and one.attr in _UNSTEADY)
        for one in ast.walk(node)
    )


def _is_own_import(node: ast.stmt, target: Target) -> bool:
    """Whether a step imports what the document itself defines, as doctests do that are run from outside."""
    return (
        isinstance(node, ast.ImportFrom)
        and not (node.module and is_standard(node.module))
        and all(one.name in target.known and one.asname is None for one in node.names)
    )


def _remember(node: ast.stmt, source: str, calls: bool, reading: _Reading) -> None:  # noqa: FBT001
    new = bound_names(source)
    reading.bound |= new
    if calls:
        reading.tainted |= new
        used = [one for call in reading.target.calls(node) for one in ast.walk(call)]
        # A call may change its arguments, and a method its instance.
        reading.tainted |= {one.id for one in used if isinstance(one, ast.Name)} & reading.bound
    else:
        reading.tainted -= new


def _without_comment(source: str) -> str:
    """Return a statement of one line without the comment behind it."""
    if "\n" in source or "#" not in source:
        return source
    body = parsed(source)
    end = body[0].end_col_offset if body else None
    return source.encode()[:end].decode() if end is not None else source


def one_line(source: str) -> str:
    """Return a piece of code in one line."""
    return " ".join(source.split()) if "\n" in source else source.strip()
