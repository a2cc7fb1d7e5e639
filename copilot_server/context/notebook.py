"""A cell of a notebook among the other cells, as one document.

What the cells before it define is known in it, as if they were the lines above. A cell is whole, whatever
state it is in: what one leaves open is closed for those after it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from copilot_server.context.brackets import PAIRS
from copilot_server.context.document import Cursor, Document
from copilot_server.context.indentation import indent_of, indent_unit
from copilot_server.context.source.code import line_end, plain_line_ends
from copilot_server.context.source.lexer import lex
from copilot_server.context.source.magics import cell_language, without_magics

#: What stands between two cells: two blank lines, after which something new begins in any language.
_GAP = "\n\n\n"
#: How many cells are kept as they are read. Only the cell that is edited has to be read anew.
_KEPT = 1024
_TRIPLE = re.compile("\"\"\"|'''")
_OPENS_BLOCK = re.compile(
    r"[ \t]*(?:async|class|def|if|elif|else|for|while|try|except|finally|with|match|case)\b"
)


def among_cells(cursor: Cursor, before: Sequence[Document], after: Sequence[Document]) -> Cursor:
    """Return a cell's cursor in the text of its notebook: cells ``before``, its own, cells ``after``.

    Cells in another language than the cursor's are left out, and those that are blank.
    ``Document.start`` says where the cell begins.
    """
    cell = cursor.document
    language = cell_language(cell.text, cell.language_id)
    text, offset = _own(cell.text, cursor.offset, language)
    above = _pieces(before, language, is_above=True)
    below = [] if _leaves_string_open(text, language) else _pieces(after, language, is_above=False)
    ends = line_end(cell.text)
    head = "".join(f"{one}{_GAP}" for one in above).replace("\n", ends)
    tail = "".join(f"{_GAP}{one}" for one in below).replace("\n", ends)
    return Cursor(Document(cell.uri, language, head + text + tail, len(head)), len(head) + offset)


def _own(text: str, offset: int, language: str) -> tuple[str, int]:
    return without_magics(text, offset) if language == "python" else (text, offset)


def _pieces(cells: Sequence[Document], language: str, *, is_above: bool) -> list[str]:
    same = (one.text for one in cells if cell_language(one.text, one.language_id) == language)
    pieces = (_piece(text, language, is_above=is_above) for text in same)
    return [one for one in pieces if one]


@lru_cache(_KEPT)
def _piece(text: str, language: str, *, is_above: bool) -> str:
    """Return a cell as it stands among others, with line feeds; "" if it is blank."""
    plain = plain_line_ends(text).replace("\r\n", "\n")
    if language == "python":
        plain, _ = without_magics(plain)
    plain = plain.rstrip().lstrip("\n")
    return _made_whole(plain, language) if is_above else plain


def _made_whole(text: str, language: str) -> str:
    """Close the strings and brackets that a cell leaves open, and give a block that lacks a body one."""
    lexed = lex(text, language=language)
    state = lexed.state
    closers = state.quote + "".join(PAIRS[one] for one in reversed(state.brackets))
    if closers:
        return text + ("\n" if state.in_comment else "") + closers
    last = text[lexed.lines[-1] if lexed.lines else 0 :]
    if language == "python" and _OPENS_BLOCK.match(last) and _ends_in_colon(last):
        return f"{text}\n{indent_of(last)}{indent_unit(text)}..."
    return text


def _ends_in_colon(line: str) -> bool:
    colons = lex(line).colons
    return bool(colons) and not line[colons[-1] :].partition("#")[0].strip()


def _leaves_string_open(text: str, language: str) -> bool:
    """Whether a string of several lines is open at a cell's end, which a later cell would seem to close."""
    return bool(_TRIPLE.search(text)) and bool(lex(text, language=language).state.quote)
