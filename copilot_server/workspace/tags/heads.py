"""The heads of a file's definitions, found by the tags query of its grammar. Nothing is executed."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from tree_sitter import Node

from copilot_server.workspace.summary import Definition, FileSummary
from copilot_server.workspace.tags.grammars import Captures, Grammar, parse, tags
from copilot_server.workspace.tags.imports import read_imports
from copilot_server.workspace.tags.text import MAX_TYPE, MAX_VALUE, cut, doc_above, head, is_written_by_hand

#: The most members that are kept of a class, and definitions of a file.
MAX_MEMBERS, MAX_DEFINITIONS = 200, 1000
#: How much of the text above a definition is read for its comment, in bytes.
_MAX_ABOVE = 4_000

_KINDS = ("scope", "impl", "class", "method", "function", "field", "variable", "embedded")
_NAMES = frozenset({"identifier", "field_identifier", "type_identifier"})
_FUNCTIONS = frozenset({"arrow_function", "function_expression", "generator_function"})
_MODIFIERS = re.compile(rb"[A-Za-z \t]*")
_PRIVATE = re.compile(r"(?:static |final |readonly |abstract )*private\b|#|static #")
_BASES = re.compile(r"\b(?:extends|implements)\b(?P<script>.*)|[)\w>]\s*:(?!:)(?P<cpp>.*)")
_ARGUMENTS = re.compile(r"<[^<>]*>")
_BASE = re.compile(r"[A-Za-z_$][\w$]*(?:(?:\.|::)[A-Za-z_$][\w$]*)*")
_NO_BASES = frozenset({"extends", "implements", "public", "private", "protected", "virtual", "where", "for"})
_TRAIT = re.compile(r"(?:pub(?:\([^)]*\))? )?(?:unsafe )?trait\b")
_OF_CPP = frozenset({"class_specifier", "struct_specifier"})
_TESTS = frozenset({"tests", "test"})
_EXPORTS = frozenset({"exports", "module.exports"})


def summarizer(grammar: Grammar, family: str) -> Callable[[str], FileSummary]:
    """Return the function that reads what a text defines and imports, however broken it is."""

    def summarize(text: str) -> FileSummary:
        if not is_written_by_hand(text):
            return FileSummary()
        source = text.encode("utf-8", "replace")
        root = parse(source, grammar)
        if root is None:
            return FileSummary()
        reader = _Reader(source, family)
        for tag in sorted(_tags(root, grammar, source), key=lambda one: one.order):
            reader.read(tag)
        return FileSummary(reader.definitions(), read_imports(text, family))

    return summarize


@dataclass(frozen=True, slots=True)
class _Tag:
    """A definition as the query has found it."""

    kind: str
    node: Node
    name: str
    captures: Captures
    start: int
    end: int

    @property
    def order(self) -> tuple[int, int, int]:
        return self.start, -self.end, _KINDS.index(self.kind)


@dataclass(slots=True)
class _Class:
    """A class that is being read, and what is private in it: the offsets where that changes."""

    definition: Definition
    members: list[Definition] = field(default_factory=list)
    end: int = 0
    changes: tuple[int, ...] = ()
    private: tuple[bool, ...] = (False,)

    def is_private(self, start: int) -> bool:
        return self.private[bisect_right(self.changes, start)]


def _tags(root: Node, grammar: Grammar, source: bytes) -> Iterator[_Tag]:
    for captures in tags(root, grammar):
        kind = next((one for one in _KINDS if one in captures), "")
        if not kind:
            continue
        node, name = captures[kind][0], captures.get("name", [None])[0]
        if "declarator" in captures:
            name, is_function = _declared(captures["declarator"][0])
            if is_function:
                kind = {"field": "method", "variable": "function"}.get(kind, kind)
        if name is not None or kind == "embedded":
            yield _Tag(kind, node, _text(name, source), captures, node.start_byte, node.end_byte)


def _declared(node: Node | None) -> tuple[Node | None, bool]:
    """Return the name in a declarator of C, and whether it is that of a function."""
    is_function = False
    while node is not None and node.type not in _NAMES:
        inner = node.child_by_field_name("declarator")
        if node.type in {"parenthesized_declarator", "reference_declarator"}:
            inner = next(iter(node.named_children), None)
        is_function |= node.type == "function_declarator" and inner is not None and inner.type in _NAMES
        node = inner
    return node, is_function


def _text(node: Node | None, source: bytes) -> str:
    # ``Node.text`` would ask the function that the parser has read from, for each byte.
    return "" if node is None else source[node.start_byte : node.end_byte].decode("utf-8", "replace")


class _Reader:
    """What has been found in a file; the tags come in the order of their starts, outer ones first."""

    def __init__(self, source: bytes, family: str) -> None:
        self._source = source
        self._family = family
        self._classes: dict[str, _Class] = {}
        self._others: dict[str, Definition] = {}
        self._open: list[_Class] = []
        self._closed_until = 0
        self._last: _Tag | None = None

    def definitions(self) -> tuple[Definition, ...]:
        """Return the definitions, classes first."""
        classes = (
            replace(one.definition, members=tuple(one.members[:MAX_MEMBERS]))
            for one in self._classes.values()
        )
        return (*classes, *self._others.values())[:MAX_DEFINITIONS]

    def read(self, tag: _Tag) -> None:
        """Take a tag, unless it is in a function or in a value."""
        # Several names may be declared at once; a type may be tagged as more than one thing.
        last, self._last = self._last, tag
        is_same = last is not None and (last.start, last.end) == (tag.start, tag.end)
        is_known = last is not None and last.name == tag.name
        if is_known if is_same else tag.start < self._closed_until:
            return
        while self._open and self._open[-1].end <= tag.start:
            self._open.pop()
        if tag.kind == "scope":
            # Tests in the file are nothing that other files use.
            self._closed_until = tag.end if tag.name in _TESTS else self._closed_until
        elif tag.kind == "embedded":
            self._add_base(tag)
        elif tag.kind in {"class", "impl"}:
            self._open_class(tag)
        else:
            self._closed_until = tag.end
            self._add(tag)

    def _open_class(self, tag: _Tag) -> None:
        name = _BASE.match(tag.name)
        if name is None:
            return
        written = self._head(tag)
        if tag.node.type == "type_definition":
            written = f"{written} {name[0]}"
        bases = _bases(written)
        if tag.kind == "impl":
            trait = tag.node.child_by_field_name("trait")
            bases = (_without_arguments(_text(trait, self._source)),) if trait is not None else ()
        one = Definition(name[0], "class", written, self._doc(tag), "", bases)
        known = self._classes.get(one.name)
        if known is None and bases and tag.kind == "impl":
            self._closed_until = tag.end
            return
        if known is None:
            known = self._classes[one.name] = _Class(one)
        elif tag.kind == "class" and known.definition.head.startswith("impl"):
            known.definition = replace(one, bases=known.definition.bases)
        elif tag.kind == "impl":
            known.definition = replace(known.definition, bases=(*known.definition.bases, *bases))
        if tag.kind == "impl" and bases:
            # What a trait demands, the trait says.
            self._closed_until = tag.end
            return
        known.end = tag.end
        known.changes, known.private = _private_parts(tag, self._source)
        self._open.append(known)

    def _add_base(self, tag: _Tag) -> None:
        if self._open:
            one = self._open[-1]
            base = _without_arguments(_text(tag.node, self._source).lstrip("*"))
            one.definition = replace(one.definition, bases=(*one.definition.bases, base))

    def _add(self, tag: _Tag) -> None:
        value = tag.node.child_by_field_name("value")
        is_function = tag.kind in {"method", "function"} or (value is not None and value.type in _FUNCTIONS)
        if "exports" in tag.captures and _text(tag.captures["exports"][0], self._source) not in _EXPORTS:
            return
        written = self._head(tag, MAX_VALUE if not is_function else None)
        one = Definition(
            tag.name,
            "function" if is_function else "variable",
            written,
            self._doc(tag) if is_function and not self._open else "",
            _type_of(tag, value, self._source),
        )
        receiver = tag.captures.get("receiver")
        if receiver:
            self._add_method(_receiver(_text(receiver[0], self._source)), one)
        elif self._open:
            self._add_member(self._open[-1], one, tag)
        elif tag.kind in {"function", "variable"}:
            self._others.setdefault(one.name, one)

    def _add_method(self, owner: str, method: Definition) -> None:
        """Add a method that stands outside of its class."""
        if owner:
            known = self._classes.setdefault(owner, _Class(Definition(owner, "class", "")))
            known.members.append(method)

    def _add_member(self, owner: _Class, one: Definition, tag: _Tag) -> None:
        if self._family == "rust":
            is_open = tag.node.type == "enum_variant" or one.head.startswith("pub")
            is_hidden = not is_open and _TRAIT.match(owner.definition.head) is None
        else:
            is_hidden = owner.is_private(tag.start) or _PRIVATE.match(one.head) is not None
        if not is_hidden:
            owner.members.append(one)

    def _head(self, tag: _Tag, length: int | None = None) -> str:
        """Return a definition's text up to its body, with the words before it on its line."""
        start, end = tag.start, self._body_start(tag)
        if tag.node.parent is not None and tag.node.parent.type == "template_declaration":
            start = tag.node.parent.start_byte
        line = self._source.rfind(b"\n", 0, start) + 1
        before = self._source[line:start]
        before = before[max(before.rfind(sign) for sign in (b"{", b"}", b";", b",")) + 1 :]
        if _MODIFIERS.fullmatch(before):
            start -= len(before)
        text = self._source[start:end].decode("utf-8", "replace").strip()
        return head(text) if length is None else head(text, length)

    def _body_start(self, tag: _Tag) -> int:
        if body := tag.captures.get("body"):
            brace = self._source.find(b"{", body[0].start_byte, body[0].end_byte)
            return brace if brace >= 0 else body[0].end_byte
        holder = tag.node
        if holder.type == "macro_definition":
            brace = self._source.find(b"{", tag.start, tag.end)
            return brace if brace >= 0 else tag.end
        value = holder.child_by_field_name("value") or holder.child_by_field_name("right")
        if value is not None and value.type in _FUNCTIONS:
            holder = value
        inner = holder.child_by_field_name("body")
        if holder.type == "function_definition":
            inner = next((one for one in holder.children if one.type == "field_initializer_list"), inner)
        is_part = inner is None or inner.type == "ordered_field_declaration_list"
        if inner is None or is_part or holder.type == "enum_variant":
            return tag.end
        return inner.start_byte

    def _doc(self, tag: _Tag) -> str:
        line = self._source.rfind(b"\n", 0, tag.start)
        if line <= 0:
            return ""
        above = self._source[max(0, line - _MAX_ABOVE) : line]
        return doc_above(above.decode("utf-8", "replace"))


