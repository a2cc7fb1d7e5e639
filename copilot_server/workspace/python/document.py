"""What the text around a cursor says about names: imports, the definitions around it, types of variables.

The cursor's line is half typed and changes with each key. Nothing here depends on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from copilot_server.context.document import Cursor
from copilot_server.context.indentation import column, indent_of, indent_unit
from copilot_server.context.source.code import Code, plain_line_ends
from copilot_server.context.source.definitions import Header, definitions_around
from copilot_server.context.source.lexer import lex
from copilot_server.workspace.python.heads import parameter_types, summarize
from copilot_server.workspace.summary import Definition, FileSummary, Import

#: How much is read around the cursor, in lines. The first line is rounded so that it seldom changes.
LINES_ABOVE, LINES_BELOW, ROUNDED = 40, 15, 16
#: How much is read of the function around a cursor, before and after its line, and of the class after it.
MAX_FUNCTION, MAX_CLASS = 8_000, 60_000
#: How much of a long document is searched for variables of the module at its start, before the cursor's line
#: and after it, in code points: some 800 lines each.
_MAX_SEARCHED = 30_000

_IMPORT = re.compile(
    r"[ \t]*(?:from[ \t]+\.*[ \t]*[\w.]*[ \t]+)?import\b(?:[^\n()\\]|\\\r?\n|\((?:[^()#]|#[^\n]*)*\))*",
    re.MULTILINE,
)
_IMPORT_WORD = "import"
_ASSIGNED = re.compile(
    r"^[ \t]*(?P<name>\w+)[ \t]*(?::[ \t]*(?P<type>[^=\n#]*?[\w\])\"'])[ \t]*)?"
    r"(?:=[ \t]*(?:await[ \t]+)?(?P<called>[A-Za-z_][\w.]*)\(|=(?!=)|$)",
    re.MULTILINE,
)
# The line feed at the start is what makes it fast: nothing else is tried at the other characters.
_VARIABLE = re.compile(r"\n(?P<line>(?P<name>\w+)(?: = |: )[^\n]*)")
_MEMBER = re.compile(r"^(?P<indent>[ \t]*)(?:@|(?:async[ \t]+)?def\b|class\b)", re.MULTILINE)
_PROPERTY = re.compile(
    r"@(?:functools\.)?(?:cached_)?property\s+def[ \t]+(?P<name>\w+)\(\w+\)[ \t]*->[ \t]*(?P<type>[^\n]+):"
)
_INIT = "def __init__("
_AT_MARGIN = re.compile(r"\n(?=[^\s#)\]}])")
_MAX_BASES = 8
_STRINGS_AND_COMMENTS = re.compile(
    r"(?P<triple>\"{3}(?s:.)*?(?:\"{3}|\Z)|'{3}(?s:.)*?(?:'{3}|\Z))"
    r"|(?P<short>\"(?:[^\"\\\n]|\\.)*\"?|'(?:[^'\\\n]|\\.)*'?)|\#[^\n]*"
)
_FIRST_PARAMETER = re.compile(r"\([ \t\n]*(\w+)")
_LAST_CALLEE = re.compile(r"(?:super\(\)(?:\.\w+)*|[A-Za-z_][\w.]*)\Z")


@dataclass(frozen=True, slots=True)
class SplitText:
    """A document's text, cut into the cursor's physical line and what is before and after it.

    ``text``: the whole. It may have a carriage return at the end of the line, which ``suffix`` has not.
    """

    before: str
    prefix: str
    suffix: str
    after: str
    text: str = field(repr=False, compare=False)

    @classmethod
    def at(cls, cursor: Cursor) -> SplitText:
        """Cut the text at ``cursor``; an offset outside of it is clamped."""
        text = plain_line_ends(cursor.document.text)
        offset = min(max(cursor.offset, 0), len(text))
        start = text.rfind("\n", 0, offset) + 1
        end = text.find("\n", offset)
        end = len(text) if end < 0 else end
        return cls(text[:start], text[start:offset], text[offset:end].rstrip("\r"), text[end:], text)

    @property
    def column(self) -> int:
        """The column of the code on the line, or of the code that a blank line is likely to have."""
        line = self.prefix + self.suffix
        if line.strip():
            return column(indent_of(line))
        above = self.before.rstrip()
        last = above[above.rfind("\n") + 1 :]
        expected = column(indent_of(last)) + (8 if last.endswith(":") else 0)
        return column(self.prefix) if self.prefix else expected


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known around a cursor without its line.

    ``own``: the document's imports, and the class around the cursor with the attributes that it certainly
    has. ``types``: those of variables, as ``Definition.type`` has them. ``instance``: the name of the
    instance or class in a method, such as ``self``. ``function``: the text of the function around the cursor;
    ``near``: the lines around the cursor. ``callees``: the names before the brackets that are open where the
    line starts, innermost last.
    """

    own: FileSummary
    types: Mapping[str, str]
    instance: str
    owner: str
    function: str
    near: str
    callees: tuple[str, ...]


