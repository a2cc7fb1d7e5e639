"""Engines without servers, in turns: reading a prompt of 1,100 tokens, and writing after it."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from benchmarks.bench.corpus import Position, library_texts
from benchmarks.bench.llamacpp import LlamaCpp
from benchmarks.bench.processes import end, resident_mb
from benchmarks.bench.prompts import PromptBook

PROMPT_TOKENS = 1100
NEW_TOKENS = 64
STREAMS, STREAM_PROMPT_TOKENS, STREAM_NEW_TOKENS = 32, 64, 128
#: What is typed after a prompt that has been read: the beginning of a word.
TYPED = "re"
#: A shorter answer says too little about the speed of writing.
FEWEST_TOKENS = 4


@dataclass(frozen=True, slots=True)
class Speed:
    """The speed of one prompt: tokens per second read and written, and the seconds to the first token.

    ``next_key_s`` is the time to the first token after the same prompt and two more characters, for an engine
    that caches prompts.
    """

    prefill_tok_s: float
    decode_tok_s: float
    first_token_s: float
    next_key_s: float | None = None


#: Measures an engine with one text.
Subject = Callable[[str, int], Speed]


class Worker:
    """A process of the module ``worker`` with an engine of the given kind."""

    def __init__(self, kind: str, model: str) -> None:
        command = [sys.executable, "-m", "benchmarks.bench.worker", kind, model]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        end(self.process)

    @property
    def rss_mb(self) -> float:
        """Its memory now."""
        return resident_mb(self.process)

    def ask(self, op: str, **values: object) -> dict[str, Any]:
        """Let the process measure.

        Raises:
            RuntimeError: the process has ended.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"op": op, **values}).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            msg = f"{' '.join(map(str, self.process.args))} has ended."  # type: ignore[arg-type]
            raise RuntimeError(msg)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def speed(self, text: str, new_tokens: int) -> Speed:
        """Measure reading a text and writing after it."""
        timing = self.ask("text", text=text, new_tokens=new_tokens)
        first_s, decode_s = timing["first_token_s"], timing["decode_s"]
        decode_tok_s = (timing["tokens"] - 1) / decode_s if decode_s else 0.0
        return Speed(timing["prompt_tokens"] / first_s, decode_tok_s, first_s)

    def speed_twice(self, text: str, new_tokens: int) -> Speed:
        """Measure a text, and then the same text with two more characters."""
        speed = self.speed(text, new_tokens)
        return replace(speed, next_key_s=self.speed(text + TYPED, 2).first_token_s)


def llamacpp_subject(server: LlamaCpp) -> Subject:
    """Return what measures llama.cpp by its own timings."""

    def measure(text: str, new_tokens: int) -> Speed:
        timings = server.complete(text, new_tokens)
        again = server.complete(text + TYPED, 2)
        return Speed(timings.prefill_tok_s, timings.decode_tok_s, timings.prompt_s, again.prompt_s)

    return measure


def in_turns(subjects: Mapping[str, Subject], texts: Sequence[str], new_tokens: int) -> dict[str, Speed]:
    """Return the median speeds of each subject, which take turns with each text (ABAB)."""
    speeds: dict[str, list[Speed]] = {name: [] for name in subjects}
    for text in texts:
        for name, measure in subjects.items():
            speeds[name].append(measure(text, new_tokens))
    return {name: median_speed(measured) for name, measured in speeds.items()}


def median_speed(speeds: Sequence[Speed]) -> Speed:
    """Return the median of each figure."""
    again = [speed.next_key_s for speed in speeds if speed.next_key_s is not None]
    return Speed(
        statistics.median(speed.prefill_tok_s for speed in speeds),
        statistics.median(speed.decode_tok_s for speed in speeds),
        statistics.median(speed.first_token_s for speed in speeds),
        statistics.median(again) if again else None,
    )


def unseen_texts(book: PromptBook, tokens: int, seed: int) -> Iterator[str]:
    """Yield the beginnings of the library's files, which have ``tokens`` tokens to within one."""
    for text in library_texts(seed):
        ids = book.encode(text)
        if len(ids) >= tokens:
            yield book.decode(ids[:tokens])


@dataclass(frozen=True, slots=True)
class Drafted:
    """Decoding with drafts at positions of the recording: all tokens divided by all seconds.

    ``acceptance`` is the share of drafted tokens that were accepted, or None if the engine does not count
    them.
    """

    decode_tok_s: float
    acceptance: float | None
    answers: int


def drafted(worker: Worker, positions: Sequence[Position]) -> Drafted | None:
    """Measure our pipeline at ``positions``; return None if it wrote almost nothing."""
    tokens, seconds, answers = 0, 0.0, 0
    for position in positions:
        timing = worker.ask(
            "position", uri=position.passage.uri, text=position.document, offset=position.offset
        )
        if timing.get("tokens", 0) >= FEWEST_TOKENS:
            tokens += timing["tokens"] - 1
            seconds += timing["decode_s"]
            answers += 1
    if not answers:
        return None
    counted = worker.ask("counters")
    most = counted.get("tokens_drafted", 0)
    return Drafted(tokens / seconds, counted["drafts_accepted"] / most if most else None, answers)
