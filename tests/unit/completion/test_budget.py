"""The budget of a prompt by the speed at which prompts are read."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from copilot_server.catalog import resolve
from copilot_server.completion.budget import FEWEST, MOST, STEP, budget_at, prompt_budget
from copilot_server.completion.pipeline import Pipeline, open_pipeline
from copilot_server.completion.types import CompletionRequest
from copilot_server.config import CompletionSettings, Settings
from copilot_server.context.document import Cursor, Document
from copilot_server.engine.base import Cancel, Engine, GenerationRequest, Prompt, ReadingEngine
from copilot_server.engine.decoding.engine import DecodingEngine

NEVER = threading.Event()


@pytest.fixture(scope="module")
def engine(tiny_model_dir: Path) -> Engine:
    return open_pipeline(Settings(model=str(tiny_model_dir), device="cpu")).engine


class Timed:
    """A real engine that reads as fast as a test says, and records what it is asked to generate from."""

    def __init__(self, engine: Engine, speed_tok_s: float) -> None:
        self._engine = engine
        self.speed_tok_s = speed_tok_s
        self.measured = 0
        self.asked: list[Prompt] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._engine, name)

    def read(self, prompts: list[Prompt], cancel: Cancel) -> None:
        pass

    def reading_speed_tok_s(self) -> float:
        self.measured += 1
        return self.speed_tok_s

    def generate(self, request: GenerationRequest, cancel: Cancel) -> object:
        self.asked.append(request.prompt)
        return self._engine.generate(request, cancel)


@pytest.mark.parametrize(
    ("speed_tok_s", "tokens"),
    [(10.0, FEWEST), (400.0, FEWEST), (687.0, 640), (800.0, 768), (1024.0, MOST), (50_000.0, MOST)],
)
def test_a_cold_prompt_takes_at_most_a_second_between_two_limits(speed_tok_s: float, tokens: int):
    assert budget_at(speed_tok_s) == tokens
    assert tokens <= max(FEWEST, speed_tok_s)


def test_most_small_differences_of_the_speed_make_none():
    speeds = [650.0 + difference for difference in range(60)]
    assert {budget_at(speed) for speed in speeds} == {5 * STEP}
    assert budget_at(650.0 + STEP) == 6 * STEP


def test_a_number_is_taken_as_it_is_and_nothing_is_measured(engine: Engine):
    timed = Timed(engine, 700.0)
    assert prompt_budget(2000, timed) == 2000  # type: ignore[arg-type]
    assert timed.measured == 0
    assert prompt_budget("auto", timed) == 640  # type: ignore[arg-type]
    assert timed.measured == 1


def test_an_engine_whose_speed_is_not_known_gets_the_default():
    class Remote:
        pass

    assert not isinstance(Remote(), ReadingEngine)
    assert prompt_budget("auto", Remote()) == MOST  # type: ignore[arg-type]
    assert CompletionSettings().max_prompt_tokens == MOST


def test_a_real_engine_says_the_same_whenever_it_is_asked(engine: Engine):
    assert isinstance(engine, DecodingEngine)
    assert prompt_budget("auto", engine) == prompt_budget("auto", engine)
    assert FEWEST <= prompt_budget("auto", engine) <= MOST


def test_the_budget_is_settled_once_and_limits_the_prompt(engine: Engine):
    timed = Timed(engine, 300.0)
    manifest = resolve("qwen2.5-coder-0.5b").manifest
    pipeline = Pipeline(timed, manifest, CompletionSettings(max_prompt_tokens="auto", max_new_tokens=4))  # type: ignore[arg-type]
    assert pipeline.max_prompt_tokens == FEWEST
    timed.speed_tok_s = 5_000.0
    document = Document("file:///a.txt", "plaintext", "one two three\n" * 4000)
    cursor = Cursor(document, len(document.text))
    pipeline.complete(CompletionRequest(cursor, prompt_protocol="causal"), NEVER)
    (prompt,) = timed.asked
    assert 64 < engine.count_tokens("".join(map(str, prompt.parts))) <= FEWEST
    assert timed.measured == 1
