"""Hours of typing: every request answered once, memory flat, and never a suggestion for another text.

A suggestion is stale unless it is what the model suggests for the very text that it is shown for. The test
compares it with the same model, in this process and without any cache: at the position of the request, or
where the user was some letters before (those letters are then the beginning of what the model suggested
there, and the rest was given). Accepting either must lead to the same document. A suggestion that leads to
the same document as an earlier one is the rest of that one, and is not checked again.
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

#: The share of the keys after which the memory must not grow. The KV cache keeps 16 prompts, in memory that
#: counts once it is first written to: by then this has happened for the prompts of most files.
WARM_UP = 0.5
MOST_GROWTH = 0.05
#: How many letters may have been typed since the model was asked.
REACH = 120
#: How many suggestions of a soak are compared with the model's.
CHECKED = 60

NEVER = threading.Event()
Program = Sequence[str]


def soak(program: Program, keys: int, pause_s: float, passages: int) -> Record:
    typing = Typing(program, seed=11)
    typing.type(choose_passages(passages, seed=11), keys, pause_s)
    assert typing.close() == 0
    return typing.record


def stale(record: Record, model: Settings, count: int) -> list[Suggested]:
    """Those of ``count`` random suggestions that the model does not make for their text."""
    pipeline = open_pipeline(model)
    drawn = random.Random(3).sample(record.fresh, min(count, len(record.fresh)))
    return [one for one in drawn if one.document not in suggested_documents(pipeline, model, one.asked)]


def suggested_documents(pipeline: Pipeline, model: Settings, asked: Asked) -> Iterator[str]:
    """The documents to which the model's suggestions lead: those made here, one letter before, and so on."""
    for typed in range(min(REACH, asked.offset) + 1):
        offset = asked.offset - typed
        text = asked.text[:offset] + asked.text[asked.offset :]
        pipeline.configure(model.completion)  # clears the cached answers
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
    """The twin: a server whose cache gives the last suggestion, wherever that was made."""
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
@pytest.mark.timeout(3600)  # takes ten minutes on an idle machine
def test_ten_thousand_keys_with_the_real_model() -> None:
    record = soak(("-m", "copilot_server", "--offline"), keys=10_000, pause_s=0.02, passages=20)
    check_answers(record)
    assert record.growth(WARM_UP) < MOST_GROWTH, record.rss_mb
    assert stale(record, Settings(offline=True, statistics=False), CHECKED) == []
