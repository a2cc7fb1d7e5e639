"""A simulated editor, which types at the pace of a typist and records the outcome of each key."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.bench.corpus import Passage, Position
from benchmarks.bench.editing import Answer, Pending
from benchmarks.bench.ours import LspServer
from benchmarks.bench.typist import Typist

#: A request without an answer is lost after this time in seconds.
LOST_S = 60.0
#: How long an editor waits for the engine after a kill, in seconds.
RECOVERY_S = 120.0


@dataclass(frozen=True, slots=True)
class Key:
    """A keystroke.

    Attributes:
        latency_s: the time until its answer came; None if that was not before the next key.
        shown: whether the answer had a suggestion.
        failed: whether the answer was an error.
    """

    latency_s: float | None
    shown: bool = False
    failed: bool = False


@dataclass(slots=True)
class Seen:
    """What one editor saw: its keys, how long it typed, and the number of requests without an answer."""

    keys: list[Key] = field(default_factory=list)
    typing_s: float = 0.0
    lost: int = 0
    recovered: bool = True


class TypingEditor:
    """Types passages with a server of its own. ``slower`` multiplies the pauses of the typist."""

    def __init__(self, server: LspServer, passages: Sequence[Passage], seed: int, slower: float) -> None:
        self.server = server
        self.seen = Seen()
        self._passages = passages
        self._seed = seed
        self._slower = slower
        self._pending: list[Pending] = []

    def type(self, keys: int, delay_s: float) -> None:
        """Type ``keys`` keys after ``delay_s``, then wait for the answers that are missing."""
        time.sleep(delay_s)
        started_s = time.perf_counter()
        for passage in self._passages:
            if len(self.seen.keys) < keys:
                self._type(passage, keys)
        self.seen.typing_s = time.perf_counter() - started_s
        self.seen.lost = sum(not _is_over(one) for one in self._pending)

    def comes_back(self) -> bool:
        """Continue to type until the engine answers again; return whether it did in time."""
        passage = self._passages[-1]
        typed, before = Typist(passage, self._seed).first_position(1), self._engine_answers()
        self.server.open(Position(passage, typed))
        deadline_s = time.perf_counter() + RECOVERY_S
        while time.perf_counter() < deadline_s and typed < len(passage.source):
            typed += 1
            try:
                self.server.ask(Position(passage, typed)).wait(RECOVERY_S)
            except RuntimeError:
                time.sleep(1.0)  # the engine is not back yet
            if self._engine_answers() > before:
                return True
        return False

    def _engine_answers(self) -> int:
        answered: int = self.server.stats()["answers"].get("model", 0)
        return answered

    def _type(self, passage: Passage, keys: int) -> None:
        typist = Typist(passage, self._seed)
        typed = typist.first_position(keys)
        self.server.open(Position(passage, typed))
        pressed_s, accepted = time.perf_counter(), ""
        while len(self.seen.keys) < keys and (key := typist.key(typed)) is not None:
            typed += len(accepted or key.text)
            time.sleep(max(0.0, pressed_s - time.perf_counter()))
            pending = self.server.ask(Position(passage, typed))
            self._pending.append(pending)
            following = typist.key(typed)
            pressed_s = pending.sent_s + (self._slower * following.pause_s if following else 0.0)
            accepted = self._answered(pending, pressed_s, typist, typed)

    def _answered(self, pending: Pending, next_s: float, typist: Typist, typed: int) -> str:
        """Wait for an answer until the next key is due, and return the text that is accepted."""
        try:
            answer: Answer | None = pending.wait(max(0.0, next_s - time.perf_counter()))
        except RuntimeError:
            self.seen.keys.append(Key(None, failed=True))
            return ""
        if answer is None:
            pending.cancel()
            self.seen.keys.append(Key(None))
            return ""
        self.seen.keys.append(Key(answer.latency_s, shown=bool(answer.text)))
        return typist.accepts(typed, answer.text)


def _is_over(pending: Pending) -> bool:
    try:
        return pending.wait(LOST_S) is not None
    except RuntimeError:
        return True  # an error is an answer, too; usually it says that the request was cancelled
