"""Patterns as in .gitignore, matched in a time that no pattern can blow up.

A repository brings patterns and paths of its own, so neither may make matching slow. Each wildcard is an
atomic group (https://docs.python.org/3/library/re.html): what follows a ``*`` up to the next one is taken
where it first fits, which is enough, since a later place leaves less for the rest. So a match takes about as
many steps at most as the pattern and the path have characters, multiplied.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

#: Any folders, also none, between two names; each name is taken whole.
_FOLDERS = r"(?:/[^/]++)*"
#: The longest pattern, in characters. Names on disks are shorter than 256.
MAX_PATTERN = 1024
#: What a pattern costs besides its characters, in characters.
_OVERHEAD = 20

_CLASS_END = re.compile(r"\[[!^]?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Rule:
    """One pattern. ``regex`` is matched against a path that begins with a slash and ends without one."""

    regex: re.Pattern[str]
    excludes: bool
    only_folders: bool


class Patterns:
    """A list of patterns, of which the last one that fits a path decides."""

    def __init__(self, lines: Iterable[str]) -> None:
        """Read the patterns.

        Raises:
            ValueError: one of them is not valid; blank lines and comments are.
        """
        rules = [(len(line), rule) for line in lines if (rule := _read(line)) is not None]
        #: How many steps matching takes at most for each character of a path.
        self.steps = sum(size + _OVERHEAD for size, _ in rules)
        self._rules = tuple(rule for _, rule in reversed(rules))

    def verdict(self, path: str) -> bool | None:
        """Whether a path is excluded; None if no pattern fits it.

        ``path`` is relative to where the patterns apply; a folder ends in a slash. Only the path itself is
        looked at: whoever asks for a file asks for the folders above it first.
        """
        is_folder = path.endswith("/")
        rooted = "/" + path.strip("/")
        for rule in self._rules:
            if (is_folder or not rule.only_folders) and rule.regex.fullmatch(rooted):
                return rule.excludes
        return None

    def excludes(self, path: str) -> bool:
        """Whether a path is excluded."""
        return bool(self.verdict(path))


def _read(line: str) -> _Rule | None:
    if len(line) > MAX_PATTERN:
        raise ValueError(f"a pattern is longer than {MAX_PATTERN} characters")
    pattern = line.rstrip()
    if pattern.endswith("\\") and len(pattern) < len(line):
        pattern += " "  # the backslash keeps it
    if not pattern or pattern.startswith("#") or pattern == "/":
        return None
    excludes = not pattern.startswith("!")
    names = pattern.removeprefix("!").split("/")
    if names == ["", ""]:
        return None
    if names == [""]:
        raise ValueError(f"{line!r} is not a pattern of .gitignore")
    only_folders = len(names) > 1 and names[-1] == ""
    names = names[:-1] if only_folders else names
    if names[0] == "":
        names = names[1:]
    elif len(names) == 1:
        names = ["**", *names]
    try:
        return _Rule(re.compile(_translated(names)), excludes, only_folders)
    except _NoMatchError:
        return None


class _NoMatchError(ValueError):
    """The pattern fits nothing, as git sees it."""


def _translated(names: list[str]) -> str:
    """Translate the names between a pattern's slashes. ``**`` stands for any folders."""
    groups: list[list[str]] = [[]]
    for name in names:
        if len(name) > 1 and not name.strip("*"):
            groups.append([])
        else:
            groups[-1].append(_name(name))
    first, *others = ["".join(f"/{name}" for name in group) for group in groups]
    if not others:
        return first
    *middle, last = others
    found = "".join(f"(?>{_FOLDERS}?{group}(?![^/]))" for group in middle if group)
    return f"{first}{found}{_FOLDERS}{last}" if last else f"{first}{found}(?:/[^/]++)+"


def _name(pattern: str) -> str:
    """Translate one name. It is matched whole, and in one way only."""
    chunks = ["".join(parts) for parts in _chunks(pattern)]
    if chunks == ["", ""]:
        return "[^/]++"
    first, *others = chunks
    if not others:
        return first
    *middle, last = others
    found = "".join(f"(?>[^/]*?{chunk})" for chunk in middle)
    return f"(?>{first}{found}(?>[^/]*{last}(?![^/])))"


def _chunks(pattern: str) -> Iterator[list[str]]:
    """Yield what stands between a name's stars, each character translated; a run of stars is one."""
    chunk: list[str] = []
    index = 0
    while index < len(pattern):
        char = pattern[index]
        if char == "*":
            yield chunk
            chunk = []
            index += len(pattern[index:]) - len(pattern[index:].lstrip("*"))
            continue
        taken, translated = _character(pattern, index)
        chunk.append(translated)
        index += taken
    yield chunk


def _character(pattern: str, index: int) -> tuple[int, str]:
    """Translate what stands for one character; return how much of the pattern it takes, too."""
    char = pattern[index]
    if char == "?":
        return 1, "[^/]"
    if char == "\\":
        if index + 1 == len(pattern):
            raise ValueError(f"{pattern!r} ends in a backslash")
        return 2, re.escape(pattern[index + 1])
    if char == "[":
        found = _CLASS_END.match(pattern, index)
        if found is None:
            raise _NoMatchError
        return len(found[0]), _class(found[0][1:-1])
    return 1, re.escape(char)


def _class(content: str) -> str:
    """Translate what stands between brackets."""
    negated = content[:1] in ("!", "^")
    chars = re.findall(r"\\.|.", content[1:] if negated else content, re.DOTALL)
    if not chars:
        raise _NoMatchError
    parts, index = [], 0
    while index < len(chars):
        low = chars[index][-1]
        if chars[index + 1 : index + 2] == ["-"] and index + 2 < len(chars):
            high = chars[index + 2][-1]
            if low > high:
                raise _NoMatchError
            parts.append(f"{re.escape(low)}-{re.escape(high)}")
            index += 3
        else:
            parts.append(re.escape(low))
            index += 1
    return f"(?!/)[{'^' if negated else ''}{''.join(parts)}]"
