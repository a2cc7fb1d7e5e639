"""What the index keeps of a file to tell which names exist: names and signatures, no code of bodies."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

#: How a name of a module is bound. ``unknown``: in several ways, or in one that says nothing about its value.
BindingKind = Literal["class", "function", "import", "alias", "variable", "unknown"]

#: How a file uses the name of an attribute: it sets it on an object of another class, defines it in a class,
#: has a class of this name as a base, or imports it, or a module of this name.
Use = Literal["assigned", "member", "base", "imported"]


@dataclass(frozen=True, slots=True)
class Binding:
    """How a name is bound.

    ``module`` and ``name``: of an import, as in ``summary.Import``. ``name``: what an alias stands for.
    ``type``: of a variable, as ``summary.Definition`` has it.
    """

    kind: BindingKind
    module: str = ""
    name: str = ""
    type: str = ""


@dataclass(frozen=True, slots=True)
class Signature:
    """The names of a function's parameters, and the annotation of what it returns if that is certain.

    ``is_open``: it may take other keywords too.
    """

    parameters: tuple[str, ...]
    is_open: bool = False
    returns: str = ""


@dataclass(frozen=True, slots=True)
class ClassNames:
    """The names in a class and those that its methods set on an instance.

    ``bases``: dotted names; "" for one that is none. ``is_open``: there may be other names. ``types``: of
    attributes, where they are certain. ``fields``: the keywords of the constructor that a decorator or a base
    writes; None if there is none.
    """

    names: frozenset[str] = frozenset()
    bases: tuple[str, ...] = ()
    is_open: bool = False
    types: Mapping[str, str] = field(default_factory=dict)
    fields: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class FileNames:
    """The names in a file.

    ``bindings``: of the module. ``stars``: the modules from which it imports everything. ``exports``: what
    ``__all__`` lists. ``classes`` and ``functions``: by their dotted names within the file. ``assigned``: the
    attributes that it sets on objects which need not be of its own classes. ``is_open``: the module may have
    other names.
    """

    bindings: Mapping[str, Binding] = field(default_factory=dict)
    stars: tuple[str, ...] = ()
    exports: tuple[str, ...] | None = None
    classes: Mapping[str, ClassNames] = field(default_factory=dict)
    functions: Mapping[str, Signature] = field(default_factory=dict)
    assigned: frozenset[str] = frozenset()
    is_open: bool = False

    def uses(self) -> Iterator[tuple[Use, str]]:
        """Yield how this file uses names of attributes, each use once."""
        yield from (("assigned", name) for name in self.assigned)
        members = {name for one in self.classes.values() for name in one.names}
        yield from (("member", name) for name in members)
        yield from (("base", name) for name in self._bases())
        imports = (one for one in self.bindings.values() if one.kind == "import")
        imported = {name for one in imports for name in (one.name, one.module.rpartition(".")[2]) if name}
        yield from (("imported", name) for name in imported)

    def _bases(self) -> set[str]:
        """Return the names of the classes that this file uses as bases, whatever it calls them."""
        found = {base.rpartition(".")[2] for one in self.classes.values() for base in one.bases}
        bound = (self.bindings[name] for name in found if name in self.bindings)
        return found | {one.name.rpartition(".")[2] for one in bound}

    def to_json(self) -> str:
        """Return this as compact JSON."""
        values = [
            {name: [one.kind, one.module, one.name, one.type] for name, one in self.bindings.items()},
            self.stars,
            self.exports,
            {name: _class_as_list(one) for name, one in self.classes.items()},
            {name: [one.parameters, one.is_open, one.returns] for name, one in self.functions.items()},
            sorted(self.assigned),
            self.is_open,
        ]
        return json.dumps(values, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> FileNames:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: it is something else.
        """
        try:
            bindings, stars, exports, classes, functions, assigned, is_open = json.loads(text)
            return cls(
                {name: Binding(*one) for name, one in bindings.items()},
                tuple(stars),
                None if exports is None else tuple(exports),
                {name: _class_from_list(one) for name, one in classes.items()},
                {name: Signature(tuple(one[0]), *one[1:]) for name, one in functions.items()},
                frozenset(assigned),
                is_open,
            )
        except (TypeError, ValueError, AttributeError, LookupError, RecursionError) as error:
            raise ValueError("these are not the names in a file") from error


def _class_as_list(one: ClassNames) -> list[Any]:
    return [sorted(one.names), one.bases, one.is_open, dict(one.types), one.fields]


def _class_from_list(values: list[Any]) -> ClassNames:
    names, bases, is_open, types, fields = values
    return ClassNames(
        frozenset(names), tuple(bases), is_open, types, None if fields is None else tuple(fields)
    )
