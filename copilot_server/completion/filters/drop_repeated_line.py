"""The filter that drops a line which stands right above or below already."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from copilot_server.completion.filters.draft import Draft, visible_lines
from copilot_server.completion.scope.scope import Situation

_LOOKED_AT = 4_000  # code points of the document on each side of the cursor
_WORD = re.compile(r"\w")
#: What a line may end with or not and be the same line: `;` in JavaScript, `,` in a list.
_SIGNS = " \t,;:"
#: Lines that often repeat: one word, such as `end` or `#endif`, and the closing tag of markup.
_MAY_REPEAT = re.compile(r"[#@]?\w+|</.*")


def drop_repeated_line(draft: Draft, situation: Situation) -> Draft | None:
    """Drop a single line that differs from the one above or below in its indentation and last signs alone.

    Rows in brackets may be equal, and so may lines in a document that has equal lines next to each other.
    """
    cursor = situation.cursor
    rest = "" if situation.scope == "gap" else situation.line_suffix[draft.replaced :]
    suggested = visible_lines(situation.line_prefix + draft.text + rest)
    if len(suggested) != 1 or situation.state.brackets:
        return draft
    before = cursor.prefix[: cursor.offset - len(situation.line_prefix)]
    below_line = 0 if situation.scope == "gap" else len(situation.line_suffix)
    above = _plain(visible_lines(before[-_LOOKED_AT:]))
    below = _plain(visible_lines(cursor.suffix[below_line:][:_LOOKED_AT]))
    line = _plain(suggested)[0]
    if line not in (*above[-1:], *below[:1]) or not _WORD.search(line) or _MAY_REPEAT.fullmatch(line):
        return draft
    repeats = any(one == other and _WORD.search(one) for one, other in (*pairwise(above), *pairwise(below)))
    return draft if repeats else None


def _plain(lines: Sequence[str]) -> list[str]:
    return [line.lstrip().rstrip(_SIGNS) for line in lines]
