"""Which definitions of other files the code around a cursor, and then the cursor's line, names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from copilot_server.workspace.python.document import SplitText
from copilot_server.workspace.python.render import words_of
from copilot_server.workspace.select import Candidate, Limits, Use, append, select
from copilot_server.workspace.summary import Definition
from copilot_server.workspace.tags.document import Around, Link, declared_type, defines, is_used, links
from copilot_server.workspace.tags.render import heads, names_of, render
from copilot_server.workspace.tags.resolve import Files, Found, Package, Resolver, Target
from copilot_server.workspace.tags.text import word_set
from copilot_server.workspace.types import Snippet

#: What a name is worth by where it stands: before an open bracket, as a base of the class around, imported
#: and not used yet, in the function around, near the cursor where there is no function, and on its line.
CALLEE, BASE, UNUSED, FUNCTION, NEAR, LINE = 4.0, 2.0, 1.5, 2.0, 1.0, 4.0
#: The share that a function or a constant has where it is used already, that a base of a class has, and that
#: a name has which nothing imports.
PAST, LESS, GUESSED = 0.4, 0.5, 0.5
#: The longest list of the members of a class that are not shown, in code points.
MAX_NAMES = 130
#: How many names around the cursor are looked up.
MAX_LINKS = 100
#: Of how many variables the type is looked for.
MAX_TYPES = 25

_BEGUN = re.compile(r"[\w$]+\Z")
_REST = re.compile(r"\A[\w$]+")
_REACHED = re.compile(
    r"(?<![\w$.])(?P<chain>[A-Za-z_$][\w$]*(?:(?:\?\.|!\.|\.|->|::)[A-Za-z_$][\w$]*)*)(?:\?\.|!\.|\.|->|::)\Z"
)
#: Functions of a type of Rust that most likely return one.
_MAKERS = frozenset({"new", "from", "default", "create"})
_ALIAS = re.compile(r"\A(?:\w+ )*(?:type|typedef|using)\b")
_OWN = frozenset({"this", "self", "Self", "super"})
#: Methods of the languages' own types, which no file of the workspace is likely to mean.
_COMMON = word_set(
    """
    toString forEach indexOf hasOwnProperty toLowerCase toUpperCase charAt startsWith endsWith hashCode
    to_string to_owned as_str as_ref unwrap_or push_str push_back is_empty is_some is_none get_mut into_iter
    isEmpty containsKey getClass substring splice c_str addEventListener querySelector getElementById
    """
)


@dataclass(frozen=True, slots=True)
class Selected:
    """The snippets that do not depend on the cursor's line; ``words``: those of the code around."""

    snippets: tuple[Snippet, ...]
    around: Around
    words: frozenset[str]


def select_stable(split: SplitText, around: Around, files: Files, path: str, limits: Limits) -> Selected:
    """Select what the code around the cursor names, without the cursor's line."""
    namer = _Namer(split, around, files, path)
    words = words_of(around.text)
    uses: dict[tuple[str, str], Use] = {}
    for link, worth in _weighted(split, around):
        found = namer.known(link)
        if found:
            _note(uses, found[-1], worth, namer, link)
    candidates = (_candidate(of, use, around.family, words) for (of, _), use in uses.items())
    return Selected(select(candidates, limits), around, words)


def select_on_line(
    split: SplitText, selected: Selected, files: Files, path: str, limits: Limits
) -> tuple[Snippet, ...]:
    """Return what the names on the cursor's line add. Names that follow add more, and change nothing."""
    line = _Line(selected, _Namer(split, selected.around, files, path))
    return append(selected.snippets, line.candidates(split), limits)


def _weighted(split: SplitText, around: Around) -> Iterator[tuple[Link, float]]:
    for callee in around.callees:
        yield callee, CALLEE
    for base in around.bases:
        yield Link((base,)), BASE
    worth = FUNCTION if around.in_function else NEAR
    text = "\n".join((*around.headers, around.text))
    for count, link in enumerate(links(text, around.family)):
        if count == MAX_LINKS:
            return
        yield link, worth
    for name in _unused(split, around):
        yield Link((name,)), UNUSED


def _unused(split: SplitText, around: Around) -> Iterator[str]:
    """Yield the imported names that the document does not use yet: who imports something is about to."""
    for name in dict.fromkeys(one.bound for one in around.imports if one.bound):
        if not is_used(split, name):
            yield name


