"""What the text around a cursor says about names: the function around it, its calls, types of variables.

The code is being typed, so it is read by lines, indentation and regular expressions, which work for any text.
The cursor's line changes with each key. Nothing here depends on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice

from copilot_server.context.indentation import column, indent_of
from copilot_server.workspace.python.document import SplitText
from copilot_server.workspace.summary import Import
from copilot_server.workspace.tags.imports import MAX_TEXT, read_imports
from copilot_server.workspace.tags.text import word_set

#: How much is read around the cursor, in lines. The first line is rounded so that it seldom changes.
LINES_ABOVE, LINES_BELOW, ROUNDED = 40, 15, 16
#: How far up definitions around the cursor are looked for, in lines; the longest function, in code points.
MAX_LINES, MAX_FUNCTION = 2_000, 4_000
#: How many occurrences of a name are looked at for its type, above the cursor, from the top, and below.
MAX_OCCURRENCES = 30
_MAX_CALLEES = 3
_MAX_HEADERS = 8

_SKIPPED = r"\"(?:[^\"\\\n]|\\.)*\"?|`(?:[^`\\]|\\.)*`?|//[^\n]*|/\*(?s:.)*?(?:\*/|\Z)"
_NAME = r"[A-Za-z_$][\w$]*"
_CHAIN = rf"(?<![\w$.])(?P<chain>{_NAME}(?:(?:\?\.|!\.|\.|->|::){_NAME})*)"
# A quote may begin a string, a character, or a lifetime of Rust.
_STRING_QUOTE, _CHARACTER_QUOTE = r"|'(?:[^'\\\n]|\\.)*'?", r"|'(?:[^'\\\n]|\\[^'\n]{1,8}|\\')'"
_TOKENS = {
    is_script: re.compile(f"{_SKIPPED}{quote}|{_CHAIN}")
    for is_script, quote in ((True, _STRING_QUOTE), (False, _CHARACTER_QUOTE))
}
_SEPARATORS = re.compile(r"\?\.|!\.|\.|->|::")
_BEFORE_BRACKET = re.compile(rf"{_CHAIN}(?:<[^<>()]*>|::<[^<>()]*>)?\s*\Z")
_CONTROL = word_set(
    """
    if for while switch catch match return else do try with until when loop select case sizeof
    """
)
_WORDS_OF_LANGUAGES = word_set(
    """
    if for while switch catch match return else do try with case default break continue function func fn let
    const var new delete typeof instanceof in of as import export from class struct interface trait enum
    impl type extends implements public private protected static final abstract async await yield throw
    throws void int char long short float double bool boolean byte unsigned signed string number any unknown
    never null nil undefined true false mut ref pub use mod crate where dyn move unsafe go defer chan map
    range select package namespace template typename using typedef sizeof auto virtual override explicit
    inline extern goto operator readonly declare get set keyof is loop u8 u16 u32 u64 usize i8 i16 i32 i64
    isize f32 f64 str error int8 int16 int32 int64 uint uint8 uint16 uint32 uint64 float32 float64 rune len
    cap append make
    """
)
_CLASS = re.compile(r"\b(?:class|struct|interface|trait|enum)\s+(?P<name>[A-Za-z_$][\w$]*)(?P<rest>[^{]*)")
_IMPL = re.compile(
    r"\bimpl\b(?:<[^{]*?>)?\s+(?:(?P<trait>[\w:]+)(?:<[^{]*?>)?\s+for\s+)?(?P<name>[\w:]+)(?P<rest>)"
)
_DEFINES = re.compile(
    r"\b(?:class|struct|interface|trait|enum|union|type|function\*?|func(?:\s*\([^()]*\))?|fn|const|let|var|static|mod"
    r"|record|using|define|namespace|typedef[^;\n]*)\s+(?:mut\s+)?\Z"
)
_TYPE = r"[A-Za-z_$][\w$.:]*(?:<[^=;(){}\n]*>)?"
#: What follows a name that says its type; by the family of languages.
_SCRIPT_TYPE = re.compile(
    rf"[?!]?:\s*(?P<type>{_TYPE})|\s*=\s*(?:await\s+)?(?:new\s+(?P<new>{_NAME})|(?P<called>[\w$.]+)\()"
)
_AFTER = {
    "script": _SCRIPT_TYPE,
    "rust": re.compile(
        rf":\s*(?:&\s*)?(?:'\w+\s+)?(?:mut\s+)?(?:dyn\s+)?(?P<type>{_TYPE})"
        r"|\s*=\s*&?(?:mut\s+)?(?:(?P<called>[\w.:]+)\(|(?P<new>[A-Z]\w*)\s*\{)"
    ),
    "go": re.compile(
        r"(?:,\s*\w+)?\s*:?=\s*&?(?:(?P<called>[\w.]+)\(|(?P<new>[\w.]+)\{)"
        r"|[ \t]+(?:\.\.\.)?\*?(?P<type>[A-Za-z_][\w.]*)(?=\s*[,)=\n`{])"
    ),
    "java": re.compile(r"\s*=\s*(?:new\s+(?P<new>[\w.]+)|(?P<called>[\w.]+)\()"),
    "c": re.compile(r"\s*=\s*(?:new\s+(?P<new>[\w:]+)|(?P<called>[\w:]+)\()"),
}
_BEFORE = re.compile(rf"(?P<type>{_TYPE})\s*[*&]*\s*\Z")
_DECLARED = re.compile(r"\s*[;=,)({:\[]")


@dataclass(frozen=True, slots=True)
class Link:
    """A name with what is taken from it: ``a.b::c`` has the parts a, b and c."""

    parts: tuple[str, ...]
    is_called: bool = False


@dataclass(frozen=True, slots=True)
class Around:
    """What is known around a cursor without its line.

    ``text``: the function around the cursor or, if there is none, the lines near it. ``headers``: the first
    lines of the definitions around the cursor, innermost first. ``owner``: the name of the class around it;
    ``bases``: those of that class. ``callees``: what is before the brackets that are open where the line
    starts, innermost last.
    """

    family: str
    text: str
    headers: tuple[str, ...]
    in_function: bool
    owner: str
    bases: tuple[str, ...]
    callees: tuple[Link, ...]
    imports: tuple[Import, ...]


def read_around(split: SplitText, family: str) -> Around:
    """Read the text around the cursor."""
    headers = tuple(_headers(split))
    function = next((at for at, line in headers if _is_function(line)), None)
    text = _near(split) if function is None else _function(split, function)
    lines = tuple(line for _, line in headers)
    owner, bases = _class_around(lines)
    return Around(
        family,
        text,
        lines,
        function is not None,
        owner,
        bases,
        tuple(open_callees(split.before, family)),
        read_imports(f"{split.before[:MAX_TEXT]}\n{split.after[: MAX_TEXT - len(split.before)]}", family)
        if len(split.before) < MAX_TEXT
        else read_imports(split.before, family),
    )


def depth_of(split: SplitText) -> int | None:
    """Return the column of the code on the cursor's line; None for a blank line."""
    line = split.prefix + split.suffix
    return column(indent_of(line)) if line.strip() else None


