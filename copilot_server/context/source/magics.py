"""What IPython adds to Python in the cells of notebooks: magics, shell commands and questions.

They are no Python: a parser stumbles over them, and the quotes in a shell command would open a string. As
comments they stay readable, and the lines stay where they are.
"""

from __future__ import annotations

import re

from copilot_server.context.indentation import indent_of
from copilot_server.context.source.lexer import LexState, lex

#: A text without any of these is Python.
_MAY_BE = re.compile(r"^[ \t]*[%!?]|=[ \t]*[%!]|\?[ \t]*\r?$", re.MULTILINE)
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|\Z)")
#: A line that is IPython's alone, and one that assigns what a command gives.
_COMMAND = re.compile(r"[ \t]*(?:[%!?]|[\w.*]+\?{1,2}[ \t]*(?:[\r\n]|\Z))")
_ASSIGNED = re.compile(r"(?P<target>[ \t]*[A-Za-z_][\w., \t]*=[ \t]*)(?=[%!])")
_CELL_MAGIC = re.compile(r"\s*%%(?P<name>[\w!]+)")
#: The magics whose cells hold Python, and those that name another language.
_PYTHON = frozenset({"time", "timeit", "capture", "prun", "memit", "python", "python3", "pypy", "debug"})
_LANGUAGES = {
    **dict.fromkeys(("bash", "sh", "system", "script", "!"), "shellscript"),
    **dict.fromkeys(("javascript", "js"), "javascript"),
    **dict.fromkeys(("html", "HTML"), "html"),
    **dict.fromkeys(("latex", "markdown", "perl", "ruby", "sql"), ""),
    "R": "r",
    "svg": "xml",
}


def cell_language(text: str, language: str) -> str:
    """Return the language of a cell of Python, which a magic in its first line may change.

    It is "plaintext" for a magic that is not known. Cells of other ``language`` are returned as they are.
    """
    found = _CELL_MAGIC.match(text) if language == "python" else None
    if found is None or found["name"] in _PYTHON:
        return language
    return _LANGUAGES.get(found["name"], "plaintext") or found["name"]


def without_magics(text: str, cursor: int = -1) -> tuple[str, int]:
    """Return Python with IPython's own lines as comments, and where ``cursor`` is in it.

    The cursor's line stays as it is: it is what the user is writing.
    """
    if not _MAY_BE.search(text):
        return text, cursor
    pieces: list[str] = []
    start, moved = 0, cursor
    reader = _Reader()
    for found in _LINE.finditer(text):
        line = found[0]
        is_cursors = start <= cursor <= start + len(line.rstrip("\r\n"))
        piece = reader.read(line)
        pieces.append(line if is_cursors else piece)
        if not is_cursors and start <= cursor:
            moved += len(piece) - len(line)
        start += len(line)
    return "".join(pieces), moved


class _Reader:
    """Reads a cell line by line, and knows where a statement may begin."""

    def __init__(self) -> None:
        self._state = LexState()
        self._begins = True
        self._in_command = False

    def read(self, line: str) -> str:
        """Return the next line, as a comment where it is IPython's."""
        assigned = _ASSIGNED.match(line) if self._begins else None
        if self._in_command or (self._begins and (assigned or _COMMAND.match(line))):
            continues, self._in_command = self._in_command, line.rstrip("\r\n").endswith("\\")
            return _as_comment(line, assigned["target"] if assigned else "", continues=continues)
        lexed = lex(line, state=self._state)
        self._state = lexed.state
        self._begins = lexed.lines[-1:] == (len(line),)
        return line


def _as_comment(line: str, target: str, *, continues: bool) -> str:
    """Comment out a line; a ``target`` is still assigned, and in a block there is still a statement."""
    indent = indent_of(line)
    if target:
        return f"{target}None  # {line[len(target) :]}"
    return f"{indent}{'pass  ' if indent and not continues else ''}# {line[len(indent) :]}"
