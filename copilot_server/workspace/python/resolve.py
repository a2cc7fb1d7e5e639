"""Which definition a name means: imports followed to files of the workspace, and attributes to members.

Relative and absolute imports, packages in any layout, stubs, re-exports and ``*`` are followed as Python does
it, as far as the index knows the files. What is not certain is not found.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from copilot_server.workspace.python.annotations import class_named
from copilot_server.workspace.summary import Definition, FileSummary, Import

#: How many steps are made for one resolver: files may import each other without end.
MAX_STEPS = 2000
_MAX_DEPTH = 12
_INITS = ("__init__.pyi", "__init__.py")
#: A variable that is another name of something.
_ALIAS = re.compile(r"\w+(?:: (?:Final|TypeAlias))? = (?!(?:True|False|None)\Z)([A-Za-z_][\w.]*)")


class Files(Protocol):
    """What is known of the files of a workspace, and perhaps of those of packages that are installed."""

    @property
    def workspace(self) -> Files:
        """The files of the workspace alone."""
        ...

    def is_outside(self, path: str) -> bool:
        """Whether a file is one of an installed package."""
        ...

    @property
    def folders(self) -> Sequence[str]:
        """The workspace's folders."""
        ...

    def summary(self, path: str) -> FileSummary | None:
        """Return the summary of a file; None if it is unknown or must not be read."""
        ...

    def existing(self, paths: tuple[str, ...]) -> frozenset[str]:
        """Return which of these files are known."""
        ...

    def has_folder(self, path: str) -> bool:
        """Whether a file below this folder is known."""
        ...

    def roots(self, name: str) -> tuple[str, ...]:
        """Return the folders with a top-level module or package of this name."""
        ...


@dataclass(frozen=True, slots=True)
class Module:
    """A module or a package. ``stems``: where it may be, as paths without a suffix."""

    stems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """A definition in the file at ``path``; ``owner`` is the class of which it is a member.

    ``is_instance``: not the class itself is meant, but an instance of it.
    """

    path: str
    definition: Definition
    owner: Definition | None = None
    is_instance: bool = False


Found = Module | Target


