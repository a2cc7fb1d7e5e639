"""Remote engines that compute in float32 write, greedily, what our own engine writes in float32."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from copilot_server.completion.pipeline import Pipeline, open_pipeline
from copilot_server.completion.types import CompletionRequest
from copilot_server.config import CompletionSettings, RemoteSettings, Settings
from copilot_server.context.document import Cursor, Document
from copilot_server.evaluation.problems import load_problems
from tests.support.engines import MODEL, transformers_engine, vllm_engine

pytestmark = [pytest.mark.model, pytest.mark.long]

PROBLEMS = 16
FEW = CompletionSettings(max_new_tokens=64)
#: transformers needs the model's name, since it cannot list its models without a hub.
PATIENT = RemoteSettings(model=MODEL, read_timeout_s=600.0, deadline_s=3600.0)
NEVER = threading.Event()
#: Positions with text after them, or where a line has just begun. None is within a word: a remote engine gets
#: text, and tokenizes the beginning of a word in its own way.
POSITIONS = (
    ("import os\n\nprint(os.path.join(", "\n"),
    ("def area(width, height):\n    ", "\n    return size\n"),
    ("class Stack:\n    def __init__(self):\n        self.items = []\n\n    def push(", "\n"),
    ("total = 0\nfor number in range(10):\n    ", "\nprint(total)\n"),
)


@pytest.fixture(scope="module", params=[vllm_engine, transformers_engine])
def remote(request: pytest.FixtureRequest) -> Iterator[Pipeline]:
    with request.param(dtype="float32") as engine:
        yield open_pipeline(Settings(engine=(engine.url,), remote=PATIENT, completion=FEW))


@pytest.fixture(scope="module")
def here() -> Pipeline:
    return open_pipeline(Settings(device="cpu", dtype="float32", completion=FEW))


def requests() -> list[CompletionRequest]:
    whole = [(problem.prompt, "") for problem in load_problems().problems[:PROBLEMS]]
    return [
        CompletionRequest(Cursor(Document("file:///a.py", "python", before + after), len(before)))
        for before, after in (*whole, *POSITIONS)
    ]


@pytest.mark.timeout(3600)
def test_greedy_text_is_our_own_engines(remote: Pipeline, here: Pipeline) -> None:
    for request in requests():
        ours, theirs = here.complete(request, NEVER), remote.complete(request, NEVER)
        text = request.cursor.prefix[-60:]
        assert [one.text for one in theirs.candidates] == [one.text for one in ours.candidates], text
        assert theirs.prompt_protocol == ours.prompt_protocol
