"""The plain values that pass between the language server, the tracker and the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

#: What made the editor ask. A panel shows its candidates side by side, so they have no acceptance rate.
Trigger = Literal["automatic", "invoked", "panel"]

#: The longest name that is stored. The names of languages, editors and models come from elsewhere.
MAX_NAME = 64


class Edit(Protocol):
    """A change that replaced the code points from ``start`` to ``end`` of the text so far by ``text``."""

    @property
    def start(self) -> int:
        """The offset at which it begins."""
        ...

    @property
    def end(self) -> int:
        """The offset at which the replaced text ended."""
        ...

    @property
    def text(self) -> str:
        """The new text."""
        ...


@dataclass(frozen=True, slots=True)
class PlainEdit:
    """An edit as a plain value."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Item:
    """A suggestion as it was sent: insert ``text`` at the offer's offset, replacing ``replaced`` code points.

    ``head``: what precedes ``text`` in the item's ``insertText``, such as the begun word at the cursor.
    """

    id: str
    text: str
    replaced: int = 0
    mean_logprob: float | None = None
    head: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """An answer with at least one item; the first one is the one that editors show first.

    ``document``: its text when the answer is sent. ``offset``: where the items are inserted, in code points.
    ``source``: as in ``completion.types.Source``. ``latency_s``: from the request's arrival to the answer.
    ``eagerness``: the setting ``completion.eagerness`` as it is then, whatever the trigger.
    """

    uri: str
    document: str
    offset: int
    items: tuple[Item, ...]
    language: str
    model: str
    source: str
    latency_s: float
    trigger: Trigger = "automatic"
    eagerness: str = ""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One row: all that is stored about a suggestion. Lengths are in code points; times are UTC.

    ``model``: as the pipeline names it; the store replaces it by ``names.stored_name``.
    ``eagerness``: that of its first offer; empty in rows that were written before it was stored.
    """

    id: int
    offered_at_s: int
    editor: str
    language: str
    model: str
    source: str
    trigger: str
    latency_ms: float
    characters: int
    lines: int
    mean_logprob: float | None
    eagerness: str = ""
    shown: bool = False
    accepted: bool = False
    accepted_characters: int = 0
    typed_characters: int = 0
    kept_30_s: bool | None = None
    kept_300_s: bool | None = None


@dataclass(slots=True)
class SuggestionCounts:
    """How many suggestions of this process were offered, shown, and accepted as a whole."""

    offered: int = 0
    shown: int = 0
    accepted: int = 0