def read_code(split: SplitText) -> tuple[Code, tuple[Header, ...]]:
    """Return the lines without the cursor's, and the definitions around it, outermost first."""
    code = Code.begun(split.text, len(split.before), "\n" + split.after)
    return code, definitions_around(code, len(split.before), split.column)


def surroundings(split: SplitText, code: Code, headers: tuple[Header, ...]) -> Surroundings:
    """Read the text around the cursor; ``code`` and ``headers`` are what ``read_code`` returns."""
    functions = [one for one in headers if one.kind == "function"]
    holder = next((one for one in reversed(headers) if one.kind == "class"), None)
    function = _code_only(_block(split, code, functions[0], MAX_FUNCTION)) if functions else ""
    own, instance = FileSummary(imports=read_imports(split.before, split.after)), ""
    if holder is not None:
        around = _class_around(split, holder)
        own = replace(own, definitions=(around, *_bases_in_document(split, around)))
        method = next((one for one in functions if one.line_start > holder.line_start), None)
        first = _FIRST_PARAMETER.search(method.text) if method is not None else None
        instance = first[1] if first else ""
    types = {name: type_ for one in functions for name, type_ in parameter_types(one.text).items()}
    owner, near = holder.name if holder is not None else "", _code_only(near_text(split, code))
    types |= assigned_types(function if headers else near)
    return Surroundings(own, types, instance, owner, function, near, open_callees(split, code))


def read_imports(before: str, after: str) -> tuple[Import, ...]:
    """Return all imports of a document, in functions and under conditions too."""
    statements = (*import_statements(before), *import_statements(after))
    return _parsed_imports("\n".join(statements))


@lru_cache(maxsize=64)
def _parsed_imports(source: str) -> tuple[Import, ...]:
    return summarize(source).imports


def import_statements(text: str) -> list[str]:
    """Return the import statements in a text. Those in strings may be among them."""
    found, at = [], text.find(_IMPORT_WORD)
    while at >= 0:
        start = text.rfind("\n", 0, at) + 1
        statement = _IMPORT.match(text, start)
        if statement and statement.end() > at:
            found.append(statement[0].strip())
            at = statement.end() - 1
        at = text.find(_IMPORT_WORD, at + 1)
    return found


def without_imports(text: str) -> str:
    """Return a text without its import statements."""
    for statement in import_statements(text):
        text = text.replace(statement, "", 1)
    return text


