"""The function whose examples are read: how a text calls it, and what it may return."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from copilot_server.completion.examples.statements import parsed
from copilot_server.context.source.syntax import FunctionContext

#: The types that an annotation by these names allows.
_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "complex": (int, float, complex),
    "str": (str,),
    "bool": (bool,),
    "bytes": (bytes,),
    "list": (list,),
    "List": (list,),
    "dict": (dict,),
    "Dict": (dict,),
    "set": (set, frozenset),
    "Set": (set, frozenset),
    "tuple": (tuple,),
    "Tuple": (tuple,),
}
_OPTIONAL = frozenset({"Optional", "None"})


@dataclass(frozen=True)
class Target:
    """A function of a document. ``classes`` are those around it, outermost first.

    ``known`` are the names that the document binds at its top level.
    """

    name: str
    classes: tuple[str, ...]
    signature: str
    decorators: tuple[str, ...]
    known: frozenset[str]

    @classmethod
    def of(cls, function: FunctionContext, known: frozenset[str]) -> Target:
        """Return the target that the function at a cursor is."""
        classes = tuple(header.name for header in function.classes)
        return cls(function.name, classes, function.signature, function.decorators, known)

    @property
    def full_name(self) -> str:
        """The name with those of the classes."""
        return ".".join([*self.classes, self.name])

    @cached_property
    def definition(self) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        """The signature parsed; None if it is broken."""
        body = parsed(f"{self.signature} pass")
        node = body[0] if body else None
        return node if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else None

    @property
    def is_async(self) -> bool:
        """Whether a call gives a coroutine."""
        return isinstance(self.definition, ast.AsyncFunctionDef)

    @property
    def is_property(self) -> bool:
        """Whether it is called by naming it."""
        return any("property" in one for one in self.decorators)

    @cached_property
    def parameters(self) -> tuple[tuple[str, bool], ...] | None:
        """The names of the parameters and whether each has a default; None if it takes any number of them."""
        if self.definition is None:
            return None
        given = self.definition.args
        if given.vararg or given.kwarg or given.kwonlyargs:
            return None
        names = [one.arg for one in [*given.posonlyargs, *given.args]]
        return tuple((name, at >= len(names) - len(given.defaults)) for at, name in enumerate(names))

    def calls(self, tree: ast.AST) -> list[ast.AST]:
        """Return the calls of the function in a piece of code."""
        return [node for node in ast.walk(tree) if self._is_call(node)]

    def _is_call(self, node: ast.AST) -> bool:
        if self.classes and self.is_property:
            return isinstance(node, ast.Attribute) and node.attr == self.name
        if not isinstance(node, ast.Call):
            return False
        if not self.classes:
            return isinstance(node.func, ast.Name) and node.func.id == self.name
        if self.name == "__init__":
            return isinstance(node.func, ast.Name) and node.func.id == self.classes[-1]
        return isinstance(node.func, ast.Attribute) and node.func.attr == self.name

    def is_awaited(self, tree: ast.AST) -> bool:
        """Whether each call is awaited, or run by ``asyncio.run``, as a call of an async function must be."""
        if not self.is_async:
            return True
        runs = [node for node in ast.walk(tree) if isinstance(node, ast.Await) or _is_run(node)]
        inside = {id(node) for one in runs for node in ast.walk(one)}
        return all(id(node) in inside for node in self.calls(tree))

    def may_return(self, value: object) -> bool:
        """Whether the annotation allows the value, as far as it names builtin types."""
        names = list(self._returned())
        if value is None:
            return not names or bool(_OPTIONAL.intersection(names)) or any(one not in _TYPES for one in names)
        kinds = [_TYPES.get(name) for name in names if name not in _OPTIONAL]
        if not kinds or any(kind is None for kind in kinds):
            return True
        if isinstance(value, bool) and not any(kind and bool in kind for kind in kinds):
            return False
        return any(isinstance(value, kind) for kind in kinds if kind)

    @property
    def may_return_none(self) -> bool:
        """Whether the annotation says that None is one of several results."""
        names = list(self._returned())
        return bool(_OPTIONAL.intersection(names)) and names != ["None"]

    def _returned(self) -> Iterator[str]:
        """Yield the names of the types that the annotation allows; an unknown one as a question mark."""
        node = self.definition.returns if self.definition else None
        if node is not None:
            yield from _type_names(node)


def _is_run(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"run", "run_until_complete"}
    )


def _type_names(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        yield from _type_names(node.left)
        yield from _type_names(node.right)
    elif isinstance(node, ast.Subscript):
        base = next(_type_names(node.value))
        inner = [node.slice] if base in {"Optional", "Union"} else []
        inner = list(inner[0].elts) if inner and isinstance(inner[0], ast.Tuple) else inner
        if base != "Union":
            yield base
        for one in inner:
            yield from _type_names(one)
    elif isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.Constant) and node.value is None:
        yield "None"
    else:
        yield "?"
