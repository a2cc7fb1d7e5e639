"""What the names in a document mean: their definitions, in the document or in other files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property

from copilot_server.workspace.python.document import (
    SplitText,
    Surroundings,
    assigned_types,
    variable_lines,
)
from copilot_server.workspace.python.resolve import Files, Found, Resolver, Target

_NAMES = re.compile(
    r"\"(?:[^\"\\\n]|\\.)*\"?|'(?:[^'\\\n]|\\.)*'?|\#[^\n]*"
    r"|(?<![\w.])(?P<chain>(?:super\(\)|[A-Za-z_]\w*)(?:\.[A-Za-z_]\w*)*)"
)

_ALONE = re.compile(r"\b[A-Za-z_]\w*\b(?!\.)")

#: A name with its attributes: ``a.b`` is ``("a", "b")``.
Chain = tuple[str, ...]


def chains(text: str) -> Iterator[Chain]:
    """Yield the names in code with their attributes, each once; strings and comments have none."""
    found = (one["chain"] for one in _NAMES.finditer(text))
    return (tuple(one.split(".")) for one in dict.fromkeys(found) if one)


class Namer:
    """Finds what the names in the document mean."""

    def __init__(self, files: Files, path: str, split: SplitText, around: Surroundings) -> None:
        self.resolver = Resolver(files, path, around.own)
        self._path = path
        self._split = split
        self._around = around
        self._bound = {one.bound for one in around.own.imports}
        self._known = self._bound | around.types.keys() | {around.instance, "super()"}
        self._has_star = any(one.name == "*" for one in around.own.imports)
        #: The words of the function around that stand alone somewhere, such as its parameters and variables.
        self._in_function = frozenset(_ALONE.findall(around.function))
        self._firsts: dict[str, Found | None] = {}

    def prefixes(self, chain: Chain) -> Iterator[Found | None]:
        """Yield what ``a``, ``a.b`` and ``a.b.c`` mean, until one is unknown."""
        # A name alone that the document itself binds needs nothing of other files.
        is_needed = len(chain) > 1 or chain[0] in self._known or self._has_star
        found = self._first(chain[0]) if is_needed else None
        yield found
        for name in chain[1:]:
            if found is None:
                return
            found = self._attribute(found, name)
            yield found

    def deepest(self, chain: Chain) -> Iterator[Found]:
        """Yield the last definition in a chain that is known, and the class of its value."""
        known = [one for one in self.prefixes(chain) if one is not None]
        if not known:
            return
        yield known[-1]
        if isinstance(known[-1], Target):
            instance = self.resolver.instance(known[-1])
            if instance is not None:
                yield instance

    def container(self, found: Found) -> Found:
        """Return what has the attributes of a value: a module, or a class."""
        instance = self.resolver.instance(found) if isinstance(found, Target) else None
        return found if instance is None else instance

    def _attribute(self, found: Found, name: str) -> Found | None:
        return self.resolver.attribute(found, name)

    def _first(self, name: str) -> Found | None:
        if name not in self._firsts:
            self._firsts[name] = None  # a variable may be set to what a method of its value returns
            self._firsts[name] = self._find(name)
        return self._firsts[name]

    @cached_property
    def _variable_lines(self) -> Mapping[str, str]:
        return variable_lines(self._split)

    def _module_type(self, name: str) -> str:
        """Return the type of a variable of the module, if it is annotated or set to what a call gives."""
        return assigned_types(self._variable_lines.get(name, "")).get(name, "")

    def _class_of(self, type_: str) -> Target | None:
        """Return the class that a type in the document means, as ``Definition.type`` has it."""
        chain = tuple(type_.removesuffix("()").split("."))
        if not type_.endswith("()") or chain[0] in self._bound or len(chain) == 1:
            return self.resolver.class_of(self._path, type_)
        known = list(self.prefixes(chain))
        called = known[-1] if len(known) == len(chain) else None
        return self.resolver.returned(called) if isinstance(called, Target) else None

    def _find(self, name: str) -> Found | None:
        around = self._around
        if name == "super()":
            own = self.resolver.lookup(self._path, around.owner)
            bases = self.resolver.bases(own) if isinstance(own, Target) else []
            return bases[0] if bases else None
        if around.instance and name == around.instance:
            return self.resolver.lookup(self._path, around.owner)
        if name in around.types:
            return self._class_of(around.types[name])
        if name in self._bound:
            return self.resolver.lookup(self._path, name)
        found = self.resolver.lookup(self._path, name)  # by a ``*``
        if found is None and name not in self._in_function:
            return self._class_of(self._module_type(name))
        return found
