"""What a name in a document means: a definition in another file, a member of it, or a whole module."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from copilot_server.workspace.summary import Definition, FileSummary, Import
from copilot_server.workspace.tags.languages import family_of
from copilot_server.workspace.tags.modules import (
    go_folders,
    is_header,
    is_relative,
    matched,
    parts_of,
    script_files,
)
from copilot_server.workspace.tags.text import word_set

#: How often re-exports, bases and aliases are followed.
MAX_STEPS = 4
#: A shorter name that nothing imports is too likely to be another.
MIN_GUESSED = 4
#: Files of a package that are read for a name.
_MAX_FILES = 60

#: Types that have the members of what they hold, as far as code that uses them looks.
_TRANSPARENT = word_set(
    """
    Promise Awaited Readonly Partial Required NonNullable Option Result Box Arc Rc Cow Ref RefMut MutexGuard
    unique_ptr shared_ptr weak_ptr optional Optional
    """
)
_WORDS = re.compile(r"[A-Za-z_$][\w$]*(?:(?:\.|::)[A-Za-z_$][\w$]*)*")
_NO_TYPES = word_set(
    """
    const mut struct enum union class dyn impl static readonly final volatile unsigned signed typename async
    pub ref auto var let null undefined error nil
    """
)


class Files(Protocol):
    """What is known of the files of a workspace."""

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

    def defining(self, name: str) -> tuple[str, ...]:
        """Return the files that probably define a name or a member of this name."""
        ...

    def in_folder(self, folder: str) -> tuple[str, ...]:
        """Return the files in a folder, without those in folders below."""
        ...

    def may_be_read(self, path: str) -> bool:
        """Whether a file that is known is still not excluded."""
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """A definition in the file at ``path``. ``owner``: the class it is a member of.

    ``is_guessed``: nothing in the document says where the name comes from; no other file defines it.
    """

    path: str
    definition: Definition
    owner: Definition | None = None
    is_guessed: bool = False


@dataclass(frozen=True, slots=True)
class Package:
    """The files that a name of a module stands for."""

    paths: tuple[str, ...]


Found = Target | Package


class Resolver:
    """Finds definitions for a document; ``path`` is its file, of which nothing is found."""

    def __init__(self, files: Files, path: str, family: str, imports: Sequence[Import]) -> None:
        self._files = files
        self._path = path
        self._family = family
        self._imports = {one.bound: one for one in imports if one.bound}
        self._stars = tuple(one.module for one in imports if not one.bound and one.name in {"*", ""})
        self._names: dict[str, Found | None] = {}

    def lookup(self, name: str) -> Found | None:
        """Return what a name in the document means."""
        if name not in self._names:
            self._names[name] = self._find(name)
        return self._names[name]

    def attribute(self, found: Found, name: str, steps: int = 0) -> Target | None:
        """Return the member ``name`` of a module, a class, or of the class of a value."""
        if isinstance(found, Package):
            return self._in_package(found, name)
        holder = self.container(found)
        if holder is None:
            return None
        member = holder.definition.member(name)
        if member is not None:
            return Target(holder.path, member, holder.definition, holder.is_guessed)
        if steps < MAX_STEPS:
            for base in self.bases(holder):
                if inherited := self.attribute(base, name, steps + 1):
                    return inherited
        return None

    def container(self, found: Target) -> Target | None:
        """Return the class of a value, or the class itself; None if it is not known."""
        for _ in range(MAX_STEPS):
            if found.definition.kind == "class":
                return found
            inner = self.class_of(found.definition.type, found.path)
            if inner is None:
                return None
            found = inner
        return None

    def bases(self, found: Target) -> Iterator[Target]:
        """Yield the bases of a class that are known."""
        for name in found.definition.bases:
            base = self.class_of(name, found.path)
            if base is not None and base.definition.name != found.definition.name:
                yield base

    def class_of(self, type_: str, path: str = "") -> Target | None:
        """Return the class that a type means in the document, or in the file at ``path``.

        ``type_``: as ``Definition.type`` has it.
        """
        name = type_name(type_)
        if not name:
            return None
        target = self._named(name, path)
        if target is None:
            return None
        if type_.endswith("()"):
            return self.container(target)
        return target if target.definition.kind == "class" else self.container(target)

    def _named(self, name: str, path: str) -> Target | None:
        """Return the definition of a name with dots."""
        parts = re.split(r"\.|::", name)
        if path:
            return self._near(parts[-1], path)
        found: Found | None = self.lookup(parts[0])
        for part in parts[1:]:
            found = self.attribute(found, part) if found is not None else self.lookup(part)
        return found if isinstance(found, Target) else None

    def _near(self, name: str, path: str) -> Target | None:
        """Return a definition as another file sees it: its own, that of a neighbour, or the only one."""
        found = self.candidates(name)
        near = [one for one in found if one.path == path] or [
            one
            for one in found
            if os.path.dirname(one.path) == os.path.dirname(path)  # noqa: PTH120
        ]
        return next(iter(near or (found if len(found) == 1 else [])), None)

    def candidates(self, name: str) -> list[Target]:
        """Return the definitions of a name in files of the document's languages, but its own file."""
        found = []
        for path in self._files.defining(name):
            summary = self._files.summary(path) if self._is_other(path) else None
            one = summary.definition(name) if summary is not None else None
            if one is not None and (not one.head.startswith("static ") or is_header(path)):
                found.append(Target(path, one))
        return self._merged(found)

    def member_anywhere(self, name: str) -> Target | None:
        """Return the only method of this name in the workspace."""
        found = []
        for path in self._files.defining(name):
            summary = self._files.summary(path) if self._is_other(path) else None
            for one in summary.definitions if summary is not None else ():
                member = one.member(name)
                if member is not None and member.kind == "function":
                    found.append(Target(path, member, one, is_guessed=True))
        return found[0] if len(found) == 1 else None

    def position(self, path: str, name: str) -> int:
        """Return the number of a definition in its file."""
        summary = self._files.summary(path)
        names = [one.name for one in summary.definitions] if summary is not None else []
        return names.index(name) if name in names else len(names)

    def exported(self, package: Package) -> Iterator[tuple[str, tuple[Definition, ...]]]:
        """Yield the files of a package with what they define for others."""
        for path in package.paths[:_MAX_FILES]:
            summary = self._files.summary(path) if path != self._path else None
            found = summary.definitions if summary is not None else ()
            if self._family == "go":
                found = tuple(one for one in found if one.name[:1].isupper() and one.head)
            if found:
                yield path, found

    def _is_other(self, path: str) -> bool:
        return path != self._path and family_of(path) == self._family

    def _find(self, name: str) -> Found | None:
        imported = self._imports.get(name)
        if imported is not None:
            return self._imported(imported)
        found = self.candidates(name)
        near = [one for one in found if self._is_visible(one.path)]
        if near:
            return near[0]
        if len(found) == 1 and len(name) >= MIN_GUESSED and self._may_be_guessed(found[0]):
            return replace(found[0], is_guessed=True)
        return None

    def _may_be_guessed(self, found: Target) -> bool:
        # What a script does not export cannot be meant.
        return self._family != "script" or found.definition.head.startswith(("export", "declare", "module."))

    def _is_visible(self, path: str) -> bool:
        """Whether the definitions of a file can be used without an import that names them."""
        if self._family in {"go", "java"} and os.path.dirname(path) == os.path.dirname(self._path):  # noqa: PTH120
            return True
        if self._family == "c" and parts_of(path)[-1] == parts_of(self._path)[-1] and is_header(path):
            return True
        if self._family in {"script", "go"}:
            return False
        return any(matched(path, module, self._family) for module in self._stars)

    def _imported(self, one: Import) -> Found | None:
        if self._family == "script" and is_relative(one.module):
            return self._from_script(self._path, one, 0)
        if self._family == "go":
            return self._go_package(one.module)
        found = [
            (matched(each.path, one.module, self._family), each)
            for each in self.candidates(one.bound if one.name in {"default", ""} else one.name)
        ]
        best = max((score for score, _ in found), default=0)
        if best:
            return next(each for score, each in found if score == best)
        return self._module_of_rust(one) if self._family == "rust" else None

    def _module_of_rust(self, one: Import) -> Package | None:
        """Return the file of a module ``one`` that lies beside the document or in a folder above."""
        folder = os.path.dirname(self._path)  # noqa: PTH120
        for _ in range(MAX_STEPS):
            names = (f"{folder}/{one.name}.rs", f"{folder}/{one.name}/mod.rs")
            known = self._files.existing(names) - {self._path}
            if known:
                return Package(tuple(sorted(known)))
            folder = os.path.dirname(folder)  # noqa: PTH120
        return None

    def _go_package(self, module: str) -> Package | None:
        for folder in dict.fromkeys(go_folders(self._path, module, self._files.folders)):
            paths = [path for path in self._files.in_folder(folder) if path.endswith(".go")]
            if paths and folder != os.path.dirname(self._path):  # noqa: PTH120
                return Package(tuple(path for path in paths if not path.endswith("_test.go")))
        return None

    def _from_script(self, path: str, one: Import, steps: int) -> Found | None:
        """Follow an import in the script at ``path``."""
        names = script_files(path, one.module)
        known = self._files.existing(names)
        file = next((name for name in names if name in known), "")
        if not file or file == self._path:
            return None
        return Package((file,)) if one.name == "" else self._exported(file, one.name, one.bound, steps)

    def _exported(self, file: str, name: str, bound: str, steps: int) -> Found | None:
        """Return what a script exports by this name, itself or from another script."""
        summary = self._files.summary(file)
        if summary is None or steps > MAX_STEPS:
            return None
        if name == "default":
            own = next((one for one in summary.definitions if one.head.startswith("export default")), None)
            own = own or summary.definition(bound)
        else:
            own = summary.definition(name)
        if own is not None:
            return Target(file, own)
        for one in summary.imports:
            if not is_relative(one.module) or (one.bound != name and (one.bound or one.name != "*")):
                continue
            passed = one if one.bound else Import(one.module, name, name)
            if found := self._from_script(file, passed, steps + 1):
                return found
        return None

    def _merged(self, found: list[Target]) -> list[Target]:
        """Put the methods of a class that stand elsewhere into it, and prefer headers in C."""
        if self._family == "c" and any(is_header(one.path) for one in found):
            return [one for one in found if is_header(one.path)]
        if self._family not in {"go", "rust"} or len(found) < 2:
            return found
        mains = [one for one in found if one.definition.head and not one.definition.head.startswith("impl")]
        parts = [one for one in found if one not in mains and self._files.may_be_read(one.path)]
        anywhere = self._family == "rust" and len(mains) == 1
        return [replace(main, definition=_with_members(main, parts, anywhere=anywhere)) for main in mains]

    def _in_package(self, package: Package, name: str) -> Target | None:
        found = []
        for path in package.paths[:_MAX_FILES]:
            if self._family == "script":
                exported = self._exported(path, name, name, 0)
                return exported if isinstance(exported, Target) else None
            summary = self._files.summary(path) if path != self._path else None
            one = summary.definition(name) if summary is not None else None
            if one is not None:
                found.append(Target(path, one))
        return next(iter(self._merged(found)), None)


def _with_members(main: Target, parts: Sequence[Target], *, anywhere: bool) -> Definition:
    folder = os.path.dirname(main.path)  # noqa: PTH120
    near = [one for one in parts if anywhere or os.path.dirname(one.path) == folder]  # noqa: PTH120
    added = tuple(member for one in near for member in one.definition.members)
    return replace(main.definition, members=(*main.definition.members, *added)) if added else main.definition


def type_name(type_: str) -> str:
    """Return the name of the class in a type, without references, pointers and what it is held by."""
    for name in _WORDS.findall(type_.removesuffix("()")):
        if (
            name.rpartition(":")[2].rpartition(".")[2] not in _TRANSPARENT | _NO_TYPES
            and name not in _NO_TYPES
        ):
            return str(name)
    return ""
