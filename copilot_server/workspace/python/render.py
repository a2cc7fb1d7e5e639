"""Definitions as plain code: heads, the first lines of docstrings, and the members likely to be needed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache

from copilot_server.workspace.summary import Definition

INDENT = "    "
_MORE = "..."
_ENUMS = frozenset({"Enum", "IntEnum", "StrEnum", "Flag", "IntFlag", "TextChoices", "IntegerChoices"})
_OVERLOAD = " ...\n@overload\n"
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
#: The shortest word that says something when two names share it.
_MIN_WORD = 3
#: The longest head of ``__init__`` that is shown even where nobody constructs an instance.
SHORT = 160
#: A head is cut if at least so much of it can be shown.
MIN_CUT = 120
#: The longest line that names the members that are not shown, and the longest docstring of a class.
MAX_ALSO, MAX_DOC = 120, 72
#: The room that is kept free for such a line.
MIN_ALSO = 60


def words_of(text: str) -> frozenset[str]:
    """Return the words in names, as ``get`` and ``items`` in ``getItems``, in lower case."""
    return frozenset(word.lower() for word in _WORDS.findall(text) if len(word) >= _MIN_WORD)


@lru_cache(maxsize=8192)
def _words_of_name(name: str) -> frozenset[str]:
    return words_of(name)


def render(
    definition: Definition, length: int, wanted: Collection[str] = (), words: Collection[str] = ()
) -> str:
    """Return the head of a definition in at most ``length`` code points; "" if it cannot be so short.

    ``wanted``: members that are named. ``words``: those of the code nearby, by which the other members of a
    long class are chosen. The members that do not fit are named in a comment.
    """
    if definition.kind == "class":
        return _class(definition, length, wanted, words)
    text = definition.head if definition.kind == "variable" else _with_doc(definition)
    if len(text) > length and definition.kind != "variable":
        text = _shortened(definition, length)
    return text if len(text) <= length else ""


def _shortened(definition: Definition, length: int) -> str:
    """Return a head without docstring and, if need be, without its last overloads or parameters."""
    head = definition.head
    while len(head) + 4 > length and head.count(_OVERLOAD) > 0:
        head = head[: head.rindex(_OVERLOAD)]
    return _cut(f"{head} ...", length)


def _cut(head: str, length: int) -> str:
    """Return a function's head without its last parameters, so that it fits."""
    if len(head) <= length:
        return head
    start, end = head.find("(", head.rfind("def ")), head.rfind(")")
    room = length - (len(head) - end) - len(", ...")
    cuts = [at for at in range(start + 1, max(start, room) + 1) if head.startswith(", ", at)]
    for at in reversed(cuts):
        kept = head[start + 1 : at]
        if all(kept.count(one) == kept.count(other) for one, other in ("()", "[]", "{}")):
            return f"{head[:at]}, ...{head[end:]}"
    return head