def near_text(split: SplitText, code: Code) -> str:
    """Return the lines around the cursor without its own."""
    above = split.before.count("\n")
    wanted = above - max(0, (above - LINES_ABOVE) // ROUNDED * ROUNDED)
    start = _outside_strings(code, len(split.before) - len(_last_lines(split.before, wanted)))
    return split.before[start:] + "\n".join(split.after.split("\n", LINES_BELOW + 1)[:-1])


def _outside_strings(code: Code, start: int) -> int:
    """Return ``start``, or the end of the string of several lines that it is in."""
    string = code.string_around(start)
    return start if string is None else code.string_ends[code.string_starts.index(string)]


def _code_only(text: str) -> str:
    """Return a text without comments and strings of several lines."""
    return _STRINGS_AND_COMMENTS.sub(lambda found: found["short"] or ('""' if found["triple"] else ""), text)


def _last_lines(text: str, count: int) -> str:
    start = len(text)
    for _ in range(count):
        start = text.rfind("\n", 0, max(0, start - 1)) + 1
    return text[start:]


def open_callees(split: SplitText, code: Code) -> tuple[str, ...]:
    """Return the names before the brackets that are open where the cursor's line starts.

    ``code``: as ``read_code`` returns it. The brackets that are far above do not count.
    """
    above, end = split.before, len(split.before)
    start, state = code.logical_line(end)
    start, found = max(start, end - len(_last_lines(above, LINES_ABOVE))), []
    for _ in state.brackets if not state.quote else "":
        end = _last_open(above, start, end)
        callee = _LAST_CALLEE.search(above, start, end) if end >= 0 and above[end] == "(" else None
        if callee:
            found.append(callee[0])
    return tuple(reversed(found))


def _last_open(text: str, start: int, end: int) -> int:
    """Return the offset of the last bracket before ``end`` that is still open there."""
    at = end
    depth = len(lex(text, start, end).state.brackets)
    while at > start:
        at = max(text.rfind(bracket, start, at) for bracket in "([{")
        if at < 0 or len(lex(text, start, at).state.brackets) < depth:
            return at
    return -1


def assigned_types(text: str) -> dict[str, str]:
    """Return the types of the variables that a text annotates or sets to what a call gives."""
    found = {}
    for one in _ASSIGNED.finditer(text):
        type_ = one["type"] or (f"{one['called']}()" if one["called"] else "")
        # What a method of the variable's own value returns is seldom of another class.
        if type_ and not type_.startswith(f"{one['name']}."):
            found[one["name"]] = type_
    return found


def variable_lines(split: SplitText) -> dict[str, str]:
    """Return the lines that annotate or set the variables of the module, the first one of each, by name.

    Of a long document only the two ends and what is near the cursor are searched.
    """
    before, after = split.before, split.after[:_MAX_SEARCHED]
    parts = (before,) if len(before) <= _MAX_SEARCHED else (before[:_MAX_SEARCHED], before[-_MAX_SEARCHED:])
    found: dict[str, str] = {}
    for text in (*(f"\n{part}" for part in parts), after):
        for one in _VARIABLE.finditer(text):
            found.setdefault(one["name"], one["line"])
    return found


def _block(split: SplitText, code: Code, header: Header, most: int) -> str:
    """Return the definition at ``header`` without the cursor's line, cut if it is long."""
    start = max(header.line_start, len(split.before) - most)
    return split.before[_outside_strings(code, start) :] + rest_of_block(split, header, most)


def rest_of_block(split: SplitText, header: Header, most: int) -> str:
    """Return the part of a definition that follows the cursor's line."""
    after = split.after[:most]
    end = re.compile(rf"\n[ \t]{{0,{column(header.indent)}}}(?=[^\s#)\]}}])").search(after)
    return after[: end.start() + 1] if end else after


def _class_around(split: SplitText, header: Header) -> Definition:
    """Return the class around the cursor, with its fields and the attributes that ``__init__`` sets."""
    text = split.before[header.line_start :] + rest_of_block(split, header, MAX_CLASS)
    found = _class_at_start(text, header.name, header.indent)
    return found or Definition(header.name, "class", header.text)


def _bases_in_document(split: SplitText, of: Definition) -> Iterator[Definition]:
    """Yield the bases of a class, and their bases, that the document defines at its margin."""
    waiting, seen = list(of.bases), {of.name}
    while waiting and len(seen) < _MAX_BASES:
        name = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        for text in (f"\n{split.before}", split.after):
            start = max(text.find(f"\nclass {name}{end}") for end in "(:")
            if start >= 0:
                base = _class_at_start(_up_to_margin(text[start + 1 : start + MAX_CLASS]), name, "")
                waiting.extend(base.bases if base is not None else ())
                yield from () if base is None else (base,)


def _up_to_margin(text: str) -> str:
    """Return the definition with which a text starts."""
    end = _AT_MARGIN.search(text)
    return text[: end.start() + 1] if end else text


def _class_at_start(text: str, name: str, indent: str) -> Definition | None:
    """Read the class with which a text starts: its fields and what ``__init__`` sets, no other methods."""
    header_end = text.find(":") + 1
    first = _MEMBER.search(text, header_end)
    source = text[: first.start() if first else len(text)]
    init = text.find(_INIT)
    if init >= 0:
        line = text.rfind("\n", 0, init) + 1
        source += text[line : _next_member(text, init + len(_INIT), column(indent_of(text, line)))]
    else:
        source += f"\n{indent}{indent_unit(text)}pass\n"
    found = _parsed_class(source, name, indent)
    properties = tuple(
        Definition(one["name"], "property", "", type=one["type"]) for one in _PROPERTY.finditer(text)
    )
    return None if found is None else replace(found, members=found.members + properties)


def _next_member(text: str, start: int, depth: int) -> int:
    members = (one for one in _MEMBER.finditer(text, start) if column(one["indent"]) <= depth)
    return next((one.start() for one in members), len(text))


@lru_cache(maxsize=64)
def _parsed_class(source: str, name: str, indent: str) -> Definition | None:
    nested = f"if 1:\n{source}" if indent else source
    return summarize(nested).definition(name)
