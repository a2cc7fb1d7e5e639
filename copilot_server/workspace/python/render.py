"""Definitions as plain code: heads, the first lines of docstrings, and the members likely to be needed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache

from copilot_server.workspace.summary import Definition

INDENT = "    "
_MORE = f"{INDENT}..."
_OVERLOAD = " ...\n@overload\n"
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
#: The shortest word that says something when two names share it.
_MIN_WORD = 3
#: The longest head of ``__init__`` that is shown even where nobody constructs an instance.
SHORT = 160
#: A head is cut if at least so much of it can be shown.
MIN_CUT = 120


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

    ``wanted``: members that are named; if no member can be shown, nothing is. ``words``: those of the code
    nearby, by which the other members of a long class are chosen.
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
    return "\n".join(_fitting(public, length, (), words))


def _with_doc(definition: Definition) -> str:
    if not definition.doc:
        return f"{definition.head} ..."
    return f'{definition.head}\n{INDENT}"""{definition.doc}"""'


def _class(definition: Definition, length: int, wanted: Collection[str], words: Collection[str]) -> str:
    head = _with_doc(definition) if definition.doc else definition.head
    members = [one for one in _told_once(definition) if one.name in wanted or not _is_hidden(one.name)]
    shown = _fitting(members, length - len(head) - len(_MORE) - 1, wanted, words, INDENT)
    if wanted and not shown:
        return ""
    if not shown and (members or not definition.doc):
        text = f"{definition.head} ..."
    else:
        more = [] if len(shown) == len(members) else [_MORE]
        text = "\n".join([head, *shown, *more])
    return text if len(text) <= length else ""


def _told_once(definition: Definition) -> list[Definition]:
    """Return the members without the attributes that ``__init__`` has as parameters, if that is short."""
    init = definition.member("__init__")
    if init is None or len(init.head) > SHORT:
        return list(definition.members)
    return [one for one in definition.members if one.kind != "variable" or one.head not in init.head]


def has_visible_members(definition: Definition) -> bool:
    """Whether a class has members that are shown."""
    return any(not _is_hidden(one.name) for one in definition.members)


def _is_hidden(name: str) -> bool:
    return name.startswith("_") and name not in {"__init__", "__call__", "__enter__", "__aenter__"}


def _fitting(
    members: list[Definition],
    length: int,
    wanted: Collection[str],
    words: Collection[str],
    indent: str = "",
) -> list[str]:
    """Return the lines of the members that fit, the likeliest first chosen, in their own order."""
    ranked = sorted(range(len(members)), key=lambda at: (-_worth(members[at], wanted, words), at))
    lines: dict[int, str] = {}
    for at in ranked:
        text = _member(members[at], length - 1, indent)
        if len(text) + 1 <= length:
            length -= len(text) + 1
            lines[at] = text
    return [lines[at] for at in sorted(lines)]


def _worth(member: Definition, wanted: Collection[str], words: Collection[str]) -> int:
    if member.name in wanted:
        return 100
    shared = len(_words_of_name(member.name).intersection(words))
    is_short = len(member.head) <= SHORT
    return 10 * (is_short and member.name == "__init__") + 3 * shared + (member.kind == "variable")


def _member(member: Definition, length: int, indent: str) -> str:
    text = member.head if member.kind == "variable" else f"{member.head} ..."
    length -= len(indent) * (text.count("\n") + 1)
    if member.kind == "function" and MIN_CUT <= length < len(text):
        text = _shortened(member, length)
    return "\n".join(indent + line for line in text.split("\n"))
