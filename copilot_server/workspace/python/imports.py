"""The imports of a file, and what its ``__all__`` lists."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from copilot_server.workspace.python.nodes import raw
from copilot_server.workspace.summary import Import

IMPORTS = frozenset({"import_statement", "import_from_statement"})


def read_import(statement: Node) -> Iterator[Import]:
    """Yield what an import statement binds."""
    if statement.type == "import_statement":
        for name in statement.children_by_field_name("name"):
            yield _of_module(name)
        return
    module = "".join(raw(statement.child_by_field_name("module_name")).split())
    if any(child.type == "wildcard_import" for child in statement.named_children):
        yield Import(module, "*", "")
    for name in statement.children_by_field_name("name"):
        taken, bound = _name_and_alias(name)
        yield Import(module, taken, bound)


def _of_module(name: Node) -> Import:
    module, bound = _name_and_alias(name)
    if name.type == "aliased_import":
        return Import(module, "", bound)
    # ``import a.b`` binds ``a``, from which ``b`` is reached as an attribute.
    first = module.partition(".")[0]
    return Import(first, "", first)


def _name_and_alias(node: Node) -> tuple[str, str]:
    if node.type != "aliased_import":
        name = "".join(raw(node).split())
        return name, name
    name = "".join(raw(node.child_by_field_name("name")).split())
    return name, raw(node.child_by_field_name("alias"))


def exported(value: Node | None) -> list[str]:
    """Return the strings of a list, a tuple, or of several that are added."""
    if value is None:
        return []
    found = [raw(one).strip("\"'") for one in value.named_children if one.type == "string"]
    if value.type == "binary_operator":
        found += exported(value.child_by_field_name("left"))
        found += exported(value.child_by_field_name("right"))
    return found
