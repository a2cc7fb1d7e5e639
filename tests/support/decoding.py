"""Requests to the decoding loop, engines to answer them, and the answers of plain decoding."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from copilot_server.config import SpeedSettings
from copilot_server.engine.base import Generation, GenerationRequest, Prompt, Sampling
from copilot_server.engine.decoding.engine import DecodingEngine
from tests.support.plain_decoding import PlainDecoding
from tests.support.runners import RUNNERS
from tests.support.watched_runner import Limits, WatchedRunner

#: Some begin alike, some repeat themselves, one is longer than a chunk.
TEXTS = (
    "def wrap(text):\n",
    "def wrap(text):\n    return ",
    "def wrap(text):\n    return text\n\n\ndef fill(text):\n    return ",
    "import re\n\n\nclass TextWrapper:\n    def __init__(self, width=70):\n        self.",
    "x",
    "# déjà vu: 'naïve' \u2028 text\nname = ",
    "for chunk in chunks:\n    width += len(chunk)\n" * 6,
)
NEVER = threading.Event()
#: Each speed-up by itself, none, and all.
SPEEDS = {
    "all": SpeedSettings(),
    "prefix cache": SpeedSettings(drafts=False),
    "drafts": SpeedSettings(prefix_cache=False),
    "none": SpeedSettings(prefix_cache=False, drafts=False),
}

#: Makes an engine with a speed-up setting and limits: see ``engine_maker``.
MakeEngine = Callable[..., DecodingEngine]


class CancelAfter:
    """A cancel flag that is set from its ``looks``-th look on."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def is_set(self) -> bool:
        self.looks -= 1
        return self.looks < 0


def engine_maker(runner: str, folder: Path, plain: PlainDecoding) -> MakeEngine:
    """Return a function that makes engines on ``runner`` with the given settings and tighter limits."""

    def make(speed: SpeedSettings = SPEEDS["all"], **limits: int) -> DecodingEngine:
        inner = RUNNERS[runner](folder)
        if inner.draft_length == 0:  # it can verify drafts, though it does not ask for them
            limits.setdefault("draft_length", 8)
        return DecodingEngine(WatchedRunner(inner, Limits(**limits)), plain.tokenizer, speed)

    return make


def ask(
    text: str, *, forced: str = "", lookup: tuple[str, ...] = (), **sampling: object
) -> GenerationRequest:
    """A request for 24 greedy tokens, unless ``sampling`` says otherwise."""
    return GenerationRequest(
        Prompt((text,), forced), Sampling(**{"max_new_tokens": 24, **sampling}), lookup=lookup
    )


def generate(engine: DecodingEngine, request: GenerationRequest) -> list[Generation]:
    """Generate without a cancel."""
    return engine.generate(request, NEVER)


def watched(engine: DecodingEngine) -> WatchedRunner:
    """The runner of an engine, which has recorded its steps."""
    assert isinstance(engine.runner, WatchedRunner)
    return engine.runner


def assert_same(ours: list[Generation], theirs: list[Generation]) -> None:
    """The same tokens, text and reason; the log-probability may differ in its last digits."""
    for one, other in zip(ours, theirs, strict=True):
        assert replace(one, mean_logprob=0.0) == replace(other, mean_logprob=0.0)
        assert one.mean_logprob == pytest.approx(other.mean_logprob, abs=1e-4)
