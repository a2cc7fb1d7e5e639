"""What the names on the cursor's line add to what is selected without it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from copilot_server.workspace.python.document import SplitText
from copilot_server.workspace.python.naming import Chain, Namer, chains
from copilot_server.workspace.python.render import is_field, members_of_module, names_of_members, render
from copilot_server.workspace.python.resolve import Files, Found, Module, Target
from copilot_server.workspace.python.select import OUTSIDE, Selected
from copilot_server.workspace.select import Candidate, Limits, append
from copilot_server.workspace.summary import Definition
from copilot_server.workspace.types import Snippet

WORTH = 4.0
#: The longest list of the members that are not shown of a class, in code points.
MAX_NAMES = 130

_BEGUN = re.compile(r"\w+\Z")
_REACHED = re.compile(r"(?<![\w.])(?P<chain>(?:super\(\)|[A-Za-z_]\w*)(?:\.[A-Za-z_]\w*)*)\.\Z")
_REST = re.compile(r"\A\w+")


def select_on_line(
    split: SplitText, selected: Selected, files: Files, path: str, limits: Limits
) -> tuple[Snippet, ...]:
    """Return what the names on the cursor's line add. Names that follow add more, and change nothing."""
    line = _Line(selected, Namer(files, path, split, selected.around), files.is_outside)
    return append(selected.snippets, line.candidates(split), limits)


class _Line:
    """The names on a line, and what of their definitions is selected already."""

    def __init__(self, selected: Selected, namer: Namer, is_outside: Callable[[str], bool]) -> None:
        self._selected = selected
        self._namer = namer
        self._is_outside = is_outside

    def candidates(self, split: SplitText) -> Iterator[Candidate]:
        """Yield what the line names, each part of a chain apart, from what can follow to what does.

        The name that the cursor touches is still being typed.
        """
        prefix, suffix = _BEGUN.sub("", split.prefix), _REST.sub("", split.suffix)
        reached = _before_dot(prefix)
        named = [*chains(suffix), *chains(prefix)]
        if reached and named[-1:] == [reached]:
            named.pop()  # it may stand further to the left too, where it goes on adding what it added
        for chain in dict.fromkeys(named):
            yield from self._named(chain, len(chain) - 1)
        yield from self._named(reached, len(reached))

    def _named(self, chain: Chain, parts: int) -> Iterator[Candidate]:
        """Yield the containers that the first parts of a chain name, and what all of it names besides."""
        known = [one for one in self._namer.prefixes(chain) if one is not None] if chain else []
        for found in known[:parts]:
            yield from self._container(self._namer.container(found))
        if len(known) == len(chain) > parts and isinstance(known[-1], Target):
            yield from self._exactly(known[-1])

    def _container(self, found: Found) -> Iterator[Candidate]:
        """Yield a module or class of which a part is named, or about to be."""
        if isinstance(found, Module):
            yield from self._module(found)
        elif not self._namer.resolver.is_own(found):
            whole, words = found.definition, self._selected.words
            text = self._shown(found.path, whole)
            if not text:
                yield self._candidate(found.path, whole.name, lambda length: render(whole, length, (), words))
            elif left := [one for one in whole.members if not _names(text, one.name)]:
                key = f"{whole.name}."
                yield self._candidate(
                    found.path, key, lambda length: names_of_members(whole, left, min(length, MAX_NAMES))
                )

    def _exactly(self, found: Target) -> Iterator[Candidate]:
        """Yield a definition that is named; of a member's class, nothing else."""
        if self._namer.resolver.is_own(found) or found.is_instance:
            return
        owner, part = found.owner, found.definition
        if part.kind == "class":
            yield from self._constructed(found)
        elif owner is None or part.kind == "function":
            yield from self._part(found.path, owner, part)

    def _constructed(self, found: Target) -> Iterator[Candidate]:
        """Yield what a call of a class takes: the parameters of ``__init__``, or the fields."""
        init = self._namer.resolver.member(found, "__init__")
        if init is not None:
            yield from self._part(found.path, found.definition, init.definition)
            return
        fields = tuple(filter(is_field, found.definition.members))
        text = self._shown(found.path, found.definition)
        if not text or not all(_names(text, one.name) for one in fields):
            only = replace(found.definition, doc="", members=fields)
            yield self._candidate(found.path, only.name, lambda length: render(only, length), is_called=True)

    def _part(self, path: str, owner: Definition | None, part: Definition) -> Iterator[Candidate]:
        """Yield a definition, alone or in the class ``owner``, if no snippet shows it."""
        text = self._shown(path, owner or part)
        if owner is None:
            shown, is_shown = part, bool(text)
        else:
            shown, is_shown = replace(owner, doc="", members=(part,)), f"def {part.name}(" in text
        if not is_shown:
            key = f"{shown.name}.{part.name}"
            yield self._candidate(path, key, lambda length: _rendered(shown, part, length), is_called=True)

    def _module(self, module: Module) -> Iterator[Candidate]:
        path = next(iter(self._namer.resolver.files_of(module)), "")
        summary = self._namer.resolver.summary(path) if path else None
        definitions, words = summary.definitions if summary is not None else (), self._selected.words
        # What a package outside of the workspace has is too much to list each time that its name is typed.
        if definitions and not self._is_outside(path):
            yield self._candidate(path, "", lambda length: members_of_module(definitions, length, words))

    def _candidate(
        self, path: str, key: str, render_in: Callable[[int], str], *, is_called: bool = False
    ) -> Candidate:
        is_outside = self._is_outside(path)
        worth = WORTH * OUTSIDE if is_outside else WORTH
        return Candidate((path, key), path, worth, (path, 0), render_in, is_called, is_outside)

    def _shown(self, path: str, definition: Definition) -> str:
        """Return the snippets of a file that show a definition, as one text."""
        first = definition.head.rpartition("\n")[2].partition("(")[0].rstrip(":")
        found = re.compile(rf"^{re.escape(first)}\b", re.MULTILINE)
        snippets = (one.text for one in self._selected.snippets if one.path == path)
        return "\n".join(text for text in snippets if found.search(text))


def _before_dot(prefix: str) -> Chain:
    """Return the chain before a dot at the end of a text, of which a part is about to be named."""
    found = _REACHED.search(prefix)
    return tuple(found["chain"].split(".")) if found else ()


def _rendered(shown: Definition, part: Definition, length: int) -> str:
    """Return a definition of which ``part`` must be shown; "" if it does not fit."""
    text = render(shown, length, {part.name})
    return text if shown is part or f"def {part.name}(" in text else ""


def _names(text: str, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", text) is not None
