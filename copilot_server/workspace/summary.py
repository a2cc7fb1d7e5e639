"""What the index keeps of a file: the heads of its definitions, and its imports; no bodies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["function", "property", "class", "variable"]


@dataclass(frozen=True, slots=True)
class Definition:
    """A definition without its body.

    ``head``: its first lines, unindented: for functions and classes up to the colon, for variables the whole
    assignment. ``doc``: the first line of the docstring. ``type``: the annotation of a variable or of what a
    function returns, or ``Name()`` for what calling ``Name`` gives; "" if it is not known. ``bases``: the
    dotted names of a class's bases. ``members``: those of a class, in order.
    """

    name: str
    kind: Kind
    head: str
    doc: str = ""
    type: str = ""
    bases: tuple[str, ...] = ()
    members: tuple[Definition, ...] = ()

    def member(self, name: str) -> Definition | None:
        """Return the member of this name."""
        return next((one for one in self.members if one.name == name), None)


@dataclass(frozen=True, slots=True)
class Import:
    """A name that an import binds.

    ``module``: as written, with the dots of a relative import. ``name``: what is taken from it; "" for the
    module itself, ``*`` for everything. ``bound``: the name that the file then has, "" for ``*``.
    """

    module: str
    name: str
    bound: str


@dataclass(frozen=True, slots=True)
class FileSummary:
    """The definitions and imports of a file. ``exports``: what ``__all__`` lists; None if there is none."""

    definitions: tuple[Definition, ...] = ()
    imports: tuple[Import, ...] = ()
    exports: tuple[str, ...] | None = None

    def definition(self, name: str) -> Definition | None:
        """Return the definition of this name."""
        return next((one for one in self.definitions if one.name == name), None)

    def names(self) -> Iterator[str]:
        """Yield the names of the definitions and of their members."""
        for one in self.definitions:
            yield one.name
            yield from (member.name for member in one.members)

    def imports_of(self, name: str) -> Iterator[Import]:
        """Yield the imports that bind ``name``, the last one first."""
        return (one for one in reversed(self.imports) if one.bound == name)

    @property
    def star_imports(self) -> Iterator[Import]:
        """The imports of everything from a module, the last one first."""
        return (one for one in reversed(self.imports) if one.name == "*")

    def to_json(self) -> str:
        """Return this summary as compact JSON."""
        definitions = [_as_list(one) for one in self.definitions]
        imports = [(one.module, one.name, one.bound) for one in self.imports]
        return json.dumps([definitions, imports, self.exports], ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> FileSummary:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: it is something else.
        """
        try:
            definitions, imports, exports = json.loads(text)
            return cls(
                tuple(map(_from_list, definitions)),
                tuple(Import(*one) for one in imports),
                None if exports is None else tuple(exports),
            )
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError("this is not the summary of a file") from error


def _as_list(one: Definition) -> list[Any]:
    members = [_as_list(member) for member in one.members]
    return [one.name, one.kind, one.head, one.doc, one.type, one.bases, members]


def _from_list(fields: list[Any]) -> Definition:
    name, kind, head, doc, type_, bases, members = fields
    return Definition(name, kind, head, doc, type_, tuple(bases), tuple(map(_from_list, members)))
