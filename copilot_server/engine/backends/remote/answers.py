"""What the events of a completion say, in either of the two forms that engines give log-probabilities in."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from copilot_server.engine.backends.remote.failures import Unanswered, rubbish

Finish = Literal["stop", "length"]

_FINISHES: dict[str, Finish] = {
    "stop": "stop",
    "eos_token": "stop",  # text-generation-inference's names
    "stop_sequence": "stop",
    "length": "length",
}


@dataclass(frozen=True, slots=True)
class Token:
    """A token of an answer with its natural-log probability, and others that might have stood there."""

    text: str
    logprob: float
    others: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """What one event adds to an answer.

    ``tokens``: empty where the engine gives no log-probabilities. They may run ahead of ``text``, of which an
    engine keeps back what may become a stop text.
    ``stopped_by``: the stop text that ended the answer, where the engine says so.
    """

    text: str
    tokens: tuple[Token, ...] = ()
    finish: Finish | None = None
    stopped_by: str = ""


def read_piece(data: str) -> Piece | None:
    """Read an event; None for one that adds nothing, as a count of tokens at the end.

    Raises:
        Unanswered: it is an error of the engine's, or no event of a completion.
    """
    try:
        event = json.loads(data)
    except ValueError:
        raise rubbish("no JSON") from None
    if isinstance(event, dict) and event.get("error"):
        raise Unanswered("broke off its answer with an error")
    try:
        choices = event["choices"]
        return _piece(choices[0]) if choices else None
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError):
        raise rubbish("JSON of another form") from None


def _piece(choice: Mapping[str, Any]) -> Piece:
    text, reason, stopped_by = choice["text"], choice.get("finish_reason"), choice.get("stop_reason")
    if not isinstance(text, str):
        raise TypeError
    if reason is not None and reason not in _FINISHES:
        raise Unanswered("broke off its answer")
    return Piece(
        text=text,
        tokens=tuple(_tokens(choice.get("logprobs"))),
        finish=None if reason is None else _FINISHES[reason],
        stopped_by=stopped_by if isinstance(stopped_by, str) else "",
    )


def _tokens(logprobs: Mapping[str, Any] | None) -> Iterator[Token]:
    if logprobs is None:
        return
    if "content" in logprobs:  # as in chats: llama.cpp
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
    return text, value if math.isfinite(value) else 0.0
