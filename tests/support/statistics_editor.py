"""An editor without a screen, for the tests of statistics: a text, and a tracker that is given its edits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from copilot_server.statistics.text import minimal_edit
from copilot_server.statistics.tracker import Tracker
from copilot_server.statistics.types import Item, Offer, PlainEdit, Suggestion, Trigger

URI = "file:///secret/place.py"
#: The ways in which an editor may send one and the same insertion.
SPELLINGS = ("exact", "shifted", "line", "twice", "whole")


@dataclass
class Rows:
    """Keeps rows as the store does, and checks each for broken rules."""

    by_id: dict[int, Suggestion] = field(default_factory=dict)

    def add(self, suggestion: Suggestion) -> None:
        assert suggestion.id not in self.by_id
        self.by_id[suggestion.id] = suggestion

    def update(self, suggestion: Suggestion) -> None:
        before = self.by_id[suggestion.id]
        assert suggestion != before
        assert suggestion.shown >= before.shown
        assert suggestion.accepted >= before.accepted
        assert before.kept_30_s in (None, suggestion.kept_30_s)
        assert before.kept_300_s in (None, suggestion.kept_300_s)
        self.by_id[suggestion.id] = suggestion


class Editor:
    """One document with a cursor."""

    def __init__(self, text: str = "", cursor: int | None = None, uri: str = URI) -> None:
        self.text = text
        self.cursor = len(text) if cursor is None else cursor
        self.uri = uri
        self.now_s = 1000.0
        self.rows = Rows()
        self.texts = {uri: text}
        self.tracker = Tracker(self.rows, self.texts.get, clock=lambda: self.now_s, wall_clock=lambda: 1.8e9)
        self._ids = 0

    @property
    def row(self) -> Suggestion:
        """The only row."""
        (row,) = self.rows.by_id.values()
        return row

    def wait(self, seconds: float) -> None:
        self.now_s += seconds
        self.tracker.tick()

    def offer(
        self,
        *texts: str,
        replaced: int = 0,
        trigger: Trigger = "automatic",
        head: str = "",
        model: str = "qwen2.5-coder-0.5b",
        eagerness: str = "medium",
    ) -> list[str]:
        """Have the server offer these at the cursor; return the items' ids."""
        first = self._ids
        self._ids += len(texts)
        items = tuple(Item(f"item {first + n}", text, replaced, -0.25, head) for n, text in enumerate(texts))
        self.tracker.requested(self.uri, self.cursor)
        self.tracker.offered(
            Offer(self.uri, self.text, self.cursor, items, "python", model, "model", 0.16, trigger, eagerness)
        )
        return [item.id for item in items]

    def edit(self, start: int, end: int, text: str, spelling: str = "exact") -> None:
        """Replace what is from ``start`` to ``end`` with ``text``, and put the cursor after it."""
        before = self.text
        self.text = before[:start] + text + before[end:]
        self.cursor = start + len(text)
        self.texts[self.uri] = self.text
        self.tracker.changed(self.uri, _spelled(before, start, end, text, spelling))

    def insert(self, text: str, *, over: int = 0, spelling: str = "exact") -> None:
        """Insert ``text`` at the cursor, replacing the given number of code points after it."""
        self.edit(self.cursor, self.cursor + over, text, spelling)

    def type(self, text: str) -> None:
        """Insert it key by key."""
        for key in text:
            self.insert(key)

    def close(self) -> Suggestion:
        """Close the document; return the only row."""
        self.tracker.closed(self.uri)
        return self.row


def _spelled(before: str, start: int, end: int, text: str, spelling: str) -> Sequence[PlainEdit]:
    exact = PlainEdit(start, end, text)
    after = before[:start] + text + before[end:]
    match spelling:
        case "shifted":  # as Neovim has it: from the first character that differs to the last
            return [minimal_edit(before, after)]
        case "line":
            head = before.rfind("\n", 0, start) + 1
            tail = before.find("\n", end)
            tail = len(before) if tail < 0 else tail
            return [PlainEdit(head, tail, before[head:start] + text + before[end:tail])]
        case "twice":
            return [PlainEdit(start, end, ""), PlainEdit(start, start, text)]
        case "whole":
            return [minimal_edit(before, after)] if len(before) > 400 else [PlainEdit(0, len(before), after)]
        case _:
            return [exact]
