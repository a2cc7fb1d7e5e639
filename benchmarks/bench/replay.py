"""Replaying keys with a server: patiently, waiting for every answer, or in a hurry, at the keys' own pace."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.bench.corpus import Passage, Position
from benchmarks.bench.editing import Answer, Editor, Pending
from benchmarks.bench.typist import Typist


@dataclass(frozen=True, slots=True)
class Step:
    """A keystroke of the recording: ``pause_s`` after the one before, the cursor is at ``position``."""

    position: Position
    pause_s: float


@dataclass(frozen=True, slots=True)
class Timed:
    """A keystroke and its answer."""

    step: Step
    answer: Answer


@dataclass(frozen=True, slots=True)
class Hurried:
    """A keystroke at the typist's own pace.

    Attributes:
        in_time: whether its own suggestion came before the next key.
        wait_s: the time from the key to the first answer to this key or a later one.
    """

    in_time: bool
    wait_s: float


def record(editor: Editor, passage: Passage, seed: int, keys: int) -> list[Timed]:
    """Type ``keys`` keys of a passage as a patient typist, who also accepts suggestions."""
    typist = Typist(passage, seed)
    typed = typist.first_position(keys)
    editor.open(Position(passage, typed))
    timed: list[Timed] = []
    accepted, pressed_s = "", time.perf_counter()
    while len(timed) < keys and (key := typist.key(typed)) is not None:
        typed += len(accepted or key.text)
        step = Step(Position(passage, typed), key.pause_s)
        pressed_s = _sleep_until(pressed_s + key.pause_s)
        timed.append(_ask(editor, step))
        accepted = typist.accepts(typed, timed[-1].answer.text)
    return timed


def repeat(editor: Editor, steps: Sequence[Step]) -> list[Timed]:
    """Request suggestions at the positions of a recording without pauses."""
    editor.open(steps[0].position)
    return [_ask(editor, step) for step in steps]


def hurry(editor: Editor, steps: Sequence[Step]) -> list[Hurried]:
    """Replay the keys of a recording at their own pace. The next key cancels a request without an answer."""
    editor.open(steps[0].position)
    answered_s: list[float | None] = []
    pressed_s: list[float] = []
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        pending = editor.ask(step.position)
        pressed_s.append(pending.sent_s)
        left_s = None if following is None else pending.sent_s + following.pause_s - time.perf_counter()
        answered_s.append(_arrival_s(pending, left_s))
    return [
        Hurried(
            own is not None, min(time_s for time_s in answered_s[i:] if time_s is not None) - pressed_s[i]
        )
        for i, own in enumerate(answered_s)
    ]


def _ask(editor: Editor, step: Step) -> Timed:
    answer = editor.ask(step.position).wait()
    assert answer is not None  # without a time limit there is an answer or an error
    return Timed(step, Answer(answer.text, answer.latency_s, editor.by_model()))


def _arrival_s(pending: Pending, left_s: float | None) -> float | None:
    """Return when the answer came, or cancel the request and return None if it did not come in time."""
    answer = pending.wait(None if left_s is None else max(left_s, 0.0))
    if answer is None:
        pending.cancel()
        return None
    _sleep_until(pending.sent_s + (left_s or 0.0))
    return pending.sent_s + answer.latency_s


def _sleep_until(time_s: float) -> float:
    """Sleep until a time of ``perf_counter``; return the time after it."""
    time.sleep(max(0.0, time_s - time.perf_counter()))
    return time.perf_counter()
