"""The product with a remote engine: a real one, llama.cpp's server unless ``--engine URL`` names another."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from copilot_server.completion.pipeline import Pipeline, open_pipeline
from copilot_server.completion.types import CompletionRequest
from copilot_server.config import CompletionSettings, RemoteSettings, Settings
from copilot_server.context.document import Cursor, Document
from copilot_server.engine.base import Engine, GenerationRequest, Prompt, Sampling
from copilot_server.evaluation.report.json_report import read_report
from tests.support.fault_proxy import FaultProxy
from tests.support.lsp_client import (
    Message,
    Transport,
    inline_params,
    running_server,
)

pytestmark = pytest.mark.model

INLINE = "textDocument/inlineCompletion"
COMMAND = str(Path(sys.executable).with_name("copilot-server"))
FIB = 'def fib(n: int) -> int:\n    """Return the nth Fibonacci number."""\n    '
NEVER = threading.Event()


def settings_for(url: str) -> Settings:
    """Long timeouts and short answers, so that no test depends on the speed of the machine."""
    remote = RemoteSettings(read_timeout_s=120.0, deadline_s=300.0)
    return Settings(engine=(url,), remote=remote, completion=CompletionSettings(max_new_tokens=48))


@pytest.fixture(scope="module")
def pipeline(engine_url: str) -> Pipeline:
    return open_pipeline(settings_for(engine_url))


def completed(pipeline: Pipeline, text: str, *, invoked: bool = False, suffix: str = "") -> list[str]:
    cursor = Cursor(Document("file:///a.py", "python", text + suffix), len(text))
    completion = pipeline.complete(CompletionRequest(cursor, invoked=invoked), NEVER)
    return [candidate.text for candidate in completion.candidates]


# The pipeline.


def test_the_engine_says_what_it_is(pipeline: Pipeline, engine_url: str) -> None:
    assert pipeline.engine.device == f"engine {engine_url.removeprefix('http://')}"
    assert pipeline.model_id == "qwen2.5-coder-0.5b"
    assert pipeline.engine.context_length >= 4096


def test_a_function_is_completed(pipeline: Pipeline) -> None:
    (body,) = completed(pipeline, FIB)
    compile(FIB + body, "fib", "exec")
    assert "return" in body


def test_what_follows_the_cursor_is_read(pipeline: Pipeline) -> None:
    """The engine has to infill: after the same prefix, the text that follows decides."""
    before = "def area(width, height):\n    "
    (of_size,) = completed(pipeline, before, suffix="\n    return size\n")
    (of_total,) = completed(pipeline, before, suffix="\n    return total\n")
    assert "size" in of_size
    assert "total" in of_total


@pytest.mark.parametrize("typed", ["ret", "wh", "    x = zq", "im", "f"])
def test_a_suggestion_goes_on_from_what_was_typed(pipeline: Pipeline, typed: str) -> None:
    """Token healing: the typed part of a word is neither repeated nor broken."""
    for text in completed(pipeline, FIB + typed):
        assert not text.startswith(typed.strip())


def test_invoked_candidates_differ_and_the_best_comes_first(pipeline: Pipeline) -> None:
    texts = completed(pipeline, "import random\n\nnumbers = [", invoked=True)
    assert len(texts) == len(set(texts)) >= 2


def test_the_same_seed_draws_the_same_candidates_however_many_are_drawn(pipeline: Pipeline) -> None:
    def drawn(n: int, seed: int) -> list[str]:
        sampling = Sampling(temperature=0.9, seed=seed, n=n, max_new_tokens=8)
        request = GenerationRequest(Prompt(("import random\n\nnumbers = [",)), sampling)
        return [one.text for one in pipeline.engine.generate(request, NEVER)]

    three = drawn(3, seed=1)
    assert len(set(three)) > 1
    assert drawn(2, seed=1) == three[:2]
    assert drawn(3, seed=2) != three


def test_stop_texts_and_the_end_of_a_text_are_distinguished(pipeline: Pipeline) -> None:
    def ended(stop: tuple[str, ...], tokens: int = 64) -> tuple[str, str]:
        request = GenerationRequest(Prompt(("A, B, C, D, E,",)), Sampling(max_new_tokens=tokens), stop=stop)
        (one,) = pipeline.engine.generate(request, NEVER)
        return one.text, one.finish_reason

    assert ended((" H",))[1] == "stop"
    assert " H" not in ended((" H",))[0]
    assert ended((), tokens=4)[1] == "length"


def test_a_batch_gives_what_each_request_alone_gives(pipeline: Pipeline) -> None:
    prompts = ["def add(a, b):\n    return", "class Point:\n", "for i in range("]
    requests = [GenerationRequest(Prompt((text,)), Sampling(max_new_tokens=8)) for text in prompts]
    done: list[int] = []
    batch = pipeline.engine.generate_batch(
        requests, NEVER, lambda index, _generations: done.append(index), batch_size=1
    )
    assert sorted(done) == [0, 1, 2]
    alone = [pipeline.engine.generate(request, NEVER)[0].text for request in requests]
    assert [one.text for (one,) in batch] == alone


def test_control_tokens_in_a_users_text_stay_text(pipeline: Pipeline) -> None:
    text = 'END = "<|im_end|>"\nSTART = "<|im_start|>"\nNAMES = ["<|im_end|>", "<|im_'
    (suggestion,) = completed(pipeline, text, suffix="\n")
    assert "\u200b" not in suggestion
    assert suggestion.startswith("start|>")


def test_a_cancel_closes_the_connection(engine_url: str) -> None:
    with FaultProxy(engine_url) as proxy:
        engine = open_pipeline(settings_for(proxy.url)).engine
        cancel = threading.Event()
        sampling = Sampling(max_new_tokens=2000)
        request = GenerationRequest(Prompt(("1, 2, 3, 4,",)), sampling, until=lambda _: cancel.set() or False)
        (cancelled,) = engine.generate(request, cancel)
        assert cancelled.finish_reason == "cancelled"
        proxy.wait_for(lambda: proxy.hung_up == 1)
        # The last token ends a generation here, too, which may be before the engine has sent its end.
        assert not all(hangs_up(engine, proxy) for _ in range(10))


def hangs_up(engine: Engine, proxy: FaultProxy) -> bool:
    """Whether a generation that nobody cancels is counted as one that was hung up on."""
    before = proxy.hung_up
    whole = GenerationRequest(Prompt(("1, 2, 3, 4,",)), Sampling(max_new_tokens=4))
    (one,) = engine.generate(whole, NEVER)
    assert one.finish_reason == "length"
    return proxy.hung_up > before


# The server.


@pytest.mark.parametrize("transport", ["stdio", "tcp", "ws"])
async def test_an_editor_gets_suggestions_over_each_transport(engine_url: str, transport: Transport) -> None:
    async with running_server("--engine", engine_url, transport=transport) as client:
        await client.initialize()
        uri = client.open(FIB)
        automatic = await client.request(INLINE, inline_params(uri, 2, 4))
        assert len(automatic["items"]) == 1
        assert await client.shut_down() == 0


async def test_the_status_names_the_host(engine_url: str) -> None:
    host = engine_url.removeprefix("http://")
    async with running_server("--engine", engine_url) as client:
        await client.initialize()
        client.open("x = ")
        await client.wait_for(status_is("ready"))
        assert client.messages("didChangeStatus")[-1]["engine"] == host
        assert await client.shut_down() == 0
    assert host.encode() in client.stderr


async def test_without_an_engine_no_host_is_named(tiny_model_dir: Path) -> None:
    async with running_server("--model", str(tiny_model_dir)) as client:
        await client.initialize()
        client.open("x = ")
        await client.wait_for(status_is("ready"))
        assert client.messages("didChangeStatus")[-1]["engine"] is None
        assert await client.shut_down() == 0
    assert b"is sent to" not in client.stderr


async def test_an_excluded_file_is_not_sent(engine_url: str) -> None:
    with FaultProxy(engine_url) as proxy:
        async with running_server("--engine", proxy.url) as client:
            await client.initialize()
            client.open("x = ")
            await client.wait_for(status_is("ready"))
            secret = client.open("TOKEN = ", uri="file:///project/.env")
            assert (await client.request(INLINE, inline_params(secret, 0, 8, invoked=True)))["items"] == []
            assert proxy.requests == 0
            await client.request(INLINE, inline_params("file:///a.py", 0, 4, invoked=True))
            assert proxy.requests > 0
            assert await client.shut_down() == 0


async def test_a_cancelled_request_is_answered_and_the_next_is_served(engine_url: str) -> None:
    async with running_server("--engine", engine_url) as client:
        await client.initialize()
        uri = client.open("x = ")
        running = [client.begin(INLINE, inline_params(uri, 0, 4)) for _ in range(3)]
        client.notify("$/cancelRequest", {"id": running[2]})
        assert (await client.answer(running[2]))["error"]["code"] == -32800
        assert "items" in await client.request(INLINE, inline_params(uri, 0, 4))
        assert [len(client.answers(msg_id)) for msg_id in running] == [1, 1, 1]
        assert await client.shut_down() == 0


def status_is(state: str):
    def is_it(message: Message) -> bool:
        return message.get("method") == "didChangeStatus" and message["params"]["state"] == state

    return is_it


# The self-test.


def selftest(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [COMMAND, "--engine", url, "--selftest", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_self_test_measures_the_engine(engine_url: str, tmp_path: Path) -> None:
    done = selftest(engine_url, "humaneval", "--limit", "6", "--report", str(tmp_path))
    assert done.returncode == 0, done.stderr
    report = read_report(tmp_path / "report.json")
    assert report.protocol.device == f"engine {engine_url.removeprefix('http://')}"
    assert report.scores[0].value >= 0.3
    assert report.timing.tokens > 0
    assert {one.sample.protocol for one in report.samples} == {"chat-prefill"}


def test_many_samples_are_drawn_and_a_run_continues(engine_url: str, tmp_path: Path) -> None:
    flags = ("humaneval", "--limit", "2", "--temperature", "0.8", "--max-new-tokens", "24")
    flags = (*flags, "--report", str(tmp_path))
    assert selftest(engine_url, *flags, "--samples", "3").returncode == 0
    first = read_report(tmp_path / "report.json")
    done = selftest(engine_url, *flags, "--samples", "5")
    assert done.returncode == 0, done.stderr
    report = read_report(tmp_path / "report.json")
    assert len(report.samples) == 10
    kept = {(one.sample.task_id, one.sample.index): one.sample.completion for one in report.samples}
    for one in first.samples:
        assert kept[one.sample.task_id, one.sample.index] == one.sample.completion
    assert len(set(kept.values())) > 2
