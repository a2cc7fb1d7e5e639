"""How much of a suggestion is in the document, and how it got there: by typing or by being accepted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from copilot_server.context.brackets import PAIRS, QUOTES
from copilot_server.context.closers import may_be_inserted
from copilot_server.context.common import common_prefix
from copilot_server.statistics.text import minimal_edit
from copilot_server.statistics.types import Edit, PlainEdit

#: How much of the document on each side is watched along with the suggestion, in code points. Editors may
#: report an insertion shifted along equal characters, or together with the word or line that it continues.
MARGIN = 256

#: After one of these an editor inserts the closer by itself, and this many closers at most.
_OPENERS = (*PAIRS, *QUOTES)
_MOST_CLOSERS = 3
#: What one key can insert: a character, blanks, a line break with indentation, or a pair of brackets.
_KEY = re.compile(r"\r\n[ \t]*|\n[ \t]*|[ \t]+|\(\)|\[\]|\{\}|<>|\"\"|''|``|.", re.DOTALL)

How = Literal["typed", "accepted", "taken back"]


@dataclass(frozen=True, slots=True)
class Step:
    """The suggestion's code points from ``start`` to ``end`` were inserted into the document, or removed.

    ``complete``: the document is now as it would be if the suggestion had been accepted.
    """

    how: How
    start: int
    end: int
    complete: bool


class Ghost:
    """The ghost text of a suggestion, with a copy of the document around it to which edits are applied.

    Whether the document agrees with the suggestion is decided by that copy and not by the edits, since the
    same change can be expressed by many edits. All costs are proportional to the suggestion, not to the
    document.
    """

    __slots__ = (
        *("_after", "_before", "_closers", "_offset", "_replaced", "_to_the_end", "_window"),
        *("reached", "text"),
    )

    def __init__(self, text: str, replaced: int, document: str, offset: int) -> None:
        self.text = text
        #: How many of its code points are in the document.
        self.reached = 0
        self._replaced = replaced
        self._offset = max(0, offset - MARGIN)
        self._before = document[self._offset : offset]
        self._after = document[offset : offset + len(text) + replaced + MARGIN]
        self._window = self._before + self._after
        #: Whether text that is inserted right after the window belongs to it.
        self._to_the_end = self._offset + len(self._window) == len(document)
        self._closers = ""

    def spans(self, offset: int) -> bool:
        """Whether ``offset`` in the document is within the suggestion or what it replaces."""
        start = self._offset + len(self._before)
        return start <= offset <= start + len(self.text) + self._replaced

    def holds(self, edit: Edit) -> bool:
        """Whether an edit lies entirely within the part of the document that is watched."""
        end = self._offset + len(self._window)
        beyond = edit.start == end and not self._to_the_end
        return self._offset <= edit.start and edit.end <= end and not beyond

    def follow(self, edit: Edit) -> bool:
        """Move along with an edit outside the window; return False if it reaches into the window."""
        if edit.end <= self._offset and edit.start < self._offset:
            self._offset += len(edit.text) - (edit.end - edit.start)
            return True
        return edit.start >= self._offset + len(self._window)

    def smallest(self, edit: Edit) -> PlainEdit:
        """Return an edit that it holds without the text that the edit replaces by equal text."""
        start, end = edit.start - self._offset, edit.end - self._offset
        return minimal_edit(self._window[start:end], edit.text, edit.start)

    def apply(self, edit: Edit) -> None:
        """Apply an edit that it holds."""
        start, end = edit.start - self._offset, edit.end - self._offset
        self._window = self._window[:start] + edit.text + self._window[end:]

    def step(self) -> Step | None:
        """Return what the edits since the last step have done; None if the document no longer fits."""
        found = self._found()
        if found is None:
            return None
        reached, closers = found
        # The user may type over closers that the editor inserted, which makes no edit.
        typed_over = common_prefix(self._closers, self.text[self.reached :])
        start, self.reached, self._closers = self.reached, reached, closers
        if reached < start:
            return Step("taken back", reached, start, complete=False)
        complete = self._is_complete()
        by_key = any(
            begin >= reached or _KEY.fullmatch(self.text, begin, reached)
            for begin in (start, start + typed_over)
        )
        if complete:
            # Accepting may keep text that already followed the cursor.
            self.reached = len(self.text)
        return Step("typed" if by_key else "accepted", start, self.reached, complete)

    def _is_complete(self) -> bool:
        return self._window == self._before + self.text + self._after[self._replaced :]

    def _found(self) -> tuple[int, str] | None:
        """Return the least count of code points that may be in the document, and the closers after them."""
        window, before = self._window, self._before
        # A longer window cannot fit.
        longest = len(before) + len(self.text) + len(self._after) + _MOST_CLOSERS
        if len(window) > longest or not window.startswith(before):
            return None
        rest = window[len(before) :]
        for replaced in range(self._replaced + 1):
            tail = self._after[replaced:]
            if rest.endswith(tail):
                found = self._split(rest[: len(rest) - len(tail)])
                if found is not None:
                    return found
        return None

    def _split(self, inserted: str) -> tuple[int, str] | None:
        """Split the inserted text into the suggestion's beginning and the closers that an editor added."""
        kept, text = self._closers, self.text
        if kept and inserted.endswith(kept) and text.startswith(inserted.removesuffix(kept)):
            return len(inserted) - len(kept), kept
        if text.startswith(inserted):
            return len(inserted), ""
        return next(
            (
                (len(inserted) - count, inserted[-count:])
                for count in range(1, _MOST_CLOSERS + 1)
                if self._may_have_closed(inserted[:-count], inserted[-count:])
            ),
            None,
        )

    def _may_have_closed(self, typed: str, closers: str) -> bool:
        """Whether an editor may have added ``closers`` after ``typed``, which must end in an opener."""
        fits = len(typed) > self.reached and self.text.startswith(typed)
        return fits and typed[-1] in _OPENERS and may_be_inserted(closers)
