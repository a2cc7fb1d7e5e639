"""The fallback chain: each way to run the decoder is made to fail, and the text stays right."""

from __future__ import annotations

import gc
import logging
import weakref
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, TypeVar

import pytest
import torch

from copilot_server.engine.backends.torch.fallback import describe_cause
from copilot_server.engine.backends.torch.kernels import Kernels
from copilot_server.engine.backends.torch.matrix import Matrix
from copilot_server.engine.backends.torch.plan import EXACT_SHAPES, GRAPH_SHAPES
from copilot_server.engine.models.architecture import Architecture
from copilot_server.engine.runner import Chunk
from copilot_server.errors import EngineError
from tests.support.torch_runners import GREEDY, Replayed, greedy, make_runner, random_tokens, write_greedily

T = TypeVar("T")

PROMPT = random_tokens(40)


class Broken(Kernels):
    """Stands for Triton's kernels, which a compiler or a driver refuses after ``works`` products."""

    is_plain = False
    error: Exception = RuntimeError("Failed to find C compiler. Please specify via CC environment variable.")
    works = 0
    made: ClassVar[weakref.WeakSet[Kernels]] = weakref.WeakSet()

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        self._left = self.works
        self.made.add(self)

    def norm_gate(self, x: torch.Tensor, norm: torch.Tensor, gate_up: Matrix) -> torch.Tensor:
        if self._left == 0:
            raise type(self.error)(*self.error.args)  # a new one, which refers to no frames
        self._left -= 1
        return super().norm_gate(x, norm, gate_up)


class BrokenLater(Broken):
    works = 5


@dataclass
class BrokenGraphs(Replayed):
    """Captures ``works`` functions, and then no more."""

    works: int = 0
    error: Exception = field(default_factory=lambda: RuntimeError("CUDA error: the stream is capturing"))

    def run(self, key: Hashable, function: Callable[[], T]) -> T:
        if key not in self.captured and len(self.captured) >= self.works:
            raise type(self.error)(*self.error.args)
        return super().run(key, function)


@pytest.fixture(scope="module")
def folder(tiny_model_dir: Path) -> Path:
    return tiny_model_dir


@pytest.fixture(scope="module")
def expected(folder: Path) -> list[int]:
    return greedy(make_runner(folder), PROMPT, 12)


def test_what_works_is_kept_and_nothing_is_reported(folder: Path, expected: list[int]):
    runner = make_runner(folder, graphs=BrokenGraphs(works=99), shapes=GRAPH_SHAPES)
    assert greedy(runner, PROMPT, 12) == expected
    assert runner.chain.way == "plain kernels, CUDA graphs"
    assert runner.notices == ()


def test_kernels_that_do_not_compile_leave_plain_ones(
    folder: Path, expected: list[int], caplog: pytest.LogCaptureFixture
):
    graphs = Replayed()
    runner = make_runner(folder, kernels=Broken, graphs=graphs, shapes=GRAPH_SHAPES)
    assert runner.chain.way == "Triton's kernels, CUDA graphs"
    with caplog.at_level(logging.WARNING):
        assert greedy(runner, PROMPT, 12) == expected
    assert runner.chain.way == "plain kernels, CUDA graphs"
    [notice] = runner.notices
    assert "without Triton's kernels" in notice
    assert "C compiler" in notice
    assert "Install gcc" in notice
    assert [record.message for record in caplog.records] == [notice]


def test_a_capture_that_fails_leaves_steps_that_are_not_captured(folder: Path, expected: list[int]):
    runner = make_runner(folder, graphs=BrokenGraphs(), shapes=GRAPH_SHAPES)
    assert greedy(runner, PROMPT, 12) == expected
    assert runner.chain.way == "plain kernels, no graphs"
    assert runner.chain.shapes is EXACT_SHAPES
    [notice] = runner.notices
    assert "without CUDA graphs" in notice
    assert "stream is capturing" in notice


def test_both_can_fail_one_after_the_other(folder: Path, expected: list[int]):
    runner = make_runner(folder, kernels=Broken, graphs=BrokenGraphs(), shapes=GRAPH_SHAPES)
    assert greedy(runner, PROMPT, 12) == expected
    assert runner.chain.is_plainest
    assert [notice.split("without ")[1].split(",")[0] for notice in runner.notices] == [
        "Triton's kernels",
        "CUDA graphs",
    ]


@pytest.mark.parametrize("kernels", [Kernels, BrokenLater])
def test_a_failure_in_the_middle_changes_no_token(folder: Path, expected: list[int], kernels: type[Kernels]):
    """Sequences that are open go on, forks included."""
    graphs = BrokenGraphs(works=2)
    runner = make_runner(folder, kernels=kernels, graphs=graphs, shapes=GRAPH_SHAPES)
    sequence = runner.open()
    assert write_greedily(runner, sequence, PROMPT, 3) == expected[:3]
    fork = runner.fork(sequence, len(PROMPT) + 2)
    for one in (sequence, fork):
        assert write_greedily(runner, one, expected[2:3], 9) == expected[3:]
    assert runner.notices


def test_what_failed_is_released(folder: Path):
    graphs = BrokenGraphs(works=1)
    runner = make_runner(folder, kernels=BrokenLater, graphs=graphs, shapes=GRAPH_SHAPES)
    alive, watched = len(BrokenLater.made), weakref.ref(graphs)
    del graphs
    greedy(runner, PROMPT, 12)
    gc.collect()
    assert runner.chain.is_plainest
    assert len(BrokenLater.made) == alive - 1
    assert watched() is None


def test_memory_that_runs_out_is_freed_before_a_way_is_given_up(folder: Path, expected: list[int]):
    class OnceShort(BrokenGraphs):
        def clear(self) -> None:
            super().clear()
            self.works = 99  # what had been captured was all that filled the memory

    graphs = OnceShort(works=1, error=torch.OutOfMemoryError("CUDA out of memory."))
    runner = make_runner(folder, graphs=graphs, shapes=GRAPH_SHAPES)
    assert greedy(runner, PROMPT, 12) == expected
    assert runner.notices == ()
    graphs = BrokenGraphs(works=1, error=torch.OutOfMemoryError("CUDA out of memory."))
    runner = make_runner(folder, graphs=graphs, shapes=GRAPH_SHAPES)
    assert greedy(runner, PROMPT, 12) == expected
    [notice] = runner.notices
    assert "out of memory" in notice


def test_what_fails_in_the_plainest_way_is_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch):
    class Short(Broken):
        is_plain = True
        error = torch.OutOfMemoryError("CUDA out of memory.")

    runner = make_runner(folder, kernels=Short)
    with pytest.raises(EngineError, match="ran out"):
        greedy(runner, PROMPT, 1)
    monkeypatch.setattr(Short, "error", RuntimeError("CUDA error: an illegal memory access"))
    with pytest.raises(RuntimeError, match="illegal memory access"):
        greedy(make_runner(folder, kernels=Short), PROMPT, 1)


def test_errors_of_the_user_give_up_nothing(folder: Path):
    runner = make_runner(folder, graphs=Replayed(), shapes=GRAPH_SHAPES)
    with pytest.raises(EngineError, match="too long"):
        runner.step([Chunk(runner.open(), random_tokens(600), GREEDY)])
    assert runner.notices == ()


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (RuntimeError(), "RuntimeError: no message"),
        (ValueError("\n  first line\nsecond"), "ValueError: first line"),
        (ValueError("x" * 999), "ValueError: " + "x" * 288),
    ],
)
def test_a_cause_is_one_line(error: Exception, cause: str):
    assert describe_cause(error) == cause
