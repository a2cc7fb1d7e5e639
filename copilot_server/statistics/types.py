"""The plain values that pass between the language server, the tracker and the store."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Literal, Protocol

#: What made the editor ask. Candidates of a panel stand side by side, so that they have no acceptance rate.
Trigger = Literal["automatic", "invoked", "panel"]

#: The longest name that is kept. Language ids, editors and models are named by others.
MAX_NAME = 64

_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
_PATH = re.compile(r"^[.~]|\.gguf$", re.IGNORECASE)


class Edit(Protocol):
    """What a change did: it put ``text`` for the code points from ``start`` to ``end`` of the text so far."""

    @property
    def start(self) -> int:
        """Where it begins."""
        ...

    @property
    def end(self) -> int:
        """Where what it replaced ended."""
        ...

    @property
    def text(self) -> str:
        """What was put there."""
        ...


@dataclass(frozen=True, slots=True)
class PlainEdit:
    """An edit made here."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Item:
    """A suggestion as it was sent: put ``text`` in at the offer's offset, over ``replaced`` code points.

    ``head``: what the item's ``insertText`` has before ``text``, as where it repeats the word at the cursor.
    """

    id: str
    text: str
    replaced: int = 0
    mean_logprob: float | None = None
    head: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """An answer with at least one item, the one shown first first.

    ``document``: the text as it is when the answer is sent; ``offset``, in code points: where its items go.
    ``source``: as ``completion.types.Source``. ``latency_s``: from the request's arrival to the answer.
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


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One row: all that is ever kept of a suggestion. Lengths are in code points; times are UTC."""

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
    shown: bool = False
    accepted: bool = False
    accepted_characters: int = 0
    typed_characters: int = 0
    kept_30_s: bool | None = None
    kept_300_s: bool | None = None


@dataclass(slots=True)
class SuggestionCounts:
    """How many suggestions of this process were sent, were on the screen, and were accepted as a whole."""

    offered: int = 0
    shown: int = 0
    accepted: int = 0


def model_name(model: str) -> str:
    """Give a model's name as it is kept: a model of the user's own is a path, and paths are not kept."""
    if _HUB_NAME.fullmatch(model) and not _PATH.search(model):
        return model[:MAX_NAME]
    return f"local-{hashlib.sha256(model.encode('utf-8', 'replace')).hexdigest()[:8]}"
