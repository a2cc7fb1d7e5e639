"""Which definitions of other files the Python code near a cursor names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from copilot_server.workspace.python.document import (
    SplitText,
    Surroundings,
    module_variable,
    without_imports,
)
from copilot_server.workspace.python.render import has_visible_members, members_of_module, render, words_of
from copilot_server.workspace.python.resolve import Files, Found, Module, Resolver, Target
from copilot_server.workspace.select import Candidate, Limits, append, select
from copilot_server.workspace.summary import Definition
from copilot_server.workspace.types import Snippet

#: What a name is worth by where it stands. A base of a class that is named has half of its worth.
CALLEE, FUNCTION, BASE, UNUSED, NEAR, LINE = 4.0, 2.0, 2.0, 1.5, 1.0, 4.0

_NAMES = re.compile(
    r"\"(?:[^\"\\\n]|\\.)*\"?|'(?:[^'\\\n]|\\.)*'?|\#[^\n]*"
    r"|(?<![\w.])(?P<chain>(?:super\(\)|[A-Za-z_]\w*)(?:\.[A-Za-z_]\w*)*)"
)
#: A variable that only renames something, or whose value is too long, says nothing.
_ALIAS = re.compile(r"\w+ = (?:\.\.\.|(?!(?:True|False|None)\Z)[A-Za-z_][\w.]*)")
_BEGUN = re.compile(r"\w+\Z")
_REACHED = re.compile(r"(?<![\w.])(?P<chain>(?:super\(\)|[A-Za-z_]\w*)(?:\.[A-Za-z_]\w*)*)\.\Z")
_REST = re.compile(r"\A\w+")

Chain = tuple[str, ...]


@dataclass(slots=True)
class _Use:
    """What is known of the uses of a definition: their highest worth, and the members that are named."""

    definition: Definition
    position: int
    worth: float = 0.0
    members: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Selected:
    """The snippets that do not depend on the cursor's line, and what it takes to add those that do."""

    snippets: tuple[Snippet, ...]
    around: Surroundings
    words: frozenset[str]

    def shows(self, path: str, definition: Definition, owner: Definition | None = None) -> bool:
        """Whether the head of a definition stands in a snippet, within its class."""
        lines = [one.head.rpartition("\n")[2] for one in (definition, owner) if one is not None]
        return any(all(line in one.text for line in lines) for one in self.snippets if one.path == path)

    def rest(self, path: str, definition: Definition) -> Definition | None:
        """Return a class with the members that no snippet shows; None if it is shown and nothing is left."""
        if not self.shows(path, definition):
            return definition
        members = tuple(one for one in definition.members if not self.shows(path, one, definition))
        rest = replace(definition, doc="", members=members)
        return rest if has_visible_members(rest) else None


def select_stable(
    split: SplitText, around: Surroundings, files: Files, path: str, limits: Limits
) -> Selected:
    """Select what the code around the cursor names, without the cursor's line."""
    namer = Namer(files, path, split, around)
    words = words_of(f"{around.function}\n{around.near}")
    uses: dict[tuple[str, str], _Use] = {}
    for chain, worth in _weighted(split, around):
        for found in namer.deepest(chain):
            _note(uses, found, worth, namer)
    return Selected(select(_candidates(uses, words), limits), around, words)


def select_on_line(
    split: SplitText, selected: Selected, files: Files, path: str, limits: Limits
) -> tuple[Snippet, ...]:
    """Return what the names on the cursor's line add. Names that follow add more, and change nothing."""
    namer = Namer(files, path, split, selected.around)
    return append(selected.snippets, _line_candidates(split, selected, namer), limits)


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
        if found is None and not re.search(rf"\b{re.escape(name)}\b(?!\.)", around.function):
            return self._class_of(module_variable(self._split, name))
        return found


def _weighted(split: SplitText, around: Surroundings) -> Iterator[tuple[Chain, float]]:
    """Yield the names around the cursor with their worth."""
    for callee in around.callees:
        yield tuple(callee.split(".")), CALLEE
    for definition in around.own.definitions:
        for base in definition.bases:
            yield tuple(base.split(".")), BASE
    for text, worth in ((around.function, FUNCTION), (around.near, NEAR)):
        for chain in chains(without_imports(text)):
            yield chain, worth
    for name in unused_imports(split, around):
        yield (name,), UNUSED


def chains(text: str) -> Iterator[Chain]:
    """Yield the names in code with their attributes, each once; strings and comments have none."""
    found = (one["chain"] for one in _NAMES.finditer(text))
    return (tuple(one.split(".")) for one in dict.fromkeys(found) if one)


def unused_imports(split: SplitText, around: Surroundings) -> Iterator[str]:
    """Yield the imported names that the document does not use yet, apart from the cursor's line.

    Who imports something is about to use it.
    """
    for name in dict.fromkeys(one.bound for one in around.own.imports if one.bound):
        if not _is_used(name, split.before, split.after):
            yield name