def links(text: str, family: str) -> Iterator[Link]:
    """Yield the names in code, each once; strings, comments and the language's words have none."""
    seen = set()
    for one in _TOKENS[family == "script"].finditer(text):
        chain = one["chain"]
        if not chain or chain in _WORDS_OF_LANGUAGES:
            continue
        link = Link(tuple(_SEPARATORS.split(chain)), text[one.end() : one.end() + 1] == "(")
        if link not in seen:
            seen.add(link)
            yield link


def _headers(split: SplitText) -> Iterator[tuple[int, str]]:
    """Yield the lines around the cursor's that are less indented each, with where they start."""
    before, end = split.before, len(split.before)
    depth = depth_of(split)
    is_continued = False
    found = 0
    for _ in range(MAX_LINES):
        if end <= 0 or found >= _MAX_HEADERS or (depth == 0 and not is_continued):
            return
        start = before.rfind("\n", 0, end - 1) + 1
        line = before[start : end - 1]
        end, code = start, line.strip()
        if not code or code.startswith(("#", "//", "*", "/*")):
            continue
        indent = column(indent_of(line))
        if depth is None:
            # A blank line is as deep as the line above it, or deeper.
            depth = indent + 1 if code.endswith(("{", "(", "[")) else indent
        if indent < depth or (is_continued and indent <= depth):
            depth, is_continued = indent, code[0] in "){]}" or code.startswith("where")
            if not is_continued:
                found += 1
                yield start, before[start : start + 400].partition("{")[0] if "{" not in line else line


def _is_function(line: str) -> bool:
    first = re.match(r"[\s}]*(\w*)", line)
    return "(" in line and not (first and first[1] in _CONTROL)


def _function(split: SplitText, start: int) -> str:
    """Return the function that starts at ``start``, without the cursor's line."""
    indent = column(indent_of(split.before, start))
    after = split.after[:MAX_FUNCTION]
    end = re.compile(rf"\n[ \t]{{0,{indent}}}(?=[^\s])").search(after, 1)
    return (
        split.before[max(start, len(split.before) - MAX_FUNCTION) :] + after[: end.start() if end else None]
    )


