"""What the model is asked, with the tokenizer of a tiny model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve

from copilot_server.catalog import PromptProtocol, find
from copilot_server.completion.plan import Planner
from copilot_server.completion.types import CompletionRequest
from copilot_server.config import CompletionSettings
from copilot_server.engine.base import Engine
from copilot_server.engine.loader import load_engine
from copilot_server.evaluation.problems import load_problems
from tests.support.cursor_text import cursor_in

QWEN = find("qwen2.5-coder-0.5b")


@pytest.fixture(scope="module")
def engine(tiny_model_dir: Path) -> Iterator[Engine]:
    engine = load_engine(tiny_model_dir, device="cpu", dtype="float32")
    yield engine
    engine.close()


@pytest.mark.parametrize(
    ("text", "protocol"),
    [
        ('def f(x):\n    """Double x."""\n    ‸', "chat-prefill"),
        ("def f(x):\n    ‸", "fim"),
        ("def f(x):\n    # Double x.\n    ‸", "fim"),
        ("def f(x):‸", "fim"),
        ('def f(x):\n    """Double x."""\n    y = x\n    ‸', "fim"),
    ],
)
def test_only_a_documented_function_has_its_body_asked_for_by_a_chat(
    engine: Engine, text: str, protocol: PromptProtocol
):
    planner = Planner(engine, QWEN, CompletionSettings())
    assert planner.plan(CompletionRequest(cursor_in(text))).prompt_protocol == protocol


def test_a_model_may_have_every_body_asked_for_in_the_same_way(engine: Engine):
    manifest = evolve(QWEN, protocols=evolve(QWEN.protocols, undocumented_body=None))
    request = CompletionRequest(cursor_in("def f(x):\n    ‸"))
    assert Planner(engine, manifest, CompletionSettings()).plan(request).prompt_protocol == "chat-prefill"


def test_every_problem_of_humaneval_documents_its_function(engine: Engine):
    planner = Planner(engine, QWEN, CompletionSettings(max_prompt_tokens=64, max_new_tokens=16))
    texts = [f"{problem.prompt}‸" for problem in load_problems().problems]
    plans = [planner.plan(CompletionRequest(cursor_in(text))) for text in texts]
    assert {plan.prompt_protocol for plan in plans} == {"chat-prefill"}
