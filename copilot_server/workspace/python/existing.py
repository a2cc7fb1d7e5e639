"""What expressions certainly mean, and whether a module, a class or an instance has a name.

``resolve`` finds what is likely to help a model; a wrong answer there costs a few tokens. Here a wrong answer
would hide a right suggestion, so that every doubt means that nothing is known.
"""

from __future__ import annotations

import builtins
import os
import sys
from collections.abc import Iterator

from copilot_server.workspace.names import Binding, ClassNames, FileNames, Signature
from copilot_server.workspace.python.annotations import class_named
from copilot_server.workspace.python.meanings import (
    ClassAt,
    FunctionAt,
    Meaning,
    ModuleAt,
    NamedFiles,
    OwnNames,
)
from copilot_server.workspace.python.standard import KNOWN_MODULES, WITHOUT_NAMES, known_names

#: How many steps are made for one suggestion: files may import each other without end.
MAX_STEPS = 500
_MAX_DEPTH = 12
_INITS = ("__init__.pyi", "__init__.py")


class Existing:
    """Says what certainly exists, for one suggestion in the document ``own``."""

    def __init__(self, files: NamedFiles, own: OwnNames) -> None:
        self._files = files
        self._own = own
        self._steps = 0

    # What expressions mean.

    def dotted(self, path: str, name: str, depth: int = 0) -> Meaning | None:
        """Return what ``a.b.c`` means at the top level of a file."""
        first, *rest = name.split(".")
        found = self.lookup(path, first, depth)
        for part in rest:
            found = self.attribute(found, part, depth) if found is not None else None
        return found

    def lookup(self, path: str, name: str, depth: int = 0) -> Meaning | None:
        """Return what a name means at the top level of a file."""
        self._steps += 1
        if depth > _MAX_DEPTH or self._steps > MAX_STEPS:
            return None
        if path == self._own.path:
            binding = self._own.binding(name)
        else:
            names = self._files.names(path)
            binding = names.bindings.get(name) if names is not None else None
            if binding is None and names is not None and not names.is_open:
                return self._by_star(path, names, name, depth)
        return self.bound(path, name, binding, depth) if binding is not None else None

    def bound(self, path: str, name: str, binding: Binding, depth: int = 0) -> Meaning | None:
        """Return what a name of a file means that is bound in this way."""
        match binding.kind:
            case "class":
                return ClassAt(path, name)
            case "function":
                return FunctionAt(path, name)
            case "import":
                return self._imported(path, binding, depth + 1)
            case "alias":
                return self.dotted(path, binding.name, depth + 1) if binding.name != name else None
            case "variable":
                return self.instance(path, binding.type, depth + 1)
        return None

    def instance(self, path: str, type_: str, depth: int = 0) -> ClassAt | None:
        """Return the instance that a variable of this type, written in the file at ``path``, has."""
        if type_.endswith("()"):
            called = self.dotted(path, type_[:-2], depth + 1)
            return self.returned(called, depth + 1) if called is not None else None
        name = class_named(type_)
        found = self.dotted(path, name, depth + 1) if name else None
        if not isinstance(found, ClassAt) or found.is_instance:
            return None
        return ClassAt(found.path, found.name, is_exact=False, is_instance=True)

    def returned(self, called: Meaning, depth: int = 0) -> ClassAt | None:
        """Return the instance that a call gives."""
        if isinstance(called, ClassAt) and not called.is_instance:
            is_made = self._finds(called, "__new__") is False
            return ClassAt(called.path, called.name, called.is_exact, is_instance=True) if is_made else None
        if isinstance(called, FunctionAt):
            signature = self.signature_at(called)
            return self.instance(called.path, signature.returns, depth + 1) if signature else None
        return None

    def attribute(self, of: Meaning, name: str, depth: int = 0) -> Meaning | None:
        """Return what an attribute means."""
        if isinstance(of, ModuleAt):
            return self._in_module(of, name, depth)
        if not isinstance(of, ClassAt) or self._may_be_set(name):
            return None
        for one in self._mro(of):
            names = self._class(one)
            if names is None:
                return None
            if names.is_open or one.path == self._own.path:
                if names.is_open or self._own.may_define(name):
                    return None
            elif name in names.names:
                return self._member(of, one, names, name, depth)
        return None

    def _member(self, of: ClassAt, one: ClassAt, names: ClassNames, name: str, depth: int) -> Meaning | None:
        whole = f"{one.name}.{name}"
        file = self._files.names(one.path)
        if file is not None and whole in file.functions and name not in names.types:
            return FunctionAt(one.path, whole, of)
        if file is not None and whole in file.classes:
            return ClassAt(one.path, whole)
        return self.instance(one.path, names.types.get(name, ""), depth + 1) if of.is_instance else None

    def signature_at(self, function: FunctionAt) -> Signature | None:
        """Return the signature of a function."""
        file = self._files.names(function.path) if function.path != self._own.path else None
        return file.functions.get(function.name) if file is not None else None

    # Whether names exist.

    def has(self, of: Meaning, name: str) -> bool | None:
        """Whether a module, a class or an instance has a name; None if that is not certain."""
        if name.startswith("__"):
            return None
        has = self._module_has(of, name) if isinstance(of, ModuleAt) else None
        if isinstance(of, ClassAt):
            has = self._finds(of, name)
            if has is False and not of.is_exact and self._is_subclassed(of):
                may_be = self._files.uses("member", name, self._own.path) or self._own.may_define(name)
                has = None if may_be else False
        return None if has is False and self._may_be_set(name) else has

    def takes(self, called: Meaning, keyword: str) -> bool | None:
        """Whether what is called has a parameter of this name; None if that is not certain."""
        if isinstance(called, FunctionAt):
            of = called.owner
            if of is not None and not of.is_exact and self._is_subclassed(of):
                return None
            return _takes(self.signature_at(called), keyword)
        if isinstance(called, ClassAt) and not called.is_instance and called.is_exact:
            return self._constructor_takes(called, keyword)
        return None

    def _constructor_takes(self, of: ClassAt, keyword: str) -> bool | None:
        fields: set[str] = set()
        for one in self._mro(of):
            names = self._class(one)
            if names is None or names.is_open or one.path == self._own.path or "__new__" in names.names:
                if one.path or names is None or not _is_plain(one.name):
                    return None
            elif names.fields is not None and "__init__" not in names.names:
                fields |= set(names.fields)
            elif "__init__" in names.names:
                file = self._files.names(one.path)
                signature = file.functions.get(f"{one.name}.__init__") if file is not None else None
                return None if fields else _takes(signature, keyword)
        return keyword in fields if fields else None

    def _may_be_set(self, name: str) -> bool:
        return self._own.may_set(name) or self._files.uses("assigned", name, self._own.path)

    def _is_subclassed(self, of: ClassAt) -> bool:
        name = of.name.rpartition(".")[2]
        return self._files.uses("base", name, self._own.path) or self._own.may_subclass(name)

    def _finds(self, of: ClassAt, name: str) -> bool | None:
        """Whether a class or a base has a name; None if that is not certain."""
        is_certain = True
        for one in self._mro(of):
            names = self._class(one)
            if names is None or names.is_open:
                is_certain = False
            elif name in names.names or (one.path == self._own.path and self._own.may_define(name)):
                return True
        return False if is_certain else None

    def _mro(self, of: ClassAt, depth: int = 0) -> Iterator[ClassAt]:
        """Yield a class and its bases; one that is not known has an empty path."""
        yield of
        names = self._class(of)
        if names is None or depth > _MAX_DEPTH:
            yield ClassAt("", "")
            return
        for base in names.bases:
            found = self.dotted(of.path, base)
            if isinstance(found, ClassAt) and not found.is_instance and found != of:
                yield from self._mro(found, depth + 1)
            else:
                yield ClassAt("", self._known(of.path, base) if found is None else "")

    def _class(self, of: ClassAt) -> ClassNames | None:
        if not of.path:
            known = known_names(of.name)
            return None if known is None else ClassNames(known)
        if of.path == self._own.path:
            return self._own.class_names(of.name)
        file = self._files.names(of.path)
        return file.classes.get(of.name) if file is not None else None

    def _known(self, path: str, base: str) -> str:
        """Return the name of a base in the standard library, if the file certainly means that one."""
        first, _, rest = base.partition(".")
        names = self._files.names(path) if path != self._own.path else None
        if path == self._own.path:
            binding = self._own.binding(first)
        else:
            binding = names.bindings.get(first) if names is not None else None
        if binding is None:
            stars = names.stars if names is not None else ("",)
            is_free = not rest and not stars and hasattr(builtins, base)
            return base if is_free or (path == self._own.path and hasattr(builtins, base)) else ""
        if binding.kind != "import" or binding.module not in KNOWN_MODULES:
            return ""
        return rest if not binding.name else ("" if rest else binding.name)

    # Modules.

    def _imported(self, path: str, one: Binding, depth: int) -> Meaning | None:
        module = self.module(path, one.module)
        if module is None or not one.name:
            return module
        return self._in_module(module, one.name, depth)

    def module(self, path: str, written: str) -> ModuleAt | None:
        """Return the module that an import in the file at ``path`` names; None if that is not certain."""
        name = written.lstrip(".")
        parts = name.split(".") if name else []
        dots = len(written) - len(name)
        if dots:
            folder = os.path.dirname(path)  # noqa: PTH120 - called for each name
            for _ in range(dots - 1):
                folder = os.path.dirname(folder)  # noqa: PTH120
            return self._module_at("/".join([folder, *parts])) if self._is_within(folder) else None
        if not parts or parts[0] in sys.stdlib_module_names:
            return None
        roots = self._files.roots(parts[0])
        if len(roots) != 1 or not self._is_reached(roots[0], path):
            return None
        return self._module_at("/".join([roots[0], *parts]))

    def _is_within(self, folder: str) -> bool:
        return any(f"{folder}/".startswith(f"{top}/") for top in self._files.folders)

    def _is_reached(self, root: str, path: str) -> bool:
        """Whether a folder is above a file, or named ``src`` beside one that is: what Python finds there."""
        return path.startswith(f"{root.removesuffix('/src')}/")

    def _module_at(self, stem: str) -> ModuleAt | None:
        paths = _files_of(stem)
        if self._own.path in paths:
            return None
        known = self._files.existing(paths)
        return ModuleAt(next(iter(known)), stem) if len(known) == 1 else None

    def _in_module(self, module: ModuleAt, name: str, depth: int) -> Meaning | None:
        names = self._files.names(module.path)
        if names is None or names.is_open or self._may_be_set(name):
            return None
        inner = self._module_at(f"{module.stem}/{name}")
        found = self.lookup(module.path, name, depth + 1)
        if inner is None or found == inner:
            return found
        # A name of the package wins over a module in it, or not, as the imports come.
        return inner if name not in names.bindings and found is None else None

    def _by_star(self, path: str, names: FileNames, name: str, depth: int) -> Meaning | None:
        found = []
        for star in names.stars:
            module = self.module(path, star)
            exported = self._exported(module, depth) if module is not None else None
            if module is None or exported is None:
                return None
            if name in exported:
                found.append(self.lookup(module.path, name, depth + 1))
        return found[0] if len(found) == 1 else None

    def _exported(self, module: ModuleAt, depth: int) -> frozenset[str] | None:
        """Return the names that ``from module import *`` binds; None if that is not certain."""
        names = self._files.names(module.path)
        self._steps += 1
        if names is None or names.is_open or depth > _MAX_DEPTH or self._steps > MAX_STEPS:
            return None
        found = set(names.exports or ())
        for star in names.stars if names.exports is None else ():
            inner = self.module(module.path, star)
            more = self._exported(inner, depth + 1) if inner is not None else None
            if more is None:
                return None
            found |= more
        if names.exports is None:
            found |= {name for name in names.bindings if not name.startswith("_")}
        return frozenset(found)

    def _module_has(self, module: ModuleAt, name: str) -> bool | None:
        names = self._files.names(module.path)
        if names is None or names.is_open:
            return None
        if name in names.bindings or name in (names.exports or ()):
            return True
        for star in names.stars:
            inner = self.module(module.path, star)
            exported = self._exported(inner, 1) if inner is not None else None
            if exported is None or name in exported:
                return None if exported is None else True
        if not module.path.startswith(f"{module.stem}/"):
            return False
        stem = f"{module.stem}/{name}"
        if self._files.existing(_files_of(stem)) or self._files.has_folder(stem):
            return True
        # A package may have modules that are compiled, or generated when it is installed.
        is_elsewhere = name.startswith("_") or name == "version" or _has_entry(module.stem, name)
        return None if is_elsewhere or self._files.uses("imported", name, self._own.path) else False


def _files_of(stem: str) -> tuple[str, ...]:
    """Return the files that a module may be in."""
    return (*(f"{stem}/{name}" for name in _INITS), f"{stem}.pyi", f"{stem}.py")


def _takes(signature: Signature | None, keyword: str) -> bool | None:
    return None if signature is None or signature.is_open else keyword in signature.parameters


def _is_plain(name: str) -> bool:
    """Whether a base of the standard library leaves the constructor to its subclasses."""
    return name in WITHOUT_NAMES or name == "NamedTuple"


def _has_entry(folder: str, name: str) -> bool:
    """Whether a folder has a module of this name, in any language and even if it is not indexed."""
    try:
        with os.scandir(folder) as entries:
            return any(one.name.partition(".")[0] == name for one in entries)
    except OSError as error:
        return not isinstance(error, FileNotFoundError)
