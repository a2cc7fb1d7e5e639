"""The attributes that code sets, found by regular expressions: rather too many than one too few."""

from __future__ import annotations

import re
from collections.abc import Iterator

_OPERATOR = r"(?:[-+*/%&|^@]|//|\*\*|<<|>>)?=(?!=)"
#: Longer lines are not read, in code points: the time that a line takes may grow with its square.
MAX_LINE = 1_000
_LONG = re.compile(rf"[^\n]{{{MAX_LINE}}}[^\n]*+")
#: What an attribute belongs to: the end of it.
_OBJECT = r"(?<![\w)\]])(?P<object>[\w)\]]++)"
_SET = re.compile(rf"{_OBJECT}[ \t]*\.[ \t]*(?P<name>[A-Za-z_]\w*+)[ \t]*(?::[^=\n]*+)?[ \t]*{_OPERATOR}")
_ATTRIBUTE = re.compile(rf"{_OBJECT}\.(?P<name>[A-Za-z_]\w*+)")
#: Several targets on the left of ``=``, and those of ``for``, ``with`` and ``except``.
_TARGETS = re.compile(
    r"^(?P<left>[^=\n#\"']*+)=(?!=)|\bfor[ \t]+(?P<each>[^\n]*?)[ \t]in\b"
    r"|\bas[ \t]+(?P<as>\(?[\w)\]]++\.[^\n:]*)",
    re.MULTILINE,
)
_FIRST_ARGUMENT = r"setattr(?:__)?\s*\(\s*(?:[^,()]|\([^()]*+\))++,\s*+"
_LITERAL = re.compile(_FIRST_ARGUMENT + r"[rbuRBU]?([\"'])(?P<name>[A-Za-z_]\w*+)\1")
#: Code that may set attributes of any name. Each part starts with letters, which are found fast, and then
#: looks back whether a word starts there.
_DYNAMIC = re.compile(
    _FIRST_ARGUMENT + r"(?![rbuRBU]?[\"'][A-Za-z_]\w*[\"']\s*[,)])"
    r"|__dict__(?<!\w__dict__)\s*(?:\[|=(?!=)|\|=|\.\s*(?:update|setdefault)\b)"
    r"|vars(?<!\wvars)\s*\([^()\n]*\)\s*(?:\[|\.\s*(?:update|setdefault)\b)"
    r"|exec(?<!\wexec)\s*\("
    r"|setattr(?<!\wsetattr)\b(?!\s*\()|__setattr__(?<!\w__setattr__)\b(?!\s*\()"
)
_DYNAMIC_WORDS = ("setattr", "__dict__", "vars", "exec")
_ON_SELF = re.compile(r"(?:setattr(?:__)?\s*\(|vars\s*\()\s*(?:self|cls)\b")


def sets_any(text: str, *, on_others: bool = False) -> bool:
    """Whether code may set attributes whose names it does not say.

    ``on_others``: only on anything but ``self`` and ``cls``.
    """
    if without_long_lines(text) != text:
        return True
    if not any(word in text for word in _DYNAMIC_WORDS):  # the usual case, with a fast check
        return False
    return any(not (on_others and _is_on_self(text, one)) for one in _DYNAMIC.finditer(text))


def _is_on_self(text: str, found: re.Match[str]) -> bool:
    before = text[max(0, found.start() - 5) : found.start()]
    is_dict = found[0].startswith("__dict__") and before.endswith(("self.", " cls."))
    return is_dict or _ON_SELF.match(found[0]) is not None


def without_long_lines(text: str) -> str:
    """Return a text without the lines that are not read."""
    is_long = max(map(len, text.split("\n"))) >= MAX_LINE
    return _LONG.sub("", text) if is_long else text


def set_attributes(text: str) -> Iterator[tuple[str, str]]:
    """Yield the objects and the names of the attributes that code sets; an object is "" if it is unknown."""
    # Nothing but a call of ``setattr`` goes on on the next line, so that most lines need not be searched.
    lines = [line for line in text.split("\n") if "." in line and len(line) < MAX_LINE]
    for found in _SET.finditer("\n".join(line for line in lines if "=" in line)):
        yield found["object"], found["name"]
    for found in _TARGETS.finditer("\n".join(filter(_may_have_targets, lines))):
        written = found["left"] or found["each"] or found["as"] or ""
        if "." in written and (found["left"] is None or "," in written):
            for one in _ATTRIBUTE.finditer(written):
                yield one["object"], one["name"]
    if "setattr" in text:
        for found in _LITERAL.finditer(without_long_lines(text)):
            yield "", found["name"]


def _may_have_targets(line: str) -> bool:
    """Whether ``_TARGETS`` may find an attribute in a line, by a fast check."""
    is_like = ("," in line and "=" in line) or "for " in line or "as " in line
    return is_like or ("\t" in line and ("for\t" in line or "as\t" in line))
