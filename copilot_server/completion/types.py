"""The plain values that pass between an editor (or a benchmark) and the pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from copilot_server.catalog import PromptProtocol
from copilot_server.context.document import Cursor
from copilot_server.engine.base import FinishReason, Sampling

#: Where an answer came from: "ahead" if the model was asked before the user was there.
Source = Literal["model", "cache", "ahead", "none"]


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """Complete at ``cursor``.

    ``invoked``: the user asked by a key, so the cache is passed over and several candidates are wanted;
    else one candidate, as fast as can be.
    ``sampling``, ``protocol``: None for what the settings say.
    ``ahead``: nobody has asked yet; the answer is kept for when the cursor gets there.
    """

    cursor: Cursor
    invoked: bool = False
    sampling: Sampling | None = None
    ahead: bool = False
    protocol: PromptProtocol | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A suggestion: put ``text`` in at the cursor, over the ``replaced`` code points that follow it.

    ``tokens``: how many the model wrote for it, which filters may have cut; their mean log-probability is
    ``mean_logprob``.
    """

    text: str
    mean_logprob: float
    finish_reason: FinishReason
    replaced: int = 0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Completion:
    """The candidates for one request, best first; none when there is nothing worth showing.

    ``drawn``: each that the model drew, in that order, empty or twice though it be; for benchmarks.
    """

    candidates: tuple[Candidate, ...]
    source: Source
    protocol: str
    cancelled: bool = False
    drawn: tuple[Candidate, ...] = ()