def _is_used(name: str, *texts: str) -> bool:
    """Whether an imported name occurs more often than once."""
    count = 0
    for text in texts:
        at = text.find(name)
        while at >= 0:
            end = at + len(name)
            count += not (_is_word(text[at - 1 : at]) or _is_word(text[end : end + 1]))
            if count > 1:
                return True
            at = text.find(name, end)
    return False


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _note(uses: dict[tuple[str, str], _Use], found: Found, worth: float, namer: Namer) -> None:
    """Note the use of a definition in another file, and with half of its worth those of its bases."""
    if isinstance(found, Module) or namer.resolver.is_own(found):
        return
    shown = found.owner or found.definition
    if _ALIAS.fullmatch(shown.head) or (
        worth <= BASE / 2 and shown.kind == "class" and not has_visible_members(shown)
    ):
        return
    if found.is_instance:
        worth /= 2  # what is only passed on needs no members
    key = (found.path, shown.name)
    is_new = key not in uses
    use = uses.setdefault(key, _Use(shown, _position(namer, found.path, shown)))
    if found.owner is not None:
        use.members.add(found.definition.name)
    use.worth = max(use.worth, worth)
    if is_new and shown.kind == "class":
        for base in namer.resolver.bases(Target(found.path, shown)):
            _note(uses, base, worth / 2, namer)


def _position(namer: Namer, path: str, definition: Definition) -> int:
    summary = namer.resolver.summary(path)
    names = [one.name for one in summary.definitions] if summary is not None else []
    return names.index(definition.name) if definition.name in names else len(names)


def _candidates(uses: dict[tuple[str, str], _Use], words: frozenset[str]) -> Iterator[Candidate]:
    for key, use in uses.items():
        yield _candidate(key, use, words)


def _candidate(
    key: tuple[str, ...], use: _Use, words: frozenset[str], *, is_called: bool = False
) -> Candidate:
    members = frozenset(use.members)
    return Candidate(
        key,
        key[0],
        use.worth,
        (key[0], use.position),
        lambda length: render(use.definition, length, members, words),
        is_called,
    )


def _line_candidates(split: SplitText, selected: Selected, namer: Namer) -> Iterator[Candidate]:
    """Yield what the cursor's line names, each part of a chain apart, from what can follow to what does.

    The name that the cursor touches is still being typed.
    """
    prefix, suffix = _BEGUN.sub("", split.prefix), _REST.sub("", split.suffix)
    reached = _before_dot(prefix)
    for chain in dict.fromkeys((*chains(suffix), *chains(prefix), reached)):
        known = [one for one in namer.prefixes(chain) if one is not None] if chain else []
        parts = len(chain) if chain == reached else len(chain) - 1
        for found in known[:parts]:
            yield from _container(namer.container(found), selected, namer)
        if len(known) == len(chain) > parts and isinstance(known[-1], Target):
            yield from _exactly(known[-1], selected, namer)


def _before_dot(prefix: str) -> Chain:
    """Return the chain before a dot at the end of a text, of which a part is about to be named."""
    found = _REACHED.search(prefix)
    return tuple(found["chain"].split(".")) if found else ()


def _container(found: Found, selected: Selected, namer: Namer) -> Iterator[Candidate]:
    """Yield a module or class, of which a part is named or about to be."""
    if isinstance(found, Module):
        yield from _module(found, selected, namer)
    elif not namer.resolver.is_own(found):
        shown = selected.rest(found.path, found.definition)
        if shown is not None:
            yield _candidate((found.path, shown.name), _Use(shown, 0, LINE), selected.words)


def _exactly(found: Target, selected: Selected, namer: Namer) -> Iterator[Candidate]:
    """Yield a definition that is named; of a member's class, nothing else."""
    if namer.resolver.is_own(found) or found.is_instance:
        return
    owner, part, shown = found.owner, found.definition, found.definition
    if part.kind == "class" and (init := namer.resolver.member(found, "__init__")) is not None:
        owner, part = part, init.definition  # it is about to be constructed
    if owner is not None:
        shown = replace(owner, doc="", members=(part,))
    if not selected.shows(found.path, part, owner):
        key = (found.path, shown.name, part.name)
        yield _candidate(key, _Use(shown, 0, LINE, {part.name}), selected.words, is_called=True)


def _module(module: Module, selected: Selected, namer: Namer) -> Iterator[Candidate]:
    path = next(iter(namer.resolver.files_of(module)), "")
    summary = namer.resolver.summary(path) if path else None
    definitions = summary.definitions if summary is not None else ()
    if definitions:
        yield Candidate(
            (path,),
            path,
            LINE,
            (path, 0),
            lambda length: members_of_module(definitions, length, selected.words),
        )


__all__ = ["Selected", "select_on_line", "select_stable"]
