"""The life of one suggestion, from its first offer to the last look at what is left of it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Literal

from copilot_server.statistics.ghost import Ghost, Step
from copilot_server.statistics.survival import still_there
from copilot_server.statistics.types import Edit, Item, Offer, Suggestion

#: When an accepted suggestion is looked for again, in seconds after its acceptance, and where that is noted.
CHECKS: tuple[tuple[float, Literal["kept_30_s", "kept_300_s"]], ...] = (
    (30.0, "kept_30_s"),
    (300.0, "kept_300_s"),
)

#: How each code point came into the document.
_NOT, _TYPED, _ACCEPTED = b"\0", b"\1", b"\2"

#: Blanks by which an offer of the rest may differ from the rest of the offer: editors indent blank lines.
_TRAILING_BLANKS = re.compile(r"[ \t]+(?=\r?\n)")
_MOST_BLANKS = 256


class Life:
    """What is known of one suggestion so far, and its place, which is followed through its document."""

    def __init__(self, row: Suggestion, text: str, uri: str, start: int) -> None:
        self.uri = uri
        self.text = text
        #: The offset in the document at which the text begins, or would.
        self.start = start
        #: Since when it is on offer, and when it last ceased to be, on the tracker's clock.
        self.offered_s = 0.0
        self.left_s = 0.0
        #: Whether it would be the one on the screen, of those offered together.
        self.displayed = False
        #: How it stands in the document while it is on show, and whether the document still fits it.
        self.ghost: Ghost | None = None
        self.fits = True
        #: When to look for it again, the next first.
        self.checks: list[tuple[float, Literal["kept_30_s", "kept_300_s"]]] = []
        #: The row as it was last kept.
        self.saved = row
        self._row = row
        self._base = 0
        self._how = bytearray(len(text))

    @property
    def row(self) -> Suggestion:
        """All that will be kept of it, as of now."""
        accepted, typed = self._how.count(_ACCEPTED), self._how.count(_TYPED)
        return replace(self._row, accepted_characters=accepted, typed_characters=typed)

    @property
    def taken(self) -> bool:
        """Whether it was accepted, all or in part."""
        return _ACCEPTED in self._how

    def is_offered_by(self, offer: Offer, item: Item) -> bool:
        """Whether ``item`` is this very suggestion, or what is left of it after what stands at its place."""
        if not 0 <= offer.offset - self.start <= len(self.text) + _MOST_BLANKS:
            return False
        whole = offer.document[self.start : offer.offset] + item.text
        if whole == self.text:
            return True
        # Most differ in the first line, or in the last, which has no line end for blanks to precede.
        first, line_end, _ = self.text.partition("\n")
        may_be = line_end and whole.startswith(first.rstrip()) and self.text.endswith(_last_line(item.text))
        return bool(may_be) and _plain(whole) == _plain(self.text)

    def offer(self, offer: Offer, item: Item) -> int:
        """Follow it from this offer on; return how many of its code points come before the item's."""
        self.ghost, self.fits = Ghost(item.text, item.replaced, offer.document, offer.offset), True
        self._base = max(0, len(self.text) - len(item.text))
        self._mark_typed(0, self._base)
        return self._base

    def move(self, edit: Edit) -> None:
        """Follow its place through an edit; what is put in at the very place is taken for its own text."""
        if edit.end <= self.start and edit.start < self.start:
            self.start += len(edit.text) - (edit.end - edit.start)
        elif edit.start < self.start:
            self.start = min(self.start, edit.start + len(edit.text))

    def follow(self, edit: Edit) -> tuple[bool, Step | None]:
        """Follow an edit while on show; say whether it touches the suggestion, and what it did if it fits."""
        ghost = self.ghost
        if ghost is None or (not ghost.holds(edit) and ghost.follow(edit)):
            return False, None
        step = None
        if ghost.holds(edit):
            ghost.apply(edit)
            step = ghost.step()
        else:
            self.ghost = None
        # Of several edits that come together, the last decides: a replacement may come as two.
        self.fits = step is not None
        return True, step

    def show(self) -> None:
        """It was on the screen."""
        self._row = replace(self._row, shown=True)

    def take(self, step: Step) -> None:
        """Count what came into the document, or left it again."""
        start, end = self._base + step.start, self._base + step.end
        if step.how == "taken back":
            self._how[start:end] = self._how[start:end].replace(_TYPED, _NOT)
        elif step.how == "typed" and not (step.complete and self._ends_an_accept(start, end)):
            self._mark_typed(start, end)
        else:
            self.accept(start, end, whole=step.complete)

    def accept(self, start: int, end: int, *, whole: bool) -> None:
        """Its code points from ``start`` to ``end`` were accepted; with ``whole``, so was the suggestion."""
        self._how[start:end] = _ACCEPTED * (end - start)
        self._row = replace(self._row, shown=True, accepted=self._row.accepted or whole)

    def accept_rest(self, start: int) -> None:
        """It was accepted as offered from ``start`` on; what had been typed of that by then stays typed."""
        if _NOT not in self._how[start:]:
            # So its last step was no typing, if it looked so.
            start = len(self._how) - 1
            self._how[start:] = _NOT
        self._how[start:] = self._how[start:].replace(_NOT, _ACCEPTED)
        self.accept(0, 0, whole=True)

    def watch(self, now_s: float) -> None:
        """Plan to look for it, unless that is planned or was done."""
        if not self.checks and self._row.kept_30_s is None and self._row.kept_300_s is None:
            self.checks = [(now_s + after_s, name) for after_s, name in CHECKS]

    def look(self, document: str | None) -> None:
        """Do the next check, in the document as it is now; None if it is not to be had."""
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
        """Whether this is a last code point right after an accepted one, as the ``)`` that ends ``f(x)``."""
        return end - start == 1 and start > 0 and self._how[start - 1] == _ACCEPTED[0]

    def _mark_typed(self, start: int, end: int) -> None:
        self._how[start:end] = self._how[start:end].replace(_NOT, _TYPED)


def _last_line(text: str) -> str:
    return text.rpartition("\n")[2]


def _plain(text: str) -> str:
    return _TRAILING_BLANKS.sub("", text)
