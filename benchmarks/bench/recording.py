"""The recording, which is made with our server and repeated with llama.cpp, function by function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.bench.corpus import Passage, Position
from benchmarks.bench.editing import Editor
from benchmarks.bench.llamacpp import Endpoint, LlamaCpp, LlamaEditor, Timings
from benchmarks.bench.ours import LspServer
from benchmarks.bench.prompts import PromptBook
from benchmarks.bench.replay import Hurried, Timed, hurry, record, repeat

ENDPOINTS: tuple[Endpoint, ...] = ("/infill", "/completion")
#: llama.cpp takes seconds for a key, so it repeats only one of this many functions.
SHARED_EVERY = 2


@dataclass(frozen=True, slots=True)
class Sitting:
    """What is typed: ``keys`` keys of each passage. ``seed`` determines the typist's random choices."""

    passages: Sequence[Passage]
    seed: int
    keys: int


@dataclass(slots=True)
class Recording:
    """Every keystroke with its answers.

    Attributes:
        ours: the answers of our server, by function.
        theirs: the answers of llama.cpp in every ``SHARED_EVERY``-th function, by endpoint.
        their_timings: the timings that llama.cpp reports for them.
    """

    ours: list[list[Timed]] = field(default_factory=list)
    theirs: dict[Endpoint, list[Timed]] = field(default_factory=dict)
    their_timings: list[Timings] = field(default_factory=list)

    @property
    def every(self) -> list[Timed]:
        """The answers of our server to all keystrokes."""
        return [timed for function in self.ours for timed in function]

    @property
    def shared(self) -> list[list[Timed]]:
        """The answers of our server in the functions that llama.cpp repeated."""
        return self.ours[::SHARED_EVERY] if self.theirs else []


def make_recording(
    ours: LspServer, llamacpp: LlamaCpp | None, book: PromptBook, sitting: Sitting
) -> Recording:
    """Type with our server, whose answers decide what is accepted, and repeat it with llama.cpp in turns."""
    recording = Recording()
    for number, passage in enumerate(sitting.passages):
        timed = record(ours, passage, sitting.seed, sitting.keys)
        ours.settle()
        recording.ours.append(timed)
        if llamacpp is not None and number % SHARED_EVERY == 0:
            for endpoint in ENDPOINTS:
                editor = LlamaEditor(llamacpp, book, endpoint, _lengths(timed, book))
                answers = repeat(editor, [one.step for one in timed])
                recording.theirs.setdefault(endpoint, []).extend(answers)
                recording.their_timings += editor.timings
    return recording


def in_a_hurry(
    ours: LspServer, llamacpp: LlamaCpp | None, book: PromptBook, functions: Sequence[Sequence[Timed]]
) -> dict[str, list[Hurried]]:
    """Replay the keys of a recording at their own pace with servers that have not seen them."""
    hurried: dict[str, list[Hurried]] = {}
    for timed in functions:
        editors: dict[str, Editor] = {"copilot-server": ours}
        if llamacpp is not None:
            editors["llama.cpp"] = LlamaEditor(llamacpp, book, "/infill", _lengths(timed, book))
        for name, editor in editors.items():
            hurried.setdefault(name, []).extend(hurry(editor, [one.step for one in timed]))
            editor.settle()
    return hurried


def _lengths(timed: Sequence[Timed], book: PromptBook) -> dict[Position, int]:
    """Return the number of tokens of our answer at each position, at least one."""
    return {one.step.position: max(1, book.count_tokens(one.answer.text)) for one in timed}
