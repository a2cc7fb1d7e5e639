"""Which definitions of other files the Python code around a cursor's line names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from copilot_server.workspace.python.document import SplitText, Surroundings, without_imports
from copilot_server.workspace.python.naming import Chain, Namer, chains
from copilot_server.workspace.python.render import has_visible_members, render, words_of
from copilot_server.workspace.python.resolve import Files, Found, Module, Target
from copilot_server.workspace.select import Candidate, Limits, Use, select
from copilot_server.workspace.summary import Definition
from copilot_server.workspace.types import Snippet

#: What a name is worth by where it stands: before an open bracket, as a base of the class around, imported
#: and not used yet, in the function around, or near the cursor where there is no function.
CALLEE, BASE, UNUSED, FUNCTION, NEAR = 4.0, 2.0, 1.5, 2.0, 1.0
#: The share of its worth that an instance has which is only passed on, and a base of a class that is named.
LESS = 0.5
#: The share of its worth that a definition of an installed package has. Models know the common ones.
OUTSIDE = 0.5
#: The longest document in which uses of imported names are counted, in code points: some 2,500 lines.
_MAX_SEARCHED = 100_000
#: The share that a function or a constant has where it is used already. Its use shows what matters.
PAST = 0.4

#: A variable that only renames something, or whose value is too long, says nothing.
_ALIAS = re.compile(r"\w+ = (?:\.\.\.|(?!(?:True|False|None)\Z)[A-Za-z_][\w.]*)")


@dataclass(frozen=True, slots=True)
class Selected:
    """The snippets that do not depend on the cursor's line, and what it takes to add those that do.

    ``words``: those of the code around.
    """

    snippets: tuple[Snippet, ...]
    around: Surroundings
    words: frozenset[str]


def select_stable(
    split: SplitText, around: Surroundings, files: Files, path: str, limits: Limits
) -> Selected:
    """Select what the code around the cursor names, without the cursor's line.

    Of definitions of installed packages only the closest uses count.
    """
    namer = Namer(files.workspace, path, split, around)
    words = words_of(f"{around.function}\n{around.near}")
    uses: dict[tuple[str, str], Use] = {}
    for chain, worth in _weighted(split, around):
        for found in namer.deepest(chain):
            _note(uses, found, worth, namer)
    candidates = [_candidate(path, use, words) for (path, _), use in uses.items()]
    if files is not files.workspace:
        outside = _outside(split, around, files, path)
        candidates += (_candidate(path, use, words, is_outside=True) for (path, _), use in outside.items())
    return Selected(select(candidates, limits), around, words)


def ask_for_imports(split: SplitText, around: Surroundings, files: Files, path: str) -> None:
    """Ask for what the document imports, so that it is known before the first use of it is typed."""
    namer = Namer(files, path, split, around)
    for name in dict.fromkeys(one.bound for one in around.own.imports if one.bound):
        found = next(namer.deepest((name,)), None)
        if isinstance(found, Module):
            for file in namer.resolver.files_of(found):
                files.summary(file)


def _outside(split: SplitText, around: Surroundings, files: Files, path: str) -> dict[tuple[str, str], Use]:
    """Return the closest uses of definitions of installed packages: what is called, and bases."""
    namer = Namer(files, path, split, around)
    uses: dict[tuple[str, str], Use] = {}
    for chain, worth in _closest(around):
        found = next(namer.deepest(chain), None)
        if isinstance(found, Target) and files.is_outside(found.path):
            shown = found.owner or found.definition
            if not _says_nothing(shown, worth * OUTSIDE):
                _use(uses, found, worth * OUTSIDE, namer)
    return uses


def _closest(around: Surroundings) -> Iterator[tuple[Chain, float]]:
    """Yield what is called where the cursor's line starts, and the bases of the class around it."""
    for callee in around.callees:
        yield tuple(callee.split(".")), CALLEE
    for definition in around.own.definitions:
        for base in definition.bases:
            yield tuple(base.split(".")), BASE


def _weighted(split: SplitText, around: Surroundings) -> Iterator[tuple[Chain, float]]:
    """Yield the names around the cursor with their worth."""
    yield from _closest(around)
    text, worth = (around.function, FUNCTION) if around.function else (around.near, NEAR)
    for chain in chains(without_imports(text)):
        yield chain, worth
    for name in unused_imports(split, around):
        yield (name,), UNUSED


def unused_imports(split: SplitText, around: Surroundings) -> Iterator[str]:
    """Yield the imported names that the document does not use yet, apart from the cursor's line.

    Who imports something is about to use it. In a document so long that a search for each name would take
    milliseconds, there are none.
    """
    if len(split.before) + len(split.after) > _MAX_SEARCHED:
        return
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


def _note(uses: dict[tuple[str, str], Use], found: Found, worth: float, namer: Namer) -> None:
    """Note the use of a definition in another file, and that of its bases."""
    if isinstance(found, Module) or namer.resolver.is_own(found):
        return
    shown = found.owner or found.definition
    if shown.kind != "class" and worth in {FUNCTION, NEAR}:
        worth *= PAST
    elif found.is_instance:
        worth *= LESS
    if _says_nothing(shown, worth):
        return
    is_new = (found.path, shown.name) not in uses
    _use(uses, found, worth, namer)
    if is_new and shown.kind == "class":
        for base in namer.resolver.bases(Target(found.path, shown)):
            _note(uses, base, worth * LESS, namer)


def _use(uses: dict[tuple[str, str], Use], found: Target, worth: float, namer: Namer) -> None:
    """Note the use of a definition, or of a member of it."""
    shown = found.owner or found.definition
    use = uses.setdefault((found.path, shown.name), Use(shown, _position(namer, found.path, shown)))
    if found.owner is not None:
        use.members.add(found.definition.name)
    use.worth = max(use.worth, worth)


def _says_nothing(definition: Definition, worth: float) -> bool:
    is_bare = definition.kind == "class" and not has_visible_members(definition)
    return bool(_ALIAS.fullmatch(definition.head)) or (is_bare and worth < UNUSED)


def _position(namer: Namer, path: str, definition: Definition) -> int:
    summary = namer.resolver.summary(path)
    names = [one.name for one in summary.definitions] if summary is not None else []
    return names.index(definition.name) if definition.name in names else len(names)


def _candidate(path: str, use: Use, words: frozenset[str], *, is_outside: bool = False) -> Candidate:
    members = frozenset(use.members)
    return Candidate(
        (path, use.definition.name),
        path,
        use.worth,
        (path, use.position),
        lambda length: render(use.definition, length, members, words),
        is_outside=is_outside,
    )