class _Namer:
    """Finds what the names in the document mean."""

    def __init__(self, split: SplitText, around: Around, files: Files, path: str) -> None:
        self.resolver = Resolver(files, path, around.family, around.imports)
        self._split = split
        self._around = around
        self._firsts: dict[str, Found | None] = {}
        self._types_left = MAX_TYPES

    def known(self, link: Link) -> list[Found]:
        """Return what ``a``, ``a.b`` and ``a.b.c`` mean, as far as it is known."""
        found: list[Found] = []
        current: Found | None = None
        for at, name in enumerate(link.parts):
            if current is not None:
                current = self.resolver.attribute(current, name)
            elif at == 0 or self._is_path:
                # The first names of a path may be those of folders or namespaces.
                current = self.first(name)
            elif at == 1:
                # A field: that of a class that the document itself defines, whatever the instance is called.
                current = self._field(link.parts[0], name)
            if current is not None:
                found.append(current)
            elif found:
                break
        return found

    @property
    def _is_path(self) -> bool:
        return self._around.family in {"rust", "c"}

    def first(self, name: str) -> Found | None:
        """Return what a name alone means: a definition, or the class of a variable."""
        return self._once(name, lambda: self._find(name))

    def _once(self, key: str, find: Callable[[], Found | None]) -> Found | None:
        if key not in self._firsts:
            self._firsts[key] = None  # a variable may be set to what a method of its value returns
            self._firsts[key] = find()
        return self._firsts[key]

    def _find(self, name: str) -> Found | None:
        if name in _OWN:
            bases = [self.resolver.lookup(base) for base in self._around.bases]
            return next((one for one in bases if one is not None), None)
        found = self._named(name)
        if found is None and self._types_left > 0:
            self._types_left -= 1
            found = self._of_type(name)
        return found

    def _named(self, name: str) -> Found | None:
        """Return the definition of a name, unless the document may mean its own."""
        found = self.resolver.lookup(name)
        is_guessed = isinstance(found, Target) and found.is_guessed
        return None if is_guessed and defines(self._split, name) else found

    def _of_type(self, name: str) -> Target | None:
        """Return the class of a variable or a field that the document declares."""
        type_ = declared_type(self._split, name, self._around.family)
        chain = tuple(part for part in re.split(r"\.|::", type_.removesuffix("()")) if part)
        is_own = chain[:1] == (name,) and type_.endswith("()")
        if not chain or is_own or chain == (self._around.owner,):
            return None
        if self._around.family == "rust" and len(chain) > 1 and chain[-1] in _MAKERS:
            chain = chain[:-1]
        if type_.endswith("()"):
            known = self.known(Link(chain))
            last = known[-1] if known else None
            return self.resolver.container(last) if isinstance(last, Target) else None
        return self.resolver.class_of(type_) or self._alias(chain)

    def _alias(self, chain: tuple[str, ...]) -> Target | None:
        """Return the type that is not a class, such as that of a function."""
        known = self.known(Link(chain))
        last = known[-1] if known else None
        return last if isinstance(last, Target) and _is_type(last.definition) else None

    def _field(self, instance: str, name: str) -> Found | None:
        found = self._once(f".{name}", lambda: self._of_type(name))
        base = self.first("super") if found is None and instance in _OWN else None
        return self.resolver.attribute(base, name) if base is not None else found


def _note(uses: dict[tuple[str, str], Use], found: Found, worth: float, namer: _Namer, link: Link) -> None:
    """Note the use of a definition in another file, and that of its bases."""
    if isinstance(found, Package):
        return
    shown = found.owner or found.definition
    if found.definition.kind == "class" and found.definition.name not in link.parts and worth == NEAR:
        worth *= LESS
    if not _is_type(shown) and worth in {FUNCTION, NEAR}:
        worth *= PAST
    worth *= GUESSED if found.is_guessed else 1.0
    key = (found.path, shown.name)
    is_new = key not in uses
    use = uses.setdefault(key, Use(shown, namer.resolver.position(found.path, shown.name)))
    if found.owner is not None:
        use.members.add(found.definition.name)
    use.worth = max(use.worth, worth)
    if is_new and shown.kind == "class":
        for base in namer.resolver.bases(Target(found.path, shown)):
            _note(uses, base, worth * LESS, namer, link)


def _is_type(definition: Definition) -> bool:
    return definition.kind == "class" or _ALIAS.search(definition.head) is not None


def _candidate(path: str, use: Use, family: str, words: frozenset[str]) -> Candidate:
    shown, members = use.definition, frozenset(use.members)
    return Candidate(
        (path, shown.name),
        path,
        use.worth,
        (path, use.position),
        lambda length: render(shown, length, family, members, words),
    )


