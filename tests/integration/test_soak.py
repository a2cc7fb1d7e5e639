"""Hours of typing: every request answered once, memory flat, and never a suggestion for another text.

A suggestion is stale unless it is what the model suggests for the very text it comes for. That is held
against the same model asked anew, in this process and with nothing remembered: at the place where the
suggestion was asked for, or where the user was some letters before (those letters are then the beginning of
what the model suggested there, and the rest of it was given). Accepting it must lead to the same document in
both cases. A suggestion that leads where an earlier one led is the rest of that one, and is not asked about.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from benchmarks.bench.corpus import choose_passages
from copilot_server.completion.pipeline import Pipeline, open_pipeline
from copilot_server.completion.types import CompletionRequest
from copilot_server.config import CompletionSettings, Settings
from copilot_server.context.document import Cursor, Document
from tests.support.soak import Asked, Record, Suggested, Typing, misfit

#: Of the keys, how many come before the memory has to be level. The KV cache of 16 prompts is kept, in memory
#: that is the process's once it is first written to: by then those of most files have been.
WARM_UP = 0.5
MOST_GROWTH = 0.05
#: How many letters may have been typed since the model was asked.
REACH = 120
#: Suggestions of a soak that are held against the model.
CHECKED = 60

NEVER = threading.Event()
Program = Sequence[str]


def soak(program: Program, keys: int, pause_s: float, passages: int) -> Record:
    typing = Typing(program, seed=11)
    typing.type(choose_passages(passages, seed=11), keys, pause_s)
    assert typing.close() == 0
    return typing.record


def stale(record: Record, model: Settings, count: int) -> list[Suggested]:
    """Those of ``count`` suggestions, drawn at random, that the model has not made for their text."""
    pipeline = open_pipeline(model)
    drawn = random.Random(3).sample(record.fresh, min(count, len(record.fresh)))
    return [one for one in drawn if one.document not in suggested_documents(pipeline, model, one.asked)]


def suggested_documents(pipeline: Pipeline, model: Settings, asked: Asked) -> Iterator[str]:
    """The documents to which the model's suggestions lead, made here, one letter before, and so on."""
    for typed in range(min(REACH, asked.offset) + 1):
        offset = asked.offset - typed
        text = asked.text[:offset] + asked.text[asked.offset :]
        pipeline.configure(model.completion)  # forgets what was answered
        cursor = Cursor(Document(asked.uri, "python", text), offset)
        completion = pipeline.complete(CompletionRequest(cursor), NEVER)
        for one in completion.candidates:
            here = Asked(0, asked.uri, text, offset)
            yield Suggested(here, one.text, offset, offset + one.replaced).document


def check_answers(record: Record) -> None:
    assert record.answered == record.asked
    assert set(record.errors) <= {-32800}
    assert record.misfits == []
    assert record.shown > 0


@pytest.fixture(scope="module")
def tiny(tiny_model_dir: Path) -> Settings:
    completion = CompletionSettings(max_new_tokens=24)
    return Settings(
        model=str(tiny_model_dir), device="cpu", dtype="float32", statistics=False, completion=completion
    )


def server_of(tiny: Settings) -> Program:
    limit = str(tiny.completion.max_new_tokens)
    model = ("--model", tiny.model, "--device", "cpu", "--dtype", "float32", "--max-new-tokens", limit)
    return ("-m", "copilot_server", *model)


def test_a_minute_of_typing(tiny: Settings) -> None:
    record = soak(server_of(tiny), keys=600, pause_s=0.01, passages=3)
    check_answers(record)
    assert stale(record, tiny, CHECKED) == []
    assert len(record.rss_mb) == 100


def test_a_stale_suggestion_is_caught(tiny: Settings) -> None:
    """The twin: a server whose cache gives what was suggested last, wherever that was."""
    program = ("-m", "tests.support.stale_server", tiny.model, str(tiny.completion.max_new_tokens))
    record = soak(program, keys=150, pause_s=0.01, passages=1)
    assert record.answered == record.asked
    assert stale(record, tiny, 5)


def test_what_does_not_fit_is_caught() -> None:
    asked = Asked(1, "file:///a.py", "x = (a)\ny\n", 6)
    assert misfit(Suggested(asked, ", b)", 6, 7)) is None
    assert misfit(Suggested(asked, ", b", 6, 6)) is None
    assert misfit(Suggested(asked, ", b", 6, 7)) == "it loses what the user has typed"
    assert misfit(Suggested(asked, ", b)", 5, 7)) == "it does not begin at the cursor"
    assert misfit(Suggested(asked, ")\ny", 6, 9)) == "it goes over more than the rest of the line"
    assert misfit(Suggested(asked, " ", 6, 6)) == "it suggests nothing"


def test_growing_memory_is_caught() -> None:
    flat = Record(rss_mb=[50.0] * 10 + [800.0, 801.0, 799.0] * 30)
    leaking = Record(rss_mb=[800.0 + 2 * at for at in range(100)])
    assert flat.growth(WARM_UP) < MOST_GROWTH < leaking.growth(WARM_UP)


@pytest.mark.long
@pytest.mark.model
@pytest.mark.timeout(3600)  # ten minutes, where nothing else runs
def test_ten_thousand_keys_with_the_real_model() -> None:
    record = soak(("-m", "copilot_server", "--offline"), keys=10_000, pause_s=0.02, passages=20)
    check_answers(record)
    assert record.growth(WARM_UP) < MOST_GROWTH, record.rss_mb
    assert stale(record, Settings(offline=True, statistics=False), CHECKED) == []