class Resolver:
    """Resolves names for the document at ``path``, whose imports and enclosing class ``own`` has.

    The document's file on disk is never looked into.
    """

    def __init__(self, files: Files, path: str, own: FileSummary) -> None:
        self._files = files
        self._path = path
        self._own = own
        self._steps = 0
        self._modules: dict[tuple[str, str], Module | None] = {}

    def is_own(self, found: Found) -> bool:
        """Whether something is defined in the document itself."""
        return isinstance(found, Target) and found.path == self._path

    def summary(self, path: str) -> FileSummary | None:
        """Return the summary of a file."""
        return self._own if path == self._path else self._files.summary(path)

    def files_of(self, module: Module) -> tuple[str, ...]:
        """Return the files of a module, stubs first; none for a namespace package or the document's own."""
        for stem in module.stems:
            paths = (*(f"{stem}/{name}" for name in _INITS), f"{stem}.pyi", f"{stem}.py")
            if self._path in paths:
                return ()
            known = self._files.existing(paths)
            if known:
                return tuple(path for path in paths if path in known)
        return ()

    def lookup(self, path: str, name: str, depth: int = 0) -> Found | None:
        """Return what ``name`` means at the top level of a file."""
        self._steps += 1
        summary = self.summary(path)
        if summary is None or depth > _MAX_DEPTH or self._steps > MAX_STEPS:
            return None
        definition = summary.definition(name)
        if definition is not None:
            alias = _ALIAS.fullmatch(definition.head)
            meant = self.dotted(path, alias[1], depth + 1) if alias else None
            return meant or Target(path, definition)
        for one in summary.imports_of(name):
            found = self.imported(path, one, depth + 1)
            if found is not None:
                return found
        for star in summary.star_imports:
            found = self._by_star(path, star, name, depth + 1)
            if found is not None:
                return found
        return None

    def imported(self, path: str, one: Import, depth: int = 0) -> Found | None:
        """Return what an import in the file at ``path`` binds."""
        module = self._module(path, one.module)
        if module is None or not one.name:
            return module
        return self._in_module(module, one.name, depth)

    def attribute(self, found: Found, name: str) -> Found | None:
        """Return the attribute ``name`` of a module, a class or, by its annotation, a variable."""
        if isinstance(found, Module):
            return self._in_module(found, name, 0)
        if found.definition.kind != "class":
            instance = self.instance(found)
            return None if instance is None else self.member(instance, name)
        return self.member(found, name)

    def instance(self, found: Target) -> Target | None:
        """Return the class of the value that a variable or a property has; None if it is not certain."""
        if found.definition.kind not in {"variable", "property"}:
            return None
        return self.class_of(found.path, found.definition.type, found.owner)

    def class_of(
        self, path: str, type_: str, owner: Definition | None = None, depth: int = 0
    ) -> Target | None:
        """Return the class that a type, written in the file at ``path``, means."""
        if depth > _MAX_DEPTH or not type_:
            return None
        if type_.endswith("()"):
            called = self.dotted(path, type_[:-2])
            return self.returned(called, depth) if isinstance(called, Target) else None
        name = class_named(type_)
        if owner is not None and name in {"Self", "typing.Self", owner.name}:
            return Target(path, owner, is_instance=True)
        found = self.dotted(path, name) if name else None
        if isinstance(found, Target) and found.definition.kind == "class":
            return replace(found, is_instance=True)
        return None

    def returned(self, called: Target, depth: int = 0) -> Target | None:
        """Return the class of what calling something gives; None if it is not certain."""
        if called.definition.kind == "class" and not called.is_instance:
            return replace(called, is_instance=True)
        if called.definition.kind != "function":
            return None
        return self.class_of(called.path, called.definition.type, called.owner, depth + 1)

    def dotted(self, path: str, name: str, depth: int = 0) -> Found | None:
        """Return what ``a.b.c`` means at the top level of a file."""
        first, *rest = name.split(".")
        found = self.lookup(path, first, depth)
        for part in rest:
            found = self.attribute(found, part) if found is not None else None
        return found

    def member(self, of: Target, name: str, depth: int = 0) -> Target | None:
        """Return the member of a class, or of one of its bases."""
        self._steps += 1
        own = of.definition.member(name)
        if own is not None:
            return Target(of.path, own, of.definition)
        if depth > _MAX_DEPTH or self._steps > MAX_STEPS:
            return None
        for base in self.bases(of):
            found = self.member(base, name, depth + 1)
            if found is not None:
                return found
        return None

    def bases(self, of: Target) -> list[Target]:
        """Return the bases of a class, as far as they are known."""
        found = (self.dotted(of.path, base) for base in of.definition.bases)
        return [
            one
            for one in found
            if isinstance(one, Target) and one.definition.kind == "class" and one.definition != of.definition
        ]

    def _in_module(self, module: Module, name: str, depth: int) -> Found | None:
        """Return a name in a module: what it defines or imports, or a module in the package."""
        for file in self.files_of(module):
            found = self.lookup(file, name, depth + 1)
            if found is not None:
                return found
        inner = Module(tuple(f"{stem}/{name}" for stem in module.stems))
        return inner if self._exists(inner) else None

    def _exists(self, module: Module) -> bool:
        # The folder of a namespace package has no file of its own.
        return bool(self.files_of(module)) or any(map(self._files.has_folder, module.stems))

    def _by_star(self, path: str, star: Import, name: str, depth: int) -> Found | None:
        module = self._module(path, star.module)
        for file in self.files_of(module) if module is not None else ():
            summary = self.summary(file)
            exports = summary.exports if summary is not None else None
            if name in exports if exports is not None else not name.startswith("_"):
                return self.lookup(file, name, depth + 1)
        return None

    def _module(self, path: str, written: str) -> Module | None:
        """Return the module that an import in the file at ``path`` names."""
        if (path, written) not in self._modules:
            self._modules[path, written] = self._find_module(path, written)
        return self._modules[path, written]

    def _find_module(self, path: str, written: str) -> Module | None:
        name = written.lstrip(".")
        parts = name.split(".") if name else []
        dots = len(written) - len(name)
        if dots:
            folder = os.path.dirname(path)  # noqa: PTH120 - called for each name at each new line
            for _ in range(dots - 1):
                folder = os.path.dirname(folder)  # noqa: PTH120
            return Module(("/".join([folder, *parts]),)) if self._is_within(folder) else None
        roots = self._roots(path, parts[0]) if parts else []
        for root in roots:
            module = Module(("/".join([root, *parts]),))
            if self.files_of(module):
                return module
        module = Module(tuple("/".join([root, *parts]) for root in roots))
        return module if self._exists(module) else None

    def _is_within(self, folder: str) -> bool:
        return any(f"{folder}/".startswith(f"{top}/") for top in self._files.folders)

    def _roots(self, path: str, name: str) -> list[str]:
        """Return the folders where ``import name`` may find it, in the order in which they are tried.

        Those that have most of their path in common with the importing file come first.
        """
        workspace = [one for top in self._files.folders for one in (top, f"{top}/src")]
        known = sorted(self._files.roots(name), key=lambda root: (-len(_common(root, path)), len(root), root))
        return list(dict.fromkeys([*known, *workspace]))


def _common(one: str, other: str) -> str:
    return os.path.commonpath([one, other])