class _Line:
    """The names on a line, and what of their definitions is selected already."""

    def __init__(self, selected: Selected, namer: _Namer) -> None:
        self._selected = selected
        self._namer = namer
        self._family = selected.around.family

    def candidates(self, split: SplitText) -> list[Candidate]:
        """Return what the line names, from what can follow to what does.

        The name that the cursor touches is still being typed.
        """
        prefix, suffix = _BEGUN.sub("", split.prefix), _REST.sub("", split.suffix)
        found = _REACHED.search(prefix)
        reached = Link(tuple(re.split(r"\?\.|!\.|\.|->|::", found["chain"]))) if found else None
        on_line = dict.fromkeys((*links(suffix, self._family), *links(prefix, self._family)))
        # A name before the cursor's dot is about to be named in part.
        names = [one for one in on_line if reached is None or one.parts != reached.parts]
        if reached is not None:
            names.append(reached)
        found_by_key: dict[tuple[str, ...], Candidate] = {}
        for link in names:
            for one in self._of(link, is_reached=link == reached):
                # What is called counts more than what is only named.
                if one.is_called or one.key not in found_by_key:
                    found_by_key[one.key] = one
        return list(found_by_key.values())

    def _of(self, link: Link, *, is_reached: bool) -> Iterator[Candidate]:
        known = self._namer.known(link)
        if not known:
            if link.is_called and len(link.parts) > 1:
                yield from self._guessed(link.parts[-1])
            return
        last = known[-1]
        for one in known if is_reached else known[: len(link.parts) - 1]:
            yield from self._container(one, is_reached=is_reached and one is last)
        if isinstance(last, Target) and not is_reached and self._is_last(last, link):
            yield from self._exactly(last, link)

    def _is_last(self, found: Target, link: Link) -> bool:
        return found.definition.name == link.parts[-1] or len(link.parts) == 1

    def _guessed(self, name: str) -> Iterator[Candidate]:
        """Yield the only method of a name that has more than one word, whatever has it."""
        if name in _COMMON or len(re.findall(r"[a-z0-9]+|[A-Z][a-z0-9]*", name)) < 2:
            return
        found = self._namer.resolver.member_anywhere(name)
        if found is not None and found.owner is not None:
            yield from self._part(found.path, found.owner, found.definition, LINE * GUESSED)

    def _container(self, found: Found, *, is_reached: bool) -> Iterator[Candidate]:
        """Yield a module or class of which a part is named, or about to be."""
        if isinstance(found, Package):
            if is_reached:
                yield from self._package(found)
            return
        holder = self._namer.resolver.container(found)
        if holder is None:
            return
        whole, words, worth = holder.definition, self._selected.words, self._worth(holder)
        text = self._shown(holder.path, whole)
        if not text:
            yield self._candidate(
                holder.path,
                whole.name,
                worth,
                lambda length: render(whole, length, self._family, (), words),
                is_called=is_reached,
            )
        elif left := [one for one in whole.members if not _names(text, one.name)]:
            yield self._candidate(
                holder.path,
                f"{whole.name}.",
                worth,
                lambda length: names_of(whole, left, min(length, MAX_NAMES)),
            )

    def _exactly(self, found: Target, link: Link) -> Iterator[Candidate]:
        """Yield a definition that is named."""
        owner, part = found.owner, found.definition
        if part.kind == "class":
            text = self._shown(found.path, part)
            if not text:
                yield self._candidate(
                    found.path,
                    part.name,
                    self._worth(found),
                    lambda length: render(
                        part, length, self._family, _constructors(part), self._selected.words
                    ),
                    is_called=link.is_called,
                )
        elif owner is None or part.kind == "function":
            yield from self._part(found.path, owner, part, self._worth(found))

    def _part(
        self, path: str, owner: Definition | None, part: Definition, worth: float
    ) -> Iterator[Candidate]:
        """Yield a definition, alone or in the class ``owner``, if no snippet shows it."""
        text = self._shown(path, owner or part)
        if text and (owner is None or part.head in text):
            return
        shown = part if owner is None else replace(owner, doc="", members=(part,))
        yield self._candidate(
            path,
            f"{shown.name}.{part.name}",
            worth,
            lambda length: render(shown, length, self._family, {part.name}),
            is_called=True,
        )

    def _package(self, package: Package) -> Iterator[Candidate]:
        """Yield what each file of a module defines."""
        for path, definitions in self._namer.resolver.exported(package):
            yield self._module(path, definitions)

    def _module(self, path: str, definitions: Sequence[Definition]) -> Candidate:
        words = self._selected.words
        return self._candidate(
            path, "", LINE, lambda length: heads(definitions, length, self._family, words), is_called=True
        )

    def _worth(self, found: Target) -> float:
        return LINE * (GUESSED if found.is_guessed else 1.0)

    def _shown(self, path: str, definition: Definition) -> str:
        """Return the snippets of a file that show a definition, as one text."""
        snippets = (one.text for one in self._selected.snippets if one.path == path)
        return "\n".join(text for text in snippets if definition.head and definition.head in text)

    def _candidate(
        self, path: str, key: str, worth: float, render_in: Callable[[int], str], *, is_called: bool = False
    ) -> Candidate:
        return Candidate((path, key), path, worth, (path, 0), render_in, is_called)


def _constructors(part: Definition) -> frozenset[str]:
    return frozenset({"constructor", "new", part.name})


def _names(text: str, name: str) -> bool:
    return re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", text) is not None
