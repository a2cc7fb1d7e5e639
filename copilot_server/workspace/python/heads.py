"""The heads of a Python file's definitions, read by tree-sitter. Nothing is imported or executed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from tree_sitter import Node

from copilot_server.workspace.python.imports import IMPORTS, exported, read_import
from copilot_server.workspace.python.nodes import (
    dotted,
    first_of,
    one_line,
    parse,
    raw,
    shortened,
    statements,
)
from copilot_server.workspace.summary import Definition, FileSummary, Import, Kind

#: The longest texts that are kept, in code points.
MAX_LINE, MAX_DEFAULT, MAX_PARAMETERS, MAX_DOC = 80, 40, 600, 100
#: The most members that are kept of a class, and definitions of a file.
MAX_MEMBERS, MAX_DEFINITIONS = 200, 1000
_MAX_CLASS_DEPTH = 3

_DEFINITIONS = frozenset({"function_definition", "class_definition", "decorated_definition"})
#: Decorators that say how a function is called, by the last part of their names.
_TELLING = frozenset(
    {"property", "cached_property", "classmethod", "staticmethod", "overload", "contextmanager"}
    | {"asynccontextmanager", "dataclass", "dataclass_transform", "define", "frozen", "mutable", "attrs", "s"}
)
_CLASS_ITSELF = re.compile(r"(?:typing\.|t\.)?[Tt]ype\[([\w.]+)\]")
_CHOICES = frozenset({"conditional_expression", "boolean_operator"})
_PROPERTIES = frozenset({"property", "cached_property"})
_INITIALIZERS = frozenset({"__init__", "__post_init__", "__attrs_post_init__", "__new__", "setUp"})


def summarize(text: str) -> FileSummary:
    """Return what ``text`` defines and imports, however broken it is."""
    return summary_of(parse(text.encode("utf-8", "replace")))


def summary_of(root: Node | None) -> FileSummary:
    """Return what a text defines and imports; ``root``: of its tree, None if it has none."""
    reader = _Module()
    for statement in statements(root) if root is not None else ():
        reader.read(statement)
    definitions = tuple(reader.definitions.values())
    exports = None if reader.exports is None else tuple(dict.fromkeys(reader.exports))
    return FileSummary(definitions, tuple(reader.imports), exports)


class _Module:
    """What has been found in a module."""

    def __init__(self) -> None:
        self.definitions: dict[str, Definition] = {}
        self.imports: list[Import] = []
        self.exports: list[str] | None = None

    def read(self, statement: Node) -> None:
        type_ = statement.type
        if type_ in IMPORTS:
            self.imports.extend(read_import(statement))
        elif len(self.definitions) >= MAX_DEFINITIONS:
            return
        elif type_ in _DEFINITIONS:
            _add(self.definitions, _definition(statement, 0))
        elif (assigned := _assigned(statement)) is not None:
            self._assign(assigned)

    def _assign(self, assigned: Node) -> None:
        if raw(assigned.child_by_field_name("left")) == "__all__":
            # ``__all__ += [...]`` adds to the list, and so does a second list in another branch.
            self.exports = (self.exports or []) + exported(assigned.child_by_field_name("right"))
        else:
            _add(self.definitions, _variable(assigned))


def _add(found: dict[str, Definition], one: Definition | None) -> None:
    """Add a definition. The first one of a name stays, but overloads are collected."""
    if one is None or not one.name:
        return
    earlier = found.setdefault(one.name, one)
    if earlier is one or "@overload" not in one.head or len(earlier.head) > MAX_PARAMETERS:
        return
    head = f"{earlier.head} ...\n{one.head}"
    found[one.name] = Definition(one.name, one.kind, head, earlier.doc, earlier.type)


def _assigned(statement: Node) -> Node | None:
    """Return the assignment in a statement, if it is one."""
    type_ = statement.type
    if type_ == "type_alias_statement":
        return statement
    first = first_of(statement) if type_ == "expression_statement" else None
    return first if first is not None and first.type in {"assignment", "augmented_assignment"} else None


def _definition(node: Node, depth: int) -> Definition | None:
    """Read a function or a class with its decorators."""
    decorators: tuple[str, ...] = ()
    if node.type == "decorated_definition":
        decorators = tuple(one_line(one) for one in node.named_children if one.type == "decorator")
        inner = node.child_by_field_name("definition")
        if inner is None:
            return None
        node = inner
    if any(one.endswith((".setter", ".deleter")) for one in decorators):
        return None
    return _class(node, decorators, depth) if node.type == "class_definition" else _function(node, decorators)


def _decorator_name(decorator: str) -> str:
    return decorator.lstrip("@").partition("(")[0].strip().rpartition(".")[2]


def _with_decorators(decorators: tuple[str, ...], line: str) -> str:
    telling = (one for one in decorators if _decorator_name(one) in _TELLING)
    return "\n".join([*(one for one in telling if len(one) <= MAX_LINE), line])


def _function(node: Node, decorators: tuple[str, ...]) -> Definition:
    name = raw(node.child_by_field_name("name"))
    returns = one_line(node.child_by_field_name("return_type"))
    generic = one_line(node.child_by_field_name("type_parameters"))
    parameters = _parameters(node.child_by_field_name("parameters"))
    arrow = f" -> {returns}" if returns else ""
    line = f"{'async ' if is_async(node) else ''}def {name}{generic}({parameters}){arrow}:"
    kind: Kind = "property" if any(_decorator_name(one) in _PROPERTIES for one in decorators) else "function"
    doc = _doc(node.child_by_field_name("body"))
    return Definition(name, kind, _with_decorators(decorators, line), doc, returns)


def is_async(function: Node) -> bool:
    """Whether a function is defined by ``async def``."""
    first = function.child(0) if function.child_count else None
    return first is not None and first.type == "async"


def _parameters(node: Node | None) -> str:
    if node is None:
        return ""
    texts = [_parameter(one) for one in node.named_children if one.type not in {"comment", "ERROR"}]
    while len(", ".join(texts)) > MAX_PARAMETERS:
        texts = [*texts[: len(texts) // 2], "..."]
        if len(texts) == 1:
            break
    return ", ".join(texts)


def _parameter(node: Node) -> str:
    value = node.child_by_field_name("value")
    if value is None:
        return one_line(node)
    name, annotation = one_line(node.child_by_field_name("name")), one_line(node.child_by_field_name("type"))
    default = shortened(one_line(value), MAX_DEFAULT)
    return f"{name}: {annotation} = {default}" if annotation else f"{name}={default}"


def _class(node: Node, decorators: tuple[str, ...], depth: int) -> Definition:
    name = raw(node.child_by_field_name("name"))
    arguments = node.child_by_field_name("superclasses")
    bases = tuple(filter(None, map(_base, arguments.named_children))) if arguments is not None else ()
    generic = one_line(node.child_by_field_name("type_parameters"))
    written = one_line(arguments)
    written = "" if written == "()" else written
    line = f"class {name}{generic}{written if len(written) <= 2 * MAX_LINE else '(...)'}:"
    body = node.child_by_field_name("body")
    members = _members(body, depth) if body is not None and depth < _MAX_CLASS_DEPTH else ()
    return Definition(name, "class", _with_decorators(decorators, line), _doc(body), "", bases, members)


def _base(node: Node) -> str:
    """Return the dotted name of a base, without what it is subscripted by."""
    return dotted(node.child_by_field_name("value") if node.type == "subscript" else node)


def _members(body: Node, depth: int) -> tuple[Definition, ...]:
    found: dict[str, Definition] = {}
    initializers = []
    for statement in statements(body):
        if statement.type in _DEFINITIONS:
            one = _definition(statement, depth + 1)
            _add(found, one)
            if one is not None and one.name in _INITIALIZERS:
                initializers.append(statement)
        elif (assigned := _assigned(statement)) is not None:
            _add(found, _variable(assigned))
    for attribute in (one for function in initializers for one in _set_by(function)):
        found.setdefault(attribute.name, attribute)
    # What every instance has stands before the methods, as dataclasses write it.
    ordered = sorted(found.values(), key=lambda one: one.kind != "variable")
    return tuple(ordered)[:MAX_MEMBERS]


def _variable(assigned: Node) -> Definition | None:
    """Read ``name = value``, ``name: type`` or ``type name = value``."""
    left = assigned.child_by_field_name("left")
    if left is None or assigned.type == "augmented_assignment":
        return None
    if assigned.type == "type_alias_statement":
        name = one_line(left).partition("[")[0]
        return Definition(name, "variable", _cut(one_line(assigned)))
    if left.type != "identifier":
        return None
    return _assignment(raw(left), assigned, {})


def _assignment(name: str, assigned: Node, parameters: Mapping[str, str]) -> Definition:
    """Return the variable ``name`` that is assigned; ``parameters`` are those with known types."""
    annotation, value = one_line(assigned.child_by_field_name("type")), assigned.child_by_field_name("right")
    while value is not None and value.type == "assignment":
        value = value.child_by_field_name("right")
    inferred = annotation or _inferred(value, parameters)
    written = f"{name}: {inferred}" if inferred else name
    if value is not None and (not inferred or (annotation and not _inferred(value, parameters))):
        room = MAX_LINE - len(written) - 3
        text = one_line(value)
        written += f" = {text if len(text) <= room or _is_type(value, annotation) else _short_value(value)}"
    return Definition(name, "variable", _cut(written), "", inferred or _constructed(value))


def _inferred(value: Node | None, parameters: Mapping[str, str]) -> str:
    """Return the type of a parameter, or of the instance that calling a parameter gives."""
    if value is not None and value.type == "call":
        called = _CLASS_ITSELF.fullmatch(parameters.get(raw(value.child_by_field_name("function")), ""))
        return called[1] if called else ""
    if value is not None and value.type in _CHOICES:
        # As in ``given or default`` and ``given if given is not None else default``.
        return next(filter(None, (_inferred(one, parameters) for one in _sides(value))), "")
    return parameters.get(raw(value), "")


def _sides(value: Node) -> tuple[Node, ...]:
    """Return the values between which ``a or b`` and ``a if condition else b`` choose."""
    return (value.named_children[0], value.named_children[-1]) if value.named_children else ()


def _is_type(value: Node, annotation: str) -> bool:
    """Whether a value probably is a type, of which even a part says something."""
    return value.type == "subscript" or annotation.endswith("TypeAlias")


def _short_value(value: Node) -> str:
    """Return the beginning of a value that is too long: of a call, what is called."""
    called = dotted(value.child_by_field_name("function")) if value.type == "call" else ""
    return f"{called}(...)" if called and len(called) <= MAX_DEFAULT else "..."


def _constructed(value: Node | None) -> str:
    if value is not None and value.type == "await":
        value = value.named_children[0] if value.named_children else None
    if value is not None and value.type in _CHOICES:
        return next(filter(None, map(_constructed, _sides(value))), "")
    name = dotted(value.child_by_field_name("function")) if value is not None and value.type == "call" else ""
    return f"{name}()" if name else ""


def _cut(line: str, length: int = MAX_LINE) -> str:
    return line if len(line) <= length else f"{line[: length - 3].rstrip()}..."


def _set_by(statement: Node) -> Iterator[Definition]:
    """Yield the attributes that an initializer sets on its first parameter."""
    function = statement.child_by_field_name("definition") or statement
    parameters, body = function.child_by_field_name("parameters"), function.child_by_field_name("body")
    if parameters is None or body is None or not parameters.named_children:
        return
    own = raw(parameters.named_children[0])
    types = types_of(parameters)
    for inner in statements(body):
        assigned = _assigned(inner)
        while assigned is not None and assigned.type == "assignment":
            left = assigned.child_by_field_name("left")
            if left is not None and raw(left.child_by_field_name("object")) == own:
                yield _assignment(raw(left.child_by_field_name("attribute")), assigned, types)
            assigned = assigned.child_by_field_name("right")


@lru_cache(maxsize=64)
def parameter_types(header: str) -> Mapping[str, str]:
    """Return the annotations of a function's parameters; ``header``: its text up to the colon."""
    root = parse(f"{header} ...".encode("utf-8", "replace"))
    found = statements(root) if root is not None else ()
    function = next((one for one in found if one.type == "function_definition"), None)
    parameters = function.child_by_field_name("parameters") if function is not None else None
    return {} if parameters is None else types_of(parameters)


def types_of(parameters: Node) -> dict[str, str]:
    """Return the annotations of parameters by their names."""
    found = {}
    for one in parameters.named_children:
        annotation = one.child_by_field_name("type")
        if annotation is not None:
            name = one.child_by_field_name("name") or one.named_children[0]
            found[raw(name)] = one_line(annotation)
    # ``*args: int`` is a tuple.
    return {name: type_ for name, type_ in found.items() if not name.startswith("*")}


def _first_statement(body: Node) -> Node | None:
    """Return the first statement of a block, without making the nodes of all."""
    children = map(body.named_child, range(body.named_child_count))
    return next((one for one in children if one is not None and one.type != "comment"), None)


def _doc(body: Node | None) -> str:
    """Return the first line of a docstring."""
    first = _first_statement(body) if body is not None else None
    string = first_of(first) if first is not None and first.type == "expression_statement" else None
    if string is None or string.type != "string":
        return ""
    content = "".join(raw(one) for one in string.named_children if one.type == "string_content")
    line = next((one.strip() for one in content.splitlines() if one.strip()), "")
    return "" if '"""' in line or line.endswith(("\\", '"')) else _cut(line, MAX_DOC)
