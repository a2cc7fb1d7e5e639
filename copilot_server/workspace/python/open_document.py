"""What a document that is being edited certainly binds at its top level, read by regular expressions.

Parsing a long document for each suggestion would take too long. Every occurrence of a name that may define it
counts as one that does.
"""

from __future__ import annotations

import re
from functools import cached_property, lru_cache

from copilot_server.context.indentation import indent_of
from copilot_server.workspace.names import Binding, ClassNames
from copilot_server.workspace.python.assigned import sets_any
from copilot_server.workspace.python.document import read_imports
from copilot_server.workspace.python.scopes import read_class

#: Lines of decorators that are read above a definition.
_MAX_DECORATOR_LINES = 20
#: The longest header of a class that is read, in code points.
_MAX_HEADER = 2_000
_HEADER_END = re.compile(r":[ \t]*(?:#[^\n]*)?\n|:[ \t]*\.\.\.|:[ \t]*pass\b")
_CALL = re.compile(r"(?P<called>[A-Za-z_][\w.]*)\(")


class OpenDocument:
    """The text around a cursor with the suggestion in it. It is that of Python's file at ``path``.

    ``before`` and ``after``: the text without the cursor's line; ``line``: that line and what is suggested.
    """

    def __init__(self, path: str, before: str, line: str, after: str) -> None:
        self.path = path
        self.text = f"{before}{line}{after}"
        self._imports = read_imports(before, after)
        #: Where in ``text`` the name stands that is looked at, which proves nothing about itself.
        self.ignored = -1

    @cached_property
    def _sets_any(self) -> bool:
        return _sets_any(self.text) or "__getattr" in self.text

    def binding(self, name: str) -> Binding | None:
        """Return how the module binds a name; None if it does not, or not in one way."""
        found = {Binding("import", one.module, one.name) for one in self._imports if one.bound == name}
        kinds = [one for pattern in _binders(name) for one in pattern.finditer(self.text)]
        if found:
            return found.pop() if len(found) == 1 and not kinds else None
        if len(kinds) != 1 or not kinds[0][0].startswith((f"{name}", "class", "def", "async")):
            return None
        return self._defined(name, kinds[0])

    def _defined(self, name: str, at: re.Match[str]) -> Binding | None:
        word = at[0].split()[0]
        if word == "class":
            return Binding("class")
        if word != name and word.rstrip(":=") != name:
            return Binding("function")
        end = self.text.find("\n", at.end())
        rest = self.text[at.end() - 1 : end if end >= 0 else len(self.text)]
        annotation, equals, value = rest.partition("=")
        if rest.startswith(":"):
            return Binding("variable", type=annotation[1:].strip())
        called = _CALL.match(value.strip())
        is_whole = called and rest.rstrip().endswith(")") and rest.count("(") == rest.count(")") == 1
        return Binding("variable", type=f"{called['called']}()") if called and equals and is_whole else None

    def class_names(self, name: str) -> ClassNames | None:
        """Return the bases of a class at the margin, of which there is one."""
        found = list(re.finditer(rf"^class[ \t]+{re.escape(name)}\b", self.text, re.MULTILINE))
        return self._class_at(found[0].start(), name) if len(found) == 1 else None

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
        if re.search(rf"[\"']{re.escape(name)}[\"']", self.text):
            return True
        return any(self._is_target(at) for at in self._found(rf"\.[ \t]*{re.escape(name)}\b"))

    def _is_target(self, at: re.Match[str]) -> bool:
        text = self.text
        start, end = text.rfind("\n", 0, at.start()) + 1, text.find("\n", at.end())
        head, rest = text[start : at.start()], text[at.end() : end if end >= 0 else len(text)]
        return bool(
            re.match(r"\s*(?::[^=]*)?(?:[-+*/%&|^@]|//|\*\*|<<|>>)?=(?!=)", rest)
            or re.match(r"\s*:\s*[\w\"']", rest)
            or re.match(r"[\w\s.,*\[\]]*[)\]]?\s*=(?!=)", rest)
            or re.search(r"\b(?:as|for|del)\b[^=]*\Z", head)
        )

    def may_define(self, name: str) -> bool:
        """Whether a class in the document may have this name: it stands there other than after a dot."""
        return self.may_set(name) or any(self._found(rf"(?<![\w.]){re.escape(name)}\b"))

    def may_subclass(self, name: str) -> bool:
        """Whether the document may have a subclass of the class of this name."""
        return (
            re.search(rf"\bclass\b[^:]{{0,200}}\([^:]{{0,500}}\b{re.escape(name)}\b", self.text) is not None
        )

    def _found(self, pattern: str) -> list[re.Match[str]]:
        found = re.finditer(pattern, self.text)
        return [one for one in found if not one.start() <= self.ignored < one.end()]


@lru_cache(maxsize=4)
def _sets_any(text: str) -> bool:
    return sets_any(text)


@lru_cache(maxsize=256)
def _binders(name: str) -> tuple[re.Pattern[str], ...]:
    """Return patterns for what may bind a name other than an import. A keyword has no blank before ``=``."""
    word = re.escape(name)
    return (
        re.compile(rf"^{word}[ \t]*(?:[:,]|=(?!=))", re.MULTILINE),
        re.compile(rf"^[ \t]+{word}(?:[ \t]*[:,]|[ \t]+=(?!=))", re.MULTILINE),
        re.compile(rf"^[ \t]*(?:class|(?:async[ \t]+)?def)[ \t]+{word}\b", re.MULTILINE),
        re.compile(
            rf"\bglobal\b[^\n]*\b{word}\b|\b{word}[ \t]*:=|\bfor[ \t][^\n]*?\b{word}\b[^\n]*?[ \t]in\b"
        ),
        re.compile(rf"^[ \t]*(?:with|except)\b[^\n]*\bas[ \t]+{word}\b", re.MULTILINE),
    )


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
