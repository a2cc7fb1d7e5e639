"""How much of a suggestion has come into the document, and how: by keys, or by being accepted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from copilot_server.context.brackets import PAIRS, QUOTES
from copilot_server.context.closers import may_be_inserted
from copilot_server.context.common import common_prefix
from copilot_server.statistics.text import minimal_edit
from copilot_server.statistics.types import Edit, PlainEdit

#: How much of the document on each side is watched along with the suggestion, in code points. Editors send
#: an insertion as they like: shifted along equal characters, with the word or the line that it continues.
MARGIN = 256

#: After one of these an editor inserts the closer by itself.
_OPENERS = (*PAIRS, *QUOTES)
_MOST_CLOSERS = 3
#: What one key can insert: a character, blanks, a line break with its indentation, a pair.
_KEY = re.compile(r"\r\n[ \t]*|\n[ \t]*|[ \t]+|\(\)|\[\]|\{\}|<>|\"\"|''|``|.", re.DOTALL)

How = Literal["typed", "accepted", "taken back"]


@dataclass(frozen=True, slots=True)
class Step:
    """The code points of the suggestion from ``start`` to ``end`` came into the document, or left it.

    ``complete``: the document is now what accepting the suggestion would have made of it.
    """

    how: How
    start: int
    end: int
    complete: bool


class Ghost:
    """A suggestion on the screen, and the piece of the document around it, which edits are applied to.

    Whether the document is as the suggestion would have it is read from that piece, not from the edits: an
    edit has many spellings. Everything here costs in proportion to the suggestion, not to the document.
    """

    __slots__ = (
        *("_after", "_before", "_closers", "_offset", "_replaced", "_to_the_end", "_window"),
        *("reached", "text"),
    )

    def __init__(self, text: str, replaced: int, document: str, offset: int) -> None:
        self.text = text
        #: How many code points of it are in the document.
        self.reached = 0
        self._replaced = replaced
        self._offset = max(0, offset - MARGIN)
        self._before = document[self._offset : offset]
        self._after = document[offset : offset + len(text) + replaced + MARGIN]
        self._window = self._before + self._after
        #: Whether what is put in right after that piece is still part of it.
        self._to_the_end = self._offset + len(self._window) == len(document)
        self._closers = ""

    def spans(self, offset: int) -> bool:
        """Whether an offset in the document is where the suggestion, or what it replaces, may be."""
        start = self._offset + len(self._before)
        return start <= offset <= start + len(self.text) + self._replaced

    def holds(self, edit: Edit) -> bool:
        """Whether the whole of an edit is within the piece of the document that is watched."""
        end = self._offset + len(self._window)
        beyond = edit.start == end and not self._to_the_end
        return self._offset <= edit.start and edit.end <= end and not beyond

    def follow(self, edit: Edit) -> bool:
        """Move along with an edit outside; return False if it reaches in, so that all is lost."""
        if edit.end <= self._offset and edit.start < self._offset:
            self._offset += len(edit.text) - (edit.end - edit.start)
            return True
        return edit.start >= self._offset + len(self._window)

    def smallest(self, edit: Edit) -> PlainEdit:
        """Give an edit that it holds without what it puts for the same."""
        start, end = edit.start - self._offset, edit.end - self._offset
        return minimal_edit(self._window[start:end], edit.text, edit.start)

    def apply(self, edit: Edit) -> None:
        """Make an edit that it holds."""
        start, end = edit.start - self._offset, edit.end - self._offset
        self._window = self._window[:start] + edit.text + self._window[end:]

    def step(self) -> Step | None:
        """Say what the edits since the last step have done; None if the document now differs from it."""
        found = self._found()
        if found is None:
            return None
        reached, closers = found
        # Closers that the editor put in may be typed over, which is no edit.
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
            # Accepting may leave in place what already followed.
            self.reached = len(self.text)
        return Step("typed" if by_key else "accepted", start, self.reached, complete)

    def _is_complete(self) -> bool:
        return self._window == self._before + self.text + self._after[self._replaced :]

    def _found(self) -> tuple[int, str] | None:
        """Find how many code points are in the document, the fewest, and which closers stand after them."""
        window, before = self._window, self._before
        # Longer than that it cannot be and fit.
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
        """Split what is inserted into the suggestion's beginning and closers that an editor put after it."""
        kept, text = self._closers, self.text
        if kept and inserted.endswith(kept) and text.startswith(inserted.removesuffix(kept)):
            return len(inserted) - len(kept), kept
        if text.startswith(inserted):
            return len(inserted), ""
        return next(
            (
                (len(inserted) - count, inserted[-count:])
                for count in range(1, _MOST_CLOSERS + 1)
                if self._are_put_in(inserted[:-count], inserted[-count:])
            ),
            None,
        )

    def _are_put_in(self, typed: str, closers: str) -> bool:
        """Whether an editor may have put in ``closers`` when ``typed`` was typed: it ends in an opener."""
        fits = len(typed) > self.reached and self.text.startswith(typed)
        return fits and typed[-1] in _OPENERS and may_be_inserted(closers)
