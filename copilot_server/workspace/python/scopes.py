"""The names that a Python file binds, read by tree-sitter. Nothing is imported or executed.

What is read decides which names do *not* exist. Where the code leaves a doubt, the module or the class is
open: any name may exist there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from tree_sitter import Node

from copilot_server.workspace.names import Binding, ClassNames, FileNames, Signature
from copilot_server.workspace.python.assigned import set_attributes, sets_any, without_long_lines
from copilot_server.workspace.python.heads import is_async, types_of
from copilot_server.workspace.python.imports import IMPORTS, exported, read_import
from copilot_server.workspace.python.nodes import dotted, first_of, one_line, parse, raw, statements

#: Decorators that leave the names of a class as they are, and those that write its constructor.
_FIELDS = frozenset({"dataclass", "define", "frozen", "mutable", "attrs", "s", "attributes"})
_KEEPING = _FIELDS | {"final", "runtime_checkable", "total_ordering", "unique", "dataclass_transform"}
#: Decorators that leave a function's parameters as they are, and what it returns too.
_SAME = frozenset(
    {"staticmethod", "classmethod", "abstractmethod", "override", "final", "lru_cache", "cache"}
)
_SAME_PARAMETERS = _SAME | {"contextmanager", "asynccontextmanager"}
_PROPERTIES = frozenset({"property", "cached_property"})
_DYNAMIC_WORDS = ("globals", "vars", "locals", "exec", "sys.modules", "__path__", "\nmatch")
_DYNAMIC_MODULE = re.compile(
    r"globals(?<!\wglobals)\s*\(|vars(?<!\wvars)\s*\(|locals(?<!\wlocals)\s*\(|exec(?<!\wexec)\s*\("
    r"|sys(?<!\wsys)\.modules\b|__path__(?<!\w__path__)\b|match(?<![^\n]match)\b.*:[ \t]*$",
    re.MULTILINE,
)
#: How a module or a class may get names other than by an assignment, a definition or an import. The patterns
#: start with letters, which are found fast, and then look back whether a word starts there.
_OTHERS = (
    re.compile(r"for(?<!\wfor)[ \t]+(?P<names>[^\n]*?)[ \t]in\b"),
    re.compile(r"as(?<!\was)[ \t]+(?P<names>[(\w][^\n:]*)"),
    re.compile(r"global(?<!\wglobal)[ \t]+(?P<names>[^\n#]+)"),
)
_WALRUS = re.compile(r"\b(\w+)[ \t]*:=")
_WORD = re.compile(r"[A-Za-z_]\w*")
_ALIASED = re.compile(r"(?!(?:True|False|None)\Z)[A-Za-z_][\w.]*")
_OWN = frozenset({"self", "cls"})
_DEFINITIONS = frozenset({"class_definition", "function_definition"})
_ASSIGNMENTS = frozenset({"assignment", "augmented_assignment"})
_MAX_DEPTH = 3


def read_names(text: str) -> FileNames:
    """Return the names that ``text`` binds. A text that does not parse is open."""
    return names_of(parse(text.encode("utf-8", "replace")), text)


def names_of(root: Node | None, text: str) -> FileNames:
    """Return the names that ``text`` binds; ``root``: of its tree. Without one it may have any name."""
    if root is None:
        return FileNames(is_open=True)
    reader = _Reader(is_broken=root.has_error or sets_any(text, on_others=True))
    reader.module(root, text)
    stars = tuple(one.module for one in reader.stars)
    is_open = root.has_error or _is_dynamic(text) or "__getattr__" in reader.bindings
    return FileNames(
        reader.bindings,
        stars,
        reader.exports,
        reader.classes,
        reader.functions,
        frozenset(reader.assigned_outside(text)),
        is_open,
    )


def _is_dynamic(text: str) -> bool:
    """Whether a module may have names that its statements do not bind."""
    may_be = text.startswith("match") or any(word in text for word in _DYNAMIC_WORDS)
    return (may_be and _DYNAMIC_MODULE.search(text) is not None) or without_long_lines(text) != text


def _inner(node: Node) -> Node:
    """Return the definition in a decorated one, and any other node as it is."""
    return (node.type == "decorated_definition" and node.child_by_field_name("definition")) or node


class _Reader:
    """What has been found in a file."""

    def __init__(self, *, is_broken: bool) -> None:
        self.bindings: dict[str, Binding] = {}
        self.stars: list[Binding] = []
        self.exports: tuple[str, ...] | None = None
        self.classes: dict[str, ClassNames] = {}
        self.functions: dict[str, Signature] = {}
        #: The classes of the module as text, and what is set in each.
        self._classes: list[tuple[str, list[tuple[str, str]]]] = []
        self._is_broken = is_broken

    def module(self, root: Node, text: str) -> None:
        """Read the statements of a module."""
        for statement in statements(root):
            for name, binding in self._bound(statement, "", 0):
                self._bind(name, binding)
        for name in _other_names(text):
            self.bindings.setdefault(name, Binding("unknown"))

    def assigned_outside(self, text: str) -> set[str]:
        """Return the attributes that are set on anything but ``self`` and ``cls`` in a class."""
        found = set()
        for of_class, attributes in self._classes:
            text = text.replace(of_class, "", 1)
            found |= {name for of, name in attributes if of not in _OWN}
        return found | {name for _, name in set_attributes(text)}

    def _bind(self, name: str, binding: Binding) -> None:
        if binding.name == "*":
            self.stars.append(binding)
        elif self.bindings.setdefault(name, binding) != binding or binding.kind in {"class", "function"}:
            # A class or function that is there twice, under conditions, has no certain members.
            is_first = self.bindings[name] is binding
            self.bindings[name] = binding if is_first else Binding("unknown")

    def _bound(self, statement: Node, owner: str, depth: int) -> Iterator[tuple[str, Binding]]:
        """Yield the names that a statement of a module or of the class ``owner`` binds."""
        type_ = statement.type
        if type_ in IMPORTS:
            for taken in read_import(statement):
                yield taken.bound, Binding("import", taken.module, taken.name)
        elif type_ == "type_alias_statement":
            yield one_line(statement.child_by_field_name("left")).partition("[")[0], Binding("unknown")
        elif type_ == "expression_statement":
            for one in statement.named_children:
                yield from self._assign(one)
        elif _inner(statement).type in _DEFINITIONS:
            yield self._define(statement, owner, depth)

    def _assign(self, assigned: Node) -> Iterator[tuple[str, Binding]]:
        type_ = assigned.type
        if type_ not in _ASSIGNMENTS:
            return
        left, right = assigned.child_by_field_name("left"), assigned.child_by_field_name("right")
        written = raw(left)
        if written == "__all__":
            self.exports = (*(self.exports or ()), *exported(right))
        if left is not None and left.type == "identifier" and type_ == "assignment":
            yield written, _variable(assigned, right)
        elif left is not None:
            # Of ``a.b = 1`` too: it does no harm.
            yield from ((name, Binding("unknown")) for name in _WORD.findall(written))
        if right is not None:
            yield from self._assign(right)

    def _define(self, statement: Node, owner: str, depth: int) -> tuple[str, Binding]:
        node = _inner(statement)
        decorators = tuple(
            raw(one).lstrip("@").partition("(")[0].strip().rpartition(".")[2]
            for one in (statement.named_children if node is not statement else ())
            if one.type == "decorator"
        )
        name = raw(node.child_by_field_name("name"))
        whole = f"{owner}.{name}" if owner else name
        if node.type == "class_definition":
            if depth < _MAX_DEPTH:
                self.classes[whole] = self._class(node, decorators, whole, depth)
            return name, Binding("class")
        is_again = whole in self.functions
        signature = _signature(node, decorators)
        self.functions[whole] = Signature(signature.parameters, is_open=True) if is_again else signature
        return name, Binding("function")

    def _class(self, node: Node, decorators: Sequence[str], whole: str, depth: int) -> ClassNames:
        body, text = node.child_by_field_name("body"), raw(node)
        inner = tuple(statements(body)) if body is not None else ()
        bound: dict[str, Binding] = {}
        types: dict[str, str] = {}
        for statement in inner:
            for name, binding in self._bound(statement, whole, depth + 1):
                bound.setdefault(name, binding)
                if binding.type and not binding.type.endswith("()"):
                    types[name] = binding.type
            _note_property(statement, types)
        found = list(set_attributes(text))
        if not depth:
            self._classes.append((text, found))
        set_names = [name for _, name in found]
        types = {**_types_set(inner, set_names), **types}
        names = {*bound, *set_names, *_other_names(text)}
        bases, is_certain = _bases(node.child_by_field_name("superclasses"))
        is_open = (
            not is_certain
            or self._is_broken
            or sets_any(text)
            or not _KEEPING.issuperset(decorators)
            or bool({"__getattr__", "__getattribute__"} & names)
        )
        has_fields = not _FIELDS.isdisjoint(decorators) or _is_record(bases)
        fields = _fields(bound, is_attrs="dataclass" not in decorators) if has_fields else None
        return ClassNames(frozenset(names), bases, is_open, types, fields)


def _variable(assigned: Node, right: Node | None) -> Binding:
    annotation = one_line(assigned.child_by_field_name("type"))
    if annotation:
        # A value that is made by calling something else need not have the names of that class alone.
        return Binding("variable", type=annotation)
    if right is not None and right.type == "call":
        called = dotted(right.child_by_field_name("function"))
        return Binding("variable", type=f"{called}()" if called else "")
    text = raw(right)
    return Binding("alias", name=text) if _ALIASED.fullmatch(text) else Binding("variable")


def _note_property(statement: Node, types: dict[str, str]) -> None:
    """Note what a property returns."""
    node = _inner(statement)
    if node is statement or node.type != "function_definition":
        return
    decorators = (one for one in statement.named_children if one.type == "decorator")
    names = {raw(one).strip("@ \n").rpartition(".")[2] for one in decorators}
    if names and names <= _PROPERTIES:
        types[raw(node.child_by_field_name("name"))] = one_line(node.child_by_field_name("return_type"))


def _types_set(inner: Iterable[Node], set_names: Sequence[str]) -> dict[str, str]:
    """Return the types of the attributes that ``__init__`` sets, if nothing else in the class sets them.

    ``inner``: the statements of the class.
    """
    found: dict[str, str] = {}
    for node in map(_inner, inner):
        if node.type == "function_definition" and raw(node.child_by_field_name("name")) == "__init__":
            found |= dict(_set_by(node))
    return {name: type_ for name, type_ in found.items() if type_ and set_names.count(name) == 1}


def _set_by(function: Node) -> Iterator[tuple[str, str]]:
    parameters, body = function.child_by_field_name("parameters"), function.child_by_field_name("body")
    if parameters is None or body is None or not parameters.named_children:
        return
    own, types = raw(parameters.named_children[0]), types_of(parameters)
    for statement in statements(body):
        assigned = first_of(statement) or statement
        left = assigned.child_by_field_name("left") if assigned.type == "assignment" else None
        if left is not None and raw(left.child_by_field_name("object")) == own:
            binding = _variable(assigned, assigned.child_by_field_name("right"))
            yield raw(left.child_by_field_name("attribute")), binding.type or types.get(binding.name, "")


def _other_names(text: str) -> Iterator[str]:
    text = without_long_lines(text)
    for pattern in _OTHERS:
        for found in pattern.finditer(text):
            yield from _WORD.findall(found["names"])
    if ":=" in text:
        yield from _WALRUS.findall(text)


def _bases(arguments: Node | None) -> tuple[tuple[str, ...], bool]:
    """Return the bases of a class, and whether nothing else decides which names it has."""
    found, is_certain = [], True
    for one in arguments.named_children if arguments is not None else ():
        if one.type == "comment":
            continue
        if one.type == "keyword_argument":
            is_meta = raw(one.child_by_field_name("name")) == "metaclass"
            value = raw(one.child_by_field_name("value")).rpartition(".")[2]
            is_certain = is_certain and (not is_meta or value == "ABCMeta")
            continue
        base = one.child_by_field_name("value") if one.type == "subscript" else one
        found.append(dotted(base))
    return tuple(found), is_certain and all(found)


def _is_record(bases: Sequence[str]) -> bool:
    return any(base.rpartition(".")[2] in {"NamedTuple", "TypedDict"} for base in bases)


def _fields(bound: dict[str, Binding], *, is_attrs: bool) -> tuple[str, ...]:
    names = [name for name, one in bound.items() if one.kind in {"variable", "alias", "unknown"}]
    return (*names, *(name.lstrip("_") for name in names if is_attrs and name.startswith("_")))


def _signature(node: Node, decorators: Sequence[str]) -> Signature:
    names: list[str] = []
    is_open = not _SAME_PARAMETERS.issuperset(decorators)
    parameters = node.child_by_field_name("parameters")
    for one in parameters.named_children if parameters is not None else ():
        type_ = one.type
        if type_ == "identifier":
            names.append(raw(one))
            continue
        named = one.child_by_field_name("name") or first_of(one) or one
        types = (type_, named.type)
        if "dictionary_splat_pattern" in types and "list_splat_pattern" not in types:
            is_open = True
        elif types[1] == "identifier" and type_ != "list_splat_pattern":
            names.append(raw(named))
    is_plain = not is_async(node) and _SAME.issuperset(decorators)
    returns = one_line(node.child_by_field_name("return_type")) if is_plain else ""
    return Signature(tuple(names), is_open, returns)


@lru_cache(maxsize=64)
def read_class(source: str, name: str) -> ClassNames | None:
    """Return the names of the class with which a text starts; None if that is not certain."""
    indented = source[:1] in {" ", "\t"}
    return read_names(f"if 1:\n{source}" if indented else source).classes.get(name)
