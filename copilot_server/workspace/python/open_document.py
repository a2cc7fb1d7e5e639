"""What a document that is being edited certainly binds at its top level, read by regular expressions.

Parsing a long document for each suggestion would take too long. Every occurrence of a name that may define it
counts as one that does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property, lru_cache

from copilot_server.context.indentation import indent_of
from copilot_server.workspace.names import Binding, BindingKind, ClassNames
from copilot_server.workspace.python.assigned import sets_any
from copilot_server.workspace.python.scopes import read_class
from copilot_server.workspace.summary import Import

#: Lines of decorators that are read above a definition.
_MAX_DECORATOR_LINES = 20
#: The longest header of a class that is read, in code points.
_MAX_HEADER = 2_000
_HEADER_END = re.compile(r":[ \t]*(?:#[^\n]*)?\n|:[ \t]*\.\.\.|:[ \t]*pass\b")
_CLASS = re.compile(r"class[ \t]+")
#: What follows a name at the start of a line that binds it.
_BINDS = re.compile(r"[ \t]*(?:[:,]|=(?!=))")
#: What precedes a name that is bound within a line.
_BEFORE_BOUND = re.compile(
    r"^[ \t]*(?:class|(?:async[ \t]+)?def)[ \t]+\Z|\bglobal\b"
    r"|^[ \t]*(?:async[ \t]+)?(?:with|except)\b.*\bas[ \t]+\Z"
)
_FOR, _IN = re.compile(r"\bfor[ \t](?:(?![ \t]in\b).)*\Z"), re.compile(r"[ \t]in\b")
#: What follows an attribute that is set, perhaps as one of several, and what precedes one.
_SET = re.compile(
    r"\s*(?::[^=]*)?(?:[-+*/%&|^@]|//|\*\*|<<|>>)?=(?!=)|\s*:\s*[\w\"']|[\w\s.,*\[\]]*[)\]]?\s*=(?!=)"
)
_TARGET = re.compile(r"\b(?:as|for|del)\b[^=]*\Z")
_QUOTES = frozenset("\"'")
_CALL = re.compile(r"(?P<called>[A-Za-z_][\w.]*)\(")


class OpenDocument:
    """The text around a cursor with the suggestion in it. It is that of Python's file at ``path``.

    ``before`` and ``after``: the text without the cursor's line; ``line``: that line and what is suggested.
    ``imports``: those of the text without the line.
    """

    def __init__(self, path: str, before: str, line: str, after: str, imports: tuple[Import, ...]) -> None:
        self.path = path
        self.text = f"{before}{line}{after}"
        self._imports = imports
        #: Where in ``text`` the name starts that is looked at, which proves nothing about itself.
        self.ignored = -1

    @cached_property
    def _sets_any(self) -> bool:
        return _sets_any(self.text) or "__getattr" in self.text

    def binding(self, name: str) -> Binding | None:
        """Return how the module binds a name; None if it does not, or not in one way."""
        found = {Binding("import", one.module, one.name) for one in self._imports if one.bound == name}
        binders = [(start, end) for start, end in self._occurrences(name) if self._binds(start, end)]
        if found:
            return found.pop() if len(found) == 1 and not binders else None
        return self._defined(name, *binders[0]) if len(binders) == 1 else None

    def _binds(self, start: int, end: int) -> bool:
        """Whether an occurrence of a name may bind it, other than by an import.

        A keyword at the start of a line has no blank before its ``=``.
        """
        head, rest = self._line_around(start, end)
        if not head.strip():
            return _BINDS.match(rest) is not None and (not head or not rest.startswith("="))
        return (
            _BEFORE_BOUND.search(head) is not None
            or rest.lstrip(" \t").startswith(":=")
            or (_FOR.search(head) is not None and _IN.search(rest) is not None)
        )

    def _line_around(self, start: int, end: int) -> tuple[str, str]:
        """Return what stands before and after a part of the text on its lines."""
        text = self.text
        line_end = text.find("\n", end)
        return text[text.rfind("\n", 0, start) + 1 : start], text[end : line_end if line_end >= 0 else None]

    def _occurrences(self, name: str) -> Iterator[tuple[int, int]]:
        """Yield where a name stands as a whole word, but for the occurrence that is looked at."""
        text, length = self.text, len(name)
        at = text.find(name) if name else -1
        while at >= 0:
            end = at + length
            if not (_is_word(text[at - 1 : at]) or _is_word(text[end : end + 1])) and at != self.ignored:
                yield at, end
            at = text.find(name, end)

    def _defined(self, name: str, start: int, end: int) -> Binding | None:
        head, rest = self._line_around(start, end)
        word = head.split()[0] if head.strip() else name
        if word != name:
            kinds: dict[str, BindingKind] = {"class": "class", "def": "function", "async": "function"}
            return Binding(kinds[word]) if word in kinds else None
        if head:
            return None
        annotation, equals, value = rest.strip().partition("=")
        if annotation.startswith(":"):
            return Binding("variable", type=annotation[1:].strip())
        called = _CALL.match(value.strip())
        is_whole = called and rest.rstrip().endswith(")") and rest.count("(") == rest.count(")") == 1
        return Binding("variable", type=f"{called['called']}()") if called and equals and is_whole else None

    def class_names(self, name: str) -> ClassNames | None:
        """Return the bases of a class at the margin, of which there is one."""
        lines = (self._line_around(*one)[0] for one in self._occurrences(name))
        starts = [start for start, _ in self._occurrences(name)]
        found = [
            start - len(head) for start, head in zip(starts, lines, strict=True) if _CLASS.fullmatch(head)
        ]
        return self._class_at(found[0], name) if len(found) == 1 else None

    def _class_at(self, start: int, name: str) -> ClassNames | None:
        end = _HEADER_END.search(self.text, start, start + _MAX_HEADER)
        if end is None:
            return None
        above = decorators_start(self.text, start)
        header = self.text[above : end.start()]
        found = read_class(f"{header}: ...\n", name)
        return None if found is None or self._sets_any else found

    def may_set(self, name: str) -> bool:
        """Whether the document may set an attribute of this name."""
        return any(self._may_set(*one) for one in self._occurrences(name))

    def _may_set(self, start: int, end: int) -> bool:
        text = self.text
        if text[start - 1 : start] in _QUOTES and text[end : end + 1] in _QUOTES:
            return True
        head, rest = self._line_around(start, end)
        if not head.rstrip().endswith("."):
            return False
        return _SET.match(rest) is not None or _TARGET.search(head) is not None

    def may_define(self, name: str) -> bool:
        """Whether a class in the document may have this name: it stands there other than after a dot."""
        text = self.text
        return any(
            text[start - 1 : start] != "." or self._may_set(start, end)
            for start, end in self._occurrences(name)
        )

    def may_subclass(self, name: str) -> bool:
        """Whether the document may have a subclass of the class of this name."""
        return (
            re.search(rf"\bclass\b[^:]{{0,200}}\([^:]{{0,500}}\b{re.escape(name)}\b", self.text) is not None
        )


@lru_cache(maxsize=4)
def _sets_any(text: str) -> bool:
    return sets_any(text)


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def decorators_start(text: str, start: int) -> int:
    """Return where the decorators of the definition begin whose line starts at ``start``."""
    indent, first, at = indent_of(text, start), start, start
    for _ in range(_MAX_DECORATOR_LINES):
        if at == 0:
            break
        at = text.rfind("\n", 0, at - 1) + 1
        line = text[at:first].split("\n", 1)[0]
        if line.startswith(f"{indent}@"):
            first = at
        elif not line.startswith((f"{indent})", f"{indent} ", f"{indent}\t")) or not line.strip():
            break
    return first
