"""Where a suggestion is worth asking for while the user types.

An explicitly invoked completion does not pass this gate.
"""

from __future__ import annotations

from copilot_server.context.closers import is_free
from copilot_server.context.document import Cursor


def is_worthwhile(cursor: Cursor) -> bool:
    """Whether a suggestion at ``cursor`` is likely to be of use.

    In the middle of a word, or of a line whose rest is code, it is not: what belongs there depends on what
    the user means to do with that rest (de Moor et al. 2024, arXiv:2405.14753). Before a whole line there is
    room for another. A document without a word tells the model nothing.
    """
    before, after = cursor.line_prefix, cursor.line_suffix
    if before.strip() and not is_free(before, after, cursor.document.language_id):
        return False
    return bool(before.strip()) or bool(cursor.document.text.strip())
