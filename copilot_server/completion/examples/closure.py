"""What a function needs of its document: imports, definitions and constants. Nothing else is run."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from copilot_server.completion.examples.statements import BUILTINS, Statement, is_standard, statements_of

#: What may be called to make a constant: what only makes a value, and what declares a name.
_PURE_NAMES = (
    "abs bool bytes bytearray chr complex dict divmod enumerate float frozenset int len list map max min"
    " object ord range repr reversed round set slice sorted str sum tuple type zip"
    " TypeVar ParamSpec TypeVarTuple NewType namedtuple NamedTuple TypedDict Enum IntEnum Flag IntFlag cast"
    " compile getLogger defaultdict Counter deque OrderedDict Decimal Fraction timedelta date datetime"
    " Lock RLock local count ContextVar PurePath PurePosixPath MappingProxyType itemgetter attrgetter"
    " maketrans split join lower upper strip keys values items union fromkeys format partial"
)
_PURE = frozenset(_PURE_NAMES.split())
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Pass)
_NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_MAX_STATEMENTS = 500


@dataclass(frozen=True, slots=True)
class Closure:
    """The text of a program with a function and all that it needs.

    ``reason``: why there is none. ``is_broken``: whether that is since the function does not compile.
    """

    text: str = ""
    reason: str = ""
    is_broken: bool = False


def closure(document: str, start: int, names: Iterable[str] = ()) -> Closure:
    """Return the top-level statement at offset ``start``, and what it and ``names`` need.

    A name that the document does not bind is left out: where the program meets it, it fails.
    """
    statements = statements_of(document)
    own = statement_at(statements, start)
    if own is None:
        return Closure(reason="the function was not found")
    if own.tree is None:
        return Closure(reason=broken(own.text) or "it shares its line with another", is_broken=True)
    if not isinstance(own.tree, _NAMED):
        return Closure(reason="the function is not at the top level of its module")
    if any(
        one.start > own.start and one.names & own.names and isinstance(one.tree, _NAMED) for one in statements
    ):
        return Closure(reason=f"`{min(own.names)}` is defined again below")
    return _collected(statements, own, {*own.needs, *names})


def _collected(statements: tuple[Statement, ...], own: Statement, names: set[str]) -> Closure:
    chosen, waiting, seen = {own.start: own.text}, list(names), set()
    changed = changed_names(statements)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        binding = [one for one in statements if name in one.names and one is not own]
        if name in own.names:  # what stands above it, such as its overloads, is not what is meant
            binding = [one for one in binding if one.start > own.start]
        usable = [one for one in binding if not refusal(one)]
        if binding and not usable:
            return Closure(reason=f"it needs `{name}`: {refusal(binding[-1])}")
        if any(name in changed and may_change(one) for one in usable):
            return Closure(reason=f"it needs `{name}`: code of the module that is not run may change it")
        for one in usable:
            text, further = part(one, name)
            chosen[one.start] = _joined(chosen.get(one.start, ""), text)
            waiting.extend(further)
        if len(chosen) > _MAX_STATEMENTS:
            return Closure(reason="it needs too much of the document")
    return _with_stars(statements, own, chosen, seen)


@lru_cache(maxsize=8)
def changed_names(statements: tuple[Statement, ...]) -> frozenset[str]:
    """Return the names that statements which are not run refer to, also by way of the functions they call."""
    waiting = [one for one in statements if refusal(one) and one.tree is not None and not _is_main(one.tree)]
    defined = {name: one for one in statements for name in one.names if isinstance(one.tree, _NAMED)}
    names: set[str] = set()
    while waiting:
        new = waiting.pop().needs - names
        names |= new
        waiting += [defined[name] for name in new if name in defined]
    return frozenset(names)


def may_change(statement: Statement) -> bool:
    """Whether a constant is of a kind that can be changed, or is set anew by a function."""
    node = statement.tree
    if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
        return False
    kinds = ast.List | ast.Dict | ast.Set | ast.Call | ast.ListComp | ast.DictComp | ast.SetComp
    is_none = isinstance(node.value, ast.Constant) and node.value.value is None
    return is_none or any(isinstance(one, kinds) for one in ast.walk(node.value))


def _is_main(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"


def _with_stars(
    statements: tuple[Statement, ...], own: Statement, chosen: dict[int, str], names: set[str]
) -> Closure:
    """Add ``from x import *`` of the standard library where a name may come from it, and future imports."""
    stars = dict(_stars(statements))
    missing = (
        names - BUILTINS - own.names - {name for one in statements for name in one.names} if stars else set()
    )
    foreign = [module for module in stars.values() if not is_standard(module)]
    if missing and foreign:
        return Closure(reason=f"`{min(missing)}` may come from the module {foreign[0]}")
    future = {one.start for one in statements if one.text.startswith("from __future__")}
    added = {
        one.start: one.text for one in statements if one.start in future or (missing and one.start in stars)
    }
    return Closure("".join(_ended(text) for _, text in sorted((chosen | added).items())))


def statement_at(statements: Iterable[Statement], start: int) -> Statement | None:
    """Return the statement that the offset is in."""
    return next((one for one in statements if one.start <= start < one.start + len(one.text)), None)


def broken(text: str) -> str:
    """Say why a text does not compile; empty if it does."""
    try:
        compile(text, "<document>", "exec", dont_inherit=True, flags=ast.PyCF_ONLY_AST)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        message = error.msg if isinstance(error, SyntaxError) else str(error)
        return f"{type(error).__name__}: {message}"
    return ""


def refusal(statement: Statement) -> str:
    """Return why a statement is not run; empty if it is."""
    if statement.tree is None:
        return "its definition does not parse"
    return "" if _may_run(statement.tree) else "it is neither a definition nor a constant nor an import"


def part(statement: Statement, name: str) -> tuple[str, frozenset[str]]:
    """Return the part of a statement that binds a name, and what that needs."""
    node = statement.tree
    if isinstance(node, ast.Import | ast.ImportFrom):
        kept = [one for one in node.names if _bound_by(one, node) == name]
        if isinstance(node, ast.Import):
            return ast.unparse(ast.Import(kept)), frozenset()
        return ast.unparse(ast.ImportFrom(node.module, kept, node.level)), frozenset()
    return statement.text, statement.needs


def _bound_by(alias: ast.alias, node: ast.Import | ast.ImportFrom) -> str:
    if alias.asname:
        return alias.asname
    return alias.name.partition(".")[0] if isinstance(node, ast.Import) else alias.name


def _joined(before: str, text: str) -> str:
    return text if before in {"", text} or text in before.split("\n") else f"{before}\n{text}"


def _ended(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"


def _stars(statements: Iterable[Statement]) -> Iterator[tuple[int, str]]:
    """Yield where everything is imported from a module, and its name."""
    for one in statements:
        node = one.tree if one.text.startswith("from") else None
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            yield one.start, "." * node.level + (node.module or "")


def _may_run(node: ast.stmt) -> bool:
    """Whether a statement is a definition, an import or a constant, or chooses between such."""
    if isinstance(node, _DEFINITIONS) or type(node).__name__ == "TypeAlias":
        return True
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        named = all(isinstance(one, ast.Name | ast.Tuple) for one in targets)
        return named and (node.value is None or _is_constant(node.value))
    if isinstance(node, ast.If):
        return _is_constant(node.test) and all(map(_may_run, [*node.body, *node.orelse]))
    if isinstance(node, ast.Try):
        handlers = [one for handler in node.handlers for one in handler.body]
        return all(map(_may_run, [*node.body, *handlers, *node.orelse, *node.finalbody]))
    return False


def _is_constant(node: ast.expr) -> bool:
    """Whether an expression makes a plain value out of others: it calls only what ``_PURE`` lists."""
    return not any(
        isinstance(one, ast.Await | ast.Yield | ast.YieldFrom | ast.NamedExpr)
        or (isinstance(one, ast.Call) and _called(one) not in _PURE)
        for one in ast.walk(node)
    )


def _called(node: ast.Call) -> str:
    if isinstance(node.func, ast.Name):
        return node.func.id
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""
