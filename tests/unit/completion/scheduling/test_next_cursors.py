"""Where the cursor will be next, and that the answer is there when it gets there."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from copilot_server.completion.pipeline import Pipeline, open_pipeline
from copilot_server.completion.scheduling.next_cursors import next_cursors, resting_cursors
from copilot_server.completion.scheduling.scheduler import Scheduler
from copilot_server.completion.types import Candidate, Completion, CompletionRequest
from copilot_server.config import CompletionSettings, Settings, SpeedSettings
from tests.support.cursor_text import cursor_in, drawn

NEVER = threading.Event()
COMPLETION = CompletionSettings(max_new_tokens=12, max_prompt_tokens=128)


def next_positions(text: str, suggested: str, replaced: int = 0, language: str = "python") -> list[str]:
    found = next_cursors(cursor_in(text, language), Candidate(suggested, 0.0, "stop", replaced))
    return [drawn(next_.document.text, next_.offset) for next_ in found]


@pytest.mark.parametrize(
    ("text", "suggested", "accepted", "below"),
    [
        ("x = ‸\ny\n", "1", "x = 1‸\ny\n", "x = 1\n‸\ny\n"),
        ("    x = ‸", "1", "    x = 1‸", "    x = 1\n    ‸"),
        ("def f(‸", "x):", "def f(x):‸", "def f(x):\n    ‸"),
        ("def f(‸", "x):  # Do.", "def f(x):  # Do.‸", "def f(x):  # Do.\n    ‸"),
        ("if a:\n\tif ‸", "x:", "if a:\n\tif x:‸", "if a:\n\tif x:\n\t\t‸"),
        ("x = ‸", "[", "x = [‸", "x = [\n    ‸"),
        ("x = {'a'‸", ": 1", "x = {'a': 1‸", "x = {'a': 1\n‸"),
        ("def f():\n    ‸", "x = 1\n    return x", "def f():\n    x = 1\n    return x‸", None),
        ("    # Note‸", ":", "    # Note:‸", "    # Note:\n    ‸"),
        ("f(‸)\n", "x)", "f(x)‸\n", "f(x)\n‸\n"),
        ("a\r\nx = ‸", "1", "a\r\nx = 1‸", "a\r\nx = 1\r\n‸"),
    ],
)
def test_accepting_and_enter_come_next(text: str, suggested: str, accepted: str, below: str | None):
    replaced = 1 if text.startswith("f(") else 0
    found = next_positions(text, suggested, replaced)
    assert found[0] == accepted
    assert found[1] == (accepted.replace("‸", "\n‸") if below is None else below)


def test_enter_does_not_come_next_in_the_middle_of_a_line():
    assert next_positions("f(‸)", "x") == ["f(x‸)"]
    assert len(next_positions("f(‸)", "x)", replaced=1)) == 2


def test_other_languages_indent_after_brackets():
    assert next_positions("if (x) ‸", "{", language="javascript")[1] == "if (x) {\n    ‸"
    assert next_positions("case ‸", "1:", language="javascript")[1] == "case 1:\n‸"


@pytest.mark.parametrize(
    ("text", "following"),
    [
        ("x = 1‸\ny\n", ["x = 1‸\ny\n", "x = 1\n‸\ny\n"]),
        ("    x = 1‸", ["    x = 1‸", "    x = 1\n    ‸"]),
        ("def f(x):‸", ["def f(x):\n    ‸", "def f(x):‸"]),
        ("    return x‸", ["    return x‸", "    return x\n‸"]),
        ("def f():\n    ‸\n", ["def f():\n    ‸\n"]),
        ("f(‸)\n", ["f(‸)\n"]),
        ("na‸me = 1\n", []),
        ("‸", []),
    ],
)
def test_a_cursor_that_rests_goes_on_there_or_below(text: str, following: list[str]):
    found = resting_cursors(cursor_in(text, "python"))
    assert [drawn(one.document.text, one.offset) for one in found] == following


def request(text: str, *, invoked: bool = False) -> CompletionRequest:
    return CompletionRequest(cursor_in(text), invoked=invoked)


def settings(folder: Path, *, ahead: bool = True) -> Settings:
    speed = SpeedSettings(fast=False, ahead=ahead)
    return Settings(model=str(folder), device="cpu", dtype="float32", completion=COMPLETION, speed=speed)


@pytest.fixture(scope="module")
def pipeline(tiny_model_dir: Path) -> Pipeline:
    return open_pipeline(settings(tiny_model_dir))


def forgetful(pipeline: Pipeline) -> Pipeline:
    """The same pipeline with nothing remembered."""
    pipeline.configure(COMPLETION)
    return pipeline


def test_what_was_prefetched_is_found_when_the_cursor_is_there(pipeline: Pipeline):
    answered = pipeline.complete(request("width = ‸"), NEVER)
    asked = pipeline.next_requests(request("width = ‸"), answered)
    assert [one.prefetch for one in asked] == [True, True]
    assert asked[0].cursor.prefix == "width = " + answered.candidates[0].text
    for one in asked:
        made = pipeline.complete(one, NEVER)
        found = pipeline.lookup(CompletionRequest(one.cursor))
        assert found == made
        assert made.source == "ahead"
    alone = forgetful(pipeline).complete(CompletionRequest(asked[1].cursor), NEVER)
    assert [one.text for one in alone.candidates] == [one.text for one in made.candidates]
    assert alone.source == "model"


def test_only_a_suggestion_made_while_typing_leads_anywhere(pipeline: Pipeline):
    suggestion = Completion((Candidate("1", 0.0, "stop"),), "model", "fim")
    assert pipeline.next_requests(request("x = ‸"), suggestion)
    assert not pipeline.next_requests(request("x = ‸", invoked=True), suggestion)
    assert not pipeline.next_requests(request("x = ‸"), Completion((), "model", "fim"))
    assert not pipeline.next_requests(request("x = ‸"), Completion((), "model", "fim", cancelled=True))


def test_it_can_be_switched_off(tiny_model_dir: Path):
    off = open_pipeline(settings(tiny_model_dir, ahead=False))
    assert not off.next_requests(request("x = ‸"), Completion((Candidate("1", 0.0, "stop"),), "model", "fim"))


async def test_the_next_suggestion_is_there_when_one_is_accepted(pipeline: Pipeline) -> None:
    scheduler = Scheduler(quiet_s=0.0)
    await scheduler.load(lambda: forgetful(pipeline))
    first = request("width = ‸\n")
    answered = await scheduler.submit(first)
    assert answered.source == "model"
    accepted = CompletionRequest(next_cursors(first.cursor, answered.candidates[0])[0])
    async with asyncio.timeout(60):  # as a patient user does, who looks at a suggestion before taking it
        while pipeline.lookup(accepted) is None:
            await asyncio.sleep(0.01)
    assert (await scheduler.submit(accepted)).source == "ahead"
    assert scheduler.close(30.0)
