"""Where a suggestion is worth asking for while someone types; who asks by a key always gets one."""

from __future__ import annotations

from copilot_server.completion.scope.scope import CLOSERS_ONLY
from copilot_server.context.document import Cursor


def is_worthwhile(cursor: Cursor) -> bool:
    """Whether what the model wrote here would be more than noise.

    It would not be in the middle of a word, or of a line whose rest is code: what goes there depends on what
    the user means to do with that rest (de Moor et al. 2024, arXiv:2405.14753). In front of a whole line
    there is room for another. A document without a word gives nothing to go on.
    """
    before, after = cursor.line_prefix, cursor.line_suffix
    if before.strip() and not CLOSERS_ONLY.fullmatch(after):
        return False
    return bool(before.strip()) or bool(cursor.document.text.strip())