def _type_of(tag: _Tag, value: Node | None, source: bytes) -> str:
    """Return the type of a variable or of what a function returns, or ``Name()`` for what a call gives."""
    for name in ("return_type", "result", "type"):
        node = (value if value is not None and value.type in _FUNCTIONS else tag.node).child_by_field_name(
            name
        )
        if node is not None:
            return cut(" ".join(_text(node, source).lstrip(": ").split()), MAX_TYPE)
    if value is not None and value.type == "new_expression":
        return _text(value.child_by_field_name("constructor"), source)[:MAX_TYPE]
    if value is not None and value.type == "call_expression":
        called = _text(value.child_by_field_name("function"), source)
        return f"{called}()" if _BASE.fullmatch(called) else ""
    return ""


def _receiver(text: str) -> str:
    """Return the type of a method's receiver, as in ``(s *Store[T])``."""
    names = _BASE.findall(_without_arguments(text.replace("[", "<").replace("]", ">")))
    return names[-1] if names else ""


def _without_arguments(text: str) -> str:
    while (shorter := _ARGUMENTS.sub("", text)) != text:
        text = shorter
    return text.strip()


def _bases(written: str) -> tuple[str, ...]:
    """Return the names of the bases in the head of a class."""
    found = _BASES.search(_without_arguments(written))
    names = _BASE.findall(found["script"] or found["cpp"] or "") if found else []
    return tuple(one for one in names if one not in _NO_BASES)


def _private_parts(tag: _Tag, source: bytes) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    """Return where ``private:`` and ``public:`` stand in a class of C++, and what is private between."""
    body = tag.node.child_by_field_name("body") if tag.node.type in _OF_CPP else None
    signs = [one for one in body.children if one.type == "access_specifier"] if body is not None else []
    is_private = tag.node.type == "class_specifier"
    return (
        tuple(one.start_byte for one in signs),
        (is_private, *("private" in _text(one, source) for one in signs)),
    )
