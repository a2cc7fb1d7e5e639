"""The life of one suggestion, from its first offer to the last check of what is left of it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Literal

from copilot_server.statistics.ghost import Ghost, Step
from copilot_server.statistics.survival import still_there
from copilot_server.statistics.types import Edit, Item, Offer, Suggestion

#: When to check for an accepted suggestion, in seconds after its acceptance, and the column for the result.
CHECKS: tuple[tuple[float, Literal["kept_30_s", "kept_300_s"]], ...] = (
    (30.0, "kept_30_s"),
    (300.0, "kept_300_s"),
)

#: How each code point came into the document.
_NOT, _TYPED, _ACCEPTED = b"\0", b"\1", b"\2"

#: Blanks by which a new offer may differ from the rest of an earlier one, since editors indent blank lines.
_TRAILING_BLANKS = re.compile(r"[ \t]+(?=\r?\n)")
_MOST_BLANKS = 256


class Life:
    """What is known about one suggestion so far, and its offset, which is kept up to date through edits."""

    def __init__(self, row: Suggestion, text: str, uri: str, start: int) -> None:
        self.uri = uri
        self.text = text
        #: The offset in the document at which the text begins, or would begin if it were inserted.
        self.start = start
        #: When it was last offered, and when that offer last ended, on the tracker's clock.
        self.offered_s = 0.0
        self.left_s = 0.0
        #: Whether it is the one that the editor would show, of those offered together.
        self.displayed = False
        #: How much of it is in the document while it is on offer, and whether the document still fits it.
        self.ghost: Ghost | None = None
        self.fits = True
        #: The checks that are due, the next one first.
        self.checks: list[tuple[float, Literal["kept_30_s", "kept_300_s"]]] = []
        #: The row as it was last saved.
        self.saved = row
        self._row = row
        self._base = 0
        #: The code points that the last edit inserted.
        self._last = (0, 0)
        self._how = bytearray(len(text))

    @property
    def row(self) -> Suggestion:
        """The row to save, as of now."""
        accepted, typed = self._how.count(_ACCEPTED), self._how.count(_TYPED)
        return replace(self._row, accepted_characters=accepted, typed_characters=typed)

    @property
    def taken(self) -> bool:
        """Whether it was accepted, wholly or in part."""
        return _ACCEPTED in self._how

    def is_offered_by(self, offer: Offer, item: Item) -> bool:
        """Whether ``item`` is this suggestion, or its rest after the text that is in the document already."""
        if not 0 <= offer.offset - self.start <= len(self.text) + _MOST_BLANKS:
            return False
        whole = offer.document[self.start : offer.offset] + item.text
        if whole == self.text:
            return True
        # Most others differ in the first line, or in the last, at whose end blanks are compared.
        first, line_end, _ = self.text.partition("\n")
        may_be = line_end and whole.startswith(first.rstrip()) and self.text.endswith(_last_line(item.text))
        return bool(may_be) and _plain(whole) == _plain(self.text)

    def offer(self, offer: Offer, item: Item) -> int:
        """Follow the suggestion from this offer on; return how many of its code points precede the item's."""
        self.ghost, self.fits = Ghost(item.text, item.replaced, offer.document, offer.offset), True
        self._base = max(0, len(self.text) - len(item.text))
        self._mark_typed(0, self._base)
        return self._base

    def move(self, edit: Edit) -> None:
        """Update ``start`` after an edit. Text inserted exactly at ``start`` counts as the suggestion's."""
        if edit.end <= self.start and edit.start < self.start:
            self.start += len(edit.text) - (edit.end - edit.start)
        elif edit.start < self.start:
            self.start = min(self.start, edit.start + len(edit.text))

    def follow(self, edit: Edit) -> tuple[bool, Step | None]:
        """Follow an edit while on offer; return whether it touches the suggestion, and its step if any."""
        ghost = self.ghost
        if ghost is None or (not ghost.holds(edit) and ghost.follow(edit)):
            return False, None
        step = None
        if ghost.holds(edit):
            ghost.apply(edit)
            step = ghost.step()
        else:
            self.ghost = None
        # Of several edits that arrive together the last decides, since a replacement may arrive as two.
        self.fits = step is not None
        return True, step

    def show(self) -> None:
        """Record that it was on the screen."""
        self._row = replace(self._row, shown=True)

    def take(self, step: Step) -> None:
        """Record what was inserted into the document or removed from it."""
        start, end = self._base + step.start, self._base + step.end
        self._last = (start, end)
        if step.how == "taken back":
            self._how[start:end] = self._how[start:end].replace(_TYPED, _NOT)
        elif step.how == "typed" and not (step.complete and self._ends_an_accept(start, end)):
            self._mark_typed(start, end)
        else:
            self.accept(start, end, whole=step.complete)

    def accept(self, start: int, end: int, *, whole: bool) -> None:
        """Record that the code points from ``start`` to ``end`` were accepted; ``whole``: up to its end."""
        self._how[start:end] = _ACCEPTED * (end - start)
        self._row = replace(self._row, shown=True, accepted=self._row.accepted or whole)

    def accept_rest(self, start: int) -> None:
        """Record that it was accepted from ``start`` on. What the user had typed of it stays typed."""
        if _NOT not in self._how[start:]:
            # Then its last step was an acceptance that looked like typing.
            start = len(self._how) - 1
            self._how[start:] = _NOT
        self._how[start:] = self._how[start:].replace(_NOT, _ACCEPTED)
        self.accept(0, 0, whole=True)

    def accept_up_to(self, start: int, end: int, *, whole: bool) -> None:
        """Record that the text from ``start`` on was accepted up to ``end``, of which a part may be typed.

        The edit that inserts what was accepted may come before or after this; before, it may have looked like
        typing. What the user had typed until then stays typed.
        """
        inserted, until = self._last
        if until == end:
            self._how[max(start, inserted) : end] = _ACCEPTED * (end - max(start, inserted))
        self._how[start:end] = self._how[start:end].replace(_NOT, _ACCEPTED)
        if _ACCEPTED not in self._how:
            self._how[end - 1 : end] = _ACCEPTED
        self.accept(end, end, whole=whole)

    def watch(self, now_s: float) -> None:
        """Schedule the checks, unless they are scheduled or were done."""
        if not self.checks and self._row.kept_30_s is None and self._row.kept_300_s is None:
            self.checks = [(now_s + after_s, name) for after_s, name in CHECKS]

    def look(self, document: str | None) -> None:
        """Do the next check in ``document`` as it is now; None if the document is not open."""
        _, name = self.checks.pop(0)
        if document is None:
            return
        start, end = self._how.find(_ACCEPTED), self._how.rfind(_ACCEPTED) + 1
        kept = still_there(document, self.start + start, self.text[start:end])
        if name == "kept_30_s":
            self._row = replace(self._row, kept_30_s=kept)
        else:
            self._row = replace(self._row, kept_300_s=kept)

    def _ends_an_accept(self, start: int, end: int) -> bool:
        """Whether this is one code point right after an accepted one, such as the ``)`` of ``f(x)``."""
        return end - start == 1 and start > 0 and self._how[start - 1] == _ACCEPTED[0]

    def _mark_typed(self, start: int, end: int) -> None:
        self._how[start:end] = self._how[start:end].replace(_NOT, _TYPED)


def _last_line(text: str) -> str:
    return text.rpartition("\n")[2]


def _plain(text: str) -> str:
    return _TRAILING_BLANKS.sub("", text)
