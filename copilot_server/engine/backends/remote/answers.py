"""The events of a completion, with log-probabilities in either of the two formats that engines use."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from copilot_server.engine.backends.remote.failures import Unanswered, malformed

Finish = Literal["stop", "length"]

#: JSON can name half of a surrogate pair, which no text that is sent on can hold.
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

_FINISHES: dict[str, Finish] = {
    "stop": "stop",
    "eos_token": "stop",  # text-generation-inference's names
    "stop_sequence": "stop",
    "length": "length",
}


@dataclass(frozen=True, slots=True)
class Token:
    """A token of an answer with its natural-log probability, and the alternatives at its position."""

    text: str
    logprob: float
    others: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """What one event adds to an answer.

    ``tokens``: empty if the engine gives no log-probabilities. They may be ahead of ``text``, of which an
    engine holds back what may become a stop text.
    ``stopped_by``: the stop text that ended the answer, if the engine reports it.
    """

    text: str
    tokens: tuple[Token, ...] = ()
    finish: Finish | None = None
    stopped_by: str = ""


def read_piece(data: str) -> Piece | None:
    """Read an event; None for one that adds nothing, such as the token count at the end.

    Raises:
        Unanswered: the event reports an error, or does not belong to a completion.
    """
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        raise malformed("not JSON") from None
    if isinstance(event, dict) and event.get("error"):
        raise Unanswered("broke off its answer with an error")
    try:
        choices = event["choices"]
        return _piece(choices[0]) if choices else None
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError):
        raise malformed("JSON in another format") from None


def _piece(choice: Mapping[str, Any]) -> Piece:
    text, reason, stopped_by = choice["text"], choice.get("finish_reason"), choice.get("stop_reason")
    if not isinstance(text, str):
        raise TypeError
    if reason is not None and reason not in _FINISHES:
        raise Unanswered("broke off its answer")
    return Piece(
        text=_LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text),
        tokens=tuple(_tokens(choice.get("logprobs"))),
        finish=None if reason is None else _FINISHES[reason],
        stopped_by=stopped_by if isinstance(stopped_by, str) else "",
    )


def _tokens(logprobs: Mapping[str, Any] | None) -> Iterator[Token]:
    if logprobs is None:
        return
    if "content" in logprobs:  # the format of chats, which llama.cpp uses
        for one in logprobs["content"] or ():
            others = tuple(_pair(other["token"], other["logprob"]) for other in one.get("top_logprobs") or ())
            yield Token(*_pair(one["token"], one["logprob"]), others)
        return
    tops = logprobs.get("top_logprobs") or [None] * len(logprobs["tokens"])
    for text, logprob, top in zip(logprobs["tokens"], logprobs["token_logprobs"], tops, strict=True):
        yield Token(*_pair(text, logprob), tuple(_pair(*one) for one in (top or {}).items()))


def _pair(text: object, logprob: object) -> tuple[str, float]:
    if not isinstance(text, str):
        raise TypeError
    value = 0.0 if logprob is None else float(logprob)  # type: ignore[arg-type]  # a wrong type is caught
    return _LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text), value if math.isfinite(value) else 0.0
