"""Definitions as code of their language: heads, and the members of classes that are likely to be needed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from copilot_server.workspace.python.render import words_of
from copilot_server.workspace.summary import Definition

INDENT = "    "
_MORE = "..."
#: How long the line is that names the members that are not shown, in code points.
MAX_ALSO, MIN_ALSO = 120, 60
_ENDS = {"script": (";", ";"), "java": (";", ";"), "c": (";", ";"), "rust": (",", ";"), "go": ("", "")}
_CONSTRUCTORS = frozenset({"constructor", "new"})


def render(
    definition: Definition,
    length: int,
    family: str,
    wanted: Collection[str] = (),
    words: Collection[str] = (),
) -> str:
    """Return a definition without its body in at most ``length`` code points; "" if it cannot be so short.

    ``wanted``: members that are named. ``words``: those of the code nearby, by which the other members are
    chosen. Those that do not fit are named in a comment.
    """
    if definition.kind == "class":
        return _class(definition, length, family, wanted, words)
    text = definition.head + (";" if family in {"c", "java"} and definition.head[:1] != "#" else "")
    with_doc = f"// {definition.doc}\n{text}" if definition.doc else text
    return next((one for one in (with_doc, text) if len(one) <= length), "")


def heads(definitions: Iterable[Definition], length: int, family: str, words: Collection[str] = ()) -> str:
    """Return the heads of a module's definitions, as many as fit, the likeliest first chosen."""
    lines = [(one.name, _line(one, family)) for one in definitions if one.head and not _is_hidden(one.name)]
    shown = _fitting(lines, length, (), words)
    if len(shown) < len(lines):
        shown = _fitting(lines, length - min(MIN_ALSO, length // 3), (), words)
    room = length - sum(len(lines[at][1]) + 1 for at in shown)
    also = _also([name for at, (name, _) in enumerate(lines) if at not in shown], room)
    return "\n".join([*(lines[at][1] for at in sorted(shown)), *also])


def names_of(definition: Definition, members: Sequence[Definition], length: int) -> str:
    """Return a class that only names its members; "" if none fits."""
    head = f"{definition.head} {{"
    also = _also([one.name for one in members], length - len(head) - len(INDENT) - 3)
    return f"{head}\n{INDENT}{also[0]}\n}}" if also else ""


def _class(
    definition: Definition, length: int, family: str, wanted: Collection[str], words: Collection[str]
) -> str:
    head = definition.head or f"type {definition.name}"
    members = [one for one in definition.members if one.name in wanted or not _is_hidden(one.name)]
    if not members:
        return head if len(head) <= length else ""
    if _is_enumeration(definition):
        return _enumeration(head, members, length)
    room = length - len(head) - len(" {\n}")
    if family == "rust":
        room -= len(f"\nimpl {definition.name} {{\n}}")
    lines = list(_lines(definition, members, family))
    shown = _fitting(lines, room, wanted, words)
    if len(shown) < len(lines):
        shown = _fitting(lines, room - min(MIN_ALSO, max(room, 0) // 3), wanted, words)
    room -= sum(len(lines[at][1]) + 1 for at in shown)
    left = dict.fromkeys(name for at, (name, _) in enumerate(lines) if at not in shown)
    also = _also([name for name in left if name], min(room - len(INDENT), MAX_ALSO))
    text = _put_together(definition, head, [lines[at][1] for at in sorted(shown)], also, family)
    return next((one for one in (text, head) if len(one) <= length), "")


def _put_together(definition: Definition, head: str, lines: list[str], also: list[str], family: str) -> str:
    """Return a class with these lines of members; methods of Go and Rust stand outside of their type."""
    inside = [one for one in lines if one.startswith(INDENT)]
    outside = [one for one in lines if not one.startswith(INDENT)]
    also = [f"{INDENT}{one}" for one in also]
    if family == "rust" and outside:
        methods = [f"{INDENT}{one}" for one in outside]
        outside = [f"impl {definition.name} {{", *methods, *also, "}"]
        also = []
    body = [f"{head} {{", *inside, *also, "}"] if inside or also else [head]
    return "\n".join([*body, *outside])


def _lines(definition: Definition, members: Iterable[Definition], family: str) -> Iterable[tuple[str, str]]:
    """Yield each member's name and its line, which is indented if it stands in the class's braces."""
    field_end, method_end = _ENDS[family]
    is_trait = "trait " in definition.head
    seen = set()
    for one in members:
        is_method = one.kind == "function"
        is_outside = is_method and (one.head.startswith("func ") or (family == "rust" and not is_trait))
        line = ("" if is_outside else INDENT) + one.head + (method_end if is_method else field_end)
        # Fields that are declared together have the same head.
        if line not in seen:
            seen.add(line)
            yield one.name, line


def _enumeration(head: str, members: Iterable[Definition], length: int) -> str:
    names: list[str] = []
    room = length - len(head) - len(" {  }")
    for one in members:
        if one.kind != "variable":
            continue
        text = one.head if len(one.head) <= 40 else one.name
        if len(text) + 2 > room - len(_MORE):
            names.append(_MORE)
            break
        names.append(text)
        room -= len(text) + 2
    text = f"{head} {{ {', '.join(names)} }}"
    return text if len(text) <= length else ""


def _is_enumeration(definition: Definition) -> bool:
    return "enum " in f"{definition.head} "


def _line(one: Definition, family: str) -> str:
    end = ";" if family in {"c", "java"} and one.head[:1] != "#" else ""
    return f"{one.head}{end}"


def _is_hidden(name: str) -> bool:
    return name.startswith(("_", "#", "~"))


def _also(names: Sequence[str], room: int) -> list[str]:
    """Return a comment that gives the first names that fit."""
    begin = "// also: "
    shown: list[str] = []
    room -= len(begin) + 1
    for name in names:
        room -= len(name) + 2
        if room < 0:
            break
        shown.append(name)
    return [f"{begin}{', '.join(shown)}"] if shown else []


def _fitting(
    lines: Sequence[tuple[str, str]], length: int, wanted: Collection[str], words: Collection[str]
) -> set[int]:
    """Return which lines are shown, the likeliest that fit."""
    ranked = sorted(range(len(lines)), key=lambda at: (-_worth(lines[at][0], wanted, words), at))
    shown = set()
    for at in ranked:
        if len(lines[at][1]) + 1 <= length:
            length -= len(lines[at][1]) + 1
            shown.add(at)
    return shown


def _worth(name: str, wanted: Collection[str], words: Collection[str]) -> int:
    if name in wanted:
        return 100
    return 3 * len(words_of(name).intersection(words)) + 2 * (name in _CONSTRUCTORS)
