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


def test_the_answer_begins_with_the_function_below_the_headers_around_it(engine: Engine):
    above = "import os\n\n\nclass A:\n    x = 1\n\n    @cache\n    def f(self):\n"
    text = f'{above}        """Double x."""\n        ‸'
    planner = Planner(engine, QWEN, CompletionSettings())
    generation = planner.plan(CompletionRequest(cursor_in(text))).generation
    shown = "".join(part for part in generation.prompt.parts if isinstance(part, str))
    user, _, answer = shown.partition("assistant\n")
    assert f"```python\n{above}" in user
    function = 'class A:\n    @cache\n    def f(self):\n        """Double x."""\n        '
    assert f"```python\n{function}" == answer + generation.prompt.forced


def test_a_begun_answer_is_all_there_is_where_the_function_begins_the_document(engine: Engine):
    text = 'def f(x):\n    """Double x."""\n    ‸'
    planner = Planner(engine, QWEN, CompletionSettings())
    prompt = planner.plan(CompletionRequest(cursor_in(text))).generation.prompt
    assert str(prompt.parts[-1]) + prompt.forced == f"assistant\n```python\n{text.removesuffix('‸')}"


def test_every_problem_of_humaneval_documents_its_function(engine: Engine):
    planner = Planner(engine, QWEN, CompletionSettings(max_prompt_tokens=64, max_new_tokens=16))
    texts = [f"{problem.prompt}‸" for problem in load_problems().problems]
    plans = [planner.plan(CompletionRequest(cursor_in(text))) for text in texts]
    assert {plan.prompt_protocol for plan in plans} == {"chat-prefill"}