def members_of_module(definitions: Iterable[Definition], length: int, words: Collection[str] = ()) -> str:
    """Return the public heads of a module, without docstrings and members, as many as fit."""
    public = [one for one in definitions if not one.name.startswith("_")]
    shown = _fitting(public, length, (), words)
    if len(shown) < len(public):
        shown = _fitting(public, length - min(MIN_ALSO, length // 3), (), words)
    left = [one for one in public if one.name not in shown]
    also = _also(left, length - sum(len(text) + 1 for text in shown.values()), (), words)
    return "\n".join([*shown.values(), *also])


def names_of_members(definition: Definition, members: Collection[Definition], length: int) -> str:
    """Return a class that only names its members, the public ones first; "" if none fits."""
    ordered = sorted(members, key=lambda one: one.name.startswith("_"))
    head = f"{definition.head} ..."
    also = _also(ordered, length - len(head) - 1, (), (), INDENT)
    return "\n".join([head, *also]) if also and also != [f"{INDENT}{_MORE}"] else ""


def _with_doc(definition: Definition) -> str:
    if not definition.doc:
        return f"{definition.head} ..."
    return f'{definition.head}\n{INDENT}"""{definition.doc}"""'


def _class(definition: Definition, length: int, wanted: Collection[str], words: Collection[str]) -> str:
    has_doc = 0 < len(definition.doc) <= MAX_DOC and not is_enumeration(definition)
    head = _with_doc(definition) if has_doc else definition.head
    members = [one for one in _told_once(definition) if one.name in wanted or not _is_hidden(one.name)]
    room = length - len(head) - len(" ...")
    first = _enumeration(members, room * 2 // 3) if is_enumeration(definition) else []
    room -= sum(len(line) + 1 for line in first)
    told = [one for one in members if not _is_plain(one)]
    shown = _fitting(told, room, wanted, words, INDENT)
    if len(shown) < len(members) and not first:
        shown = _fitting(told, room - min(MIN_ALSO, room // 3), wanted, words, INDENT)
    room -= sum(len(text) + 1 for text in shown.values())
    left = [one for one in members if one.name not in shown and not (first and _is_plain(one))]
    also = _also(left, min(room, MAX_ALSO), wanted, words, INDENT)
    has_body = has_doc or first or shown
    text = "\n".join([head if has_body else f"{definition.head} ...", *first, *shown.values(), *also])
    if len(text) > length:
        text = f"{definition.head} ..."
    return text if len(text) <= length else ""


def is_enumeration(definition: Definition) -> bool:
    """Whether a class is an ``enum``."""
    return any(base.rpartition(".")[2] in _ENUMS for base in definition.bases)


def _enumeration(members: Collection[Definition], room: int) -> list[str]:
    """Return the line with the names of an enumeration's members."""
    end = " = ..."
    plain = [one.name for one in members if _is_plain(one)]
    names = _listed(plain, plain, room - len(INDENT) - len(end) - 1)
    return [f"{INDENT}{names}{end}"] if names else []


def _also(
    members: Collection[Definition],
    room: int,
    wanted: Collection[str],
    words: Collection[str],
    indent: str = "",
) -> list[str]:
    """Return a line that names members, the likeliest if not all fit."""
    if not members:
        return []
    order = [_called(one) for one in members]
    ranked = sorted(members, key=lambda one: -_worth(one, wanted, words))
    begin = f"{indent}# also: "
    names = _listed([_called(one) for one in ranked], order, room - len(begin) - 1)
    if names:
        return [f"{begin}{names}"]
    return [f"{indent}{_MORE}"] if room > len(indent) + len(_MORE) else []


def _called(member: Definition) -> str:
    return f"{member.name}()" if member.kind == "function" else member.name


def _listed(ranked: Sequence[str], order: Sequence[str], room: int) -> str:
    """Return the first names of ``ranked`` that fit, in their own order."""
    chosen: set[str] = set()
    for name in ranked:
        if len(name) + 2 * bool(chosen) <= room:
            room -= len(name) + 2 * bool(chosen)
            chosen.add(name)
    return ", ".join(name for name in order if name in chosen)


def _told_once(definition: Definition) -> list[Definition]:
    """Return the members without the attributes that ``__init__`` has as parameters, if that is short."""
    init = definition.member("__init__")
    if init is None or len(init.head) > SHORT:
        return list(definition.members)
    told = re.compile(rf"\b(?:{'|'.join(re.escape(one.name) for one in definition.members)})\b")
    parameters = set(told.findall(init.head))
    return [one for one in definition.members if one.kind != "variable" or one.name not in parameters]


def has_visible_members(definition: Definition) -> bool:
    """Whether a class has members that are shown."""
    return any(not _is_hidden(one.name) for one in definition.members)


def is_field(member: Definition) -> bool:
    """Whether a member is a variable with an annotation, as the fields of a dataclass are."""
    return member.kind == "variable" and member.head.startswith(f"{member.name}:")


def _is_plain(member: Definition) -> bool:
    """Whether a member is nothing but a name, since its type is not known."""
    if member.kind == "property":
        return not member.type
    return member.kind == "variable" and not is_field(member)


def _is_hidden(name: str) -> bool:
    return name.startswith("_") and name not in {"__init__", "__call__", "__enter__", "__aenter__"}


def _fitting(
    members: list[Definition],
    length: int,
    wanted: Collection[str],
    words: Collection[str],
    indent: str = "",
) -> dict[str, str]:
    """Return the lines of the members that fit, by their names, the likeliest chosen, in their own order."""
    ranked = sorted(range(len(members)), key=lambda at: (-_worth(members[at], wanted, words), at))
    lines: dict[int, str] = {}
    for at in ranked:
        text = _member(members[at], length - 1, indent)
        if len(text) + 1 <= length:
            length -= len(text) + 1
            lines[at] = text
    return {members[at].name: lines[at] for at in sorted(lines)}


def _worth(member: Definition, wanted: Collection[str], words: Collection[str]) -> int:
    if member.name in wanted:
        return 100
    shared = len(_words_of_name(member.name).intersection(words))
    is_short = len(member.head) <= SHORT
    return 10 * (is_short and member.name == "__init__") + 3 * shared + 2 * is_field(member)


def _member(member: Definition, length: int, indent: str) -> str:
    if member.kind == "property" and member.type:
        return f"{indent}{member.name}: {member.type}"
    text = member.head if member.kind == "variable" else f"{member.head} ..."
    length -= len(indent) * (text.count("\n") + 1)
    if member.kind == "function" and MIN_CUT <= length < len(text):
        text = _shortened(member, length)
    return "\n".join(indent + line for line in text.split("\n"))