def _near(split: SplitText) -> str:
    above = split.before.count("\n")
    wanted = above - max(0, (above - LINES_ABOVE) // ROUNDED * ROUNDED)
    return _last_lines(split.before, wanted) + "\n".join(split.after.split("\n", LINES_BELOW + 1)[:-1])


def _last_lines(text: str, count: int) -> str:
    start = len(text)
    for _ in range(count):
        start = text.rfind("\n", 0, max(0, start - 1)) + 1
    return text[start:]


def _class_around(headers: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    for line in headers:
        if found := (_IMPL.search(line) or _CLASS.search(line)):
            rest = re.sub(r"<[^<>]*>", "", found["rest"])
            bases = tuple(one for one in re.findall(_NAME, rest) if one not in _WORDS_OF_LANGUAGES)
            trait = found.groupdict().get("trait")
            return found["name"], (*((trait,) if trait else ()), *bases)
    return "", ()


def open_callees(before: str, family: str) -> Iterator[Link]:
    """Yield what is before the brackets that are open at the end of a text, outermost first."""
    above = _TOKENS[family == "script"].sub(_blank, _last_lines(before, LINES_ABOVE))
    found: list[Link] = []
    closed = 0
    for at in range(len(above) - 1, -1, -1):
        sign = above[at]
        if sign in ")]}":
            closed += 1
        elif sign in "([{":
            closed -= 1
        if closed >= 0:
            continue
        closed = 0
        callee = _BEFORE_BRACKET.search(above, max(0, at - 200), at) if sign == "(" else None
        if callee and callee["chain"] not in _CONTROL:
            found.append(Link(tuple(_SEPARATORS.split(callee["chain"])), is_called=True))
        if len(found) == _MAX_CALLEES or (sign == "{" and above[:at].rstrip()[-1:] not in "(,:[="):
            break
    return reversed(found)


def _blank(found: re.Match[str]) -> str:
    return found[0] if found["chain"] else re.sub(r"[^\n]", " ", found[0])


def declared_type(split: SplitText, name: str, family: str) -> str:
    """Return the type of a variable or field, as ``Definition.type`` has it; "" if the text does not say it.

    The nearest declaration before the cursor's line counts, then those after it.
    """
    for text, at in _occurrences(split, name):
        end = at + len(name)
        after = _AFTER[family].match(text, end)
        if after:
            type_ = after.groupdict().get("type") or after["new"]
            if not type_ and after["called"]:
                type_ = f"{after['called']}()" if not after["called"].startswith(f"{name}.") else ""
            if type_ and type_.removesuffix("()") not in _WORDS_OF_LANGUAGES:
                return type_
        if family in {"java", "c"} and _DECLARED.match(text, end):
            before = _BEFORE.search(text, max(0, at - 120), at)
            if before and before["type"] not in _WORDS_OF_LANGUAGES:
                return before["type"]
    return ""


def _occurrences(split: SplitText, name: str) -> Iterator[tuple[str, int]]:
    """Yield where a name stands: above the cursor, the nearest first, then from the top, then below.

    Fields and globals are declared at the top. Of a long document not every occurrence is looked at.
    """
    before, after = split.before, split.after
    starts = chain(
        islice(_found_backwards(before, name), MAX_OCCURRENCES),
        islice(_found(before, name), MAX_OCCURRENCES),
    )
    yield from ((before, at) for at in dict.fromkeys(starts) if _is_whole(before, at, name))
    below = islice(_found(after, name), MAX_OCCURRENCES)
    yield from ((after, at) for at in below if _is_whole(after, at, name))


def _found(text: str, name: str) -> Iterator[int]:
    at = text.find(name)
    while at >= 0:
        yield at
        at = text.find(name, at + 1)


def _found_backwards(text: str, name: str) -> Iterator[int]:
    at = text.rfind(name)
    while at >= 0:
        yield at
        at = text.rfind(name, 0, at + len(name) - 1)


def is_used(split: SplitText, name: str) -> bool:
    """Whether a name stands more than once in the document, apart from the cursor's line."""
    count = 0
    for text in (split.before, split.after):
        for at in _found(text, name):
            count += _is_whole(text, at, name)
            if count > 1:
                return True
    return False


def _is_whole(text: str, at: int, name: str) -> bool:
    before, after = text[at - 1 : at], text[at + len(name) : at + len(name) + 1]
    return not (before.isalnum() or before in {"_", "$"} or after.isalnum() or after in {"_", "$"})


def defines(split: SplitText, name: str) -> bool:
    """Whether the document itself defines a name, apart from the cursor's line."""
    return any(
        _DEFINES.search(text, max(0, at - 60), at) is not None for text, at in _occurrences(split, name)
    )
