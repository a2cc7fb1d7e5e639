"""What an editor sees when a remote engine, or the network in between, fails in the usual ways."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from copilot_server.completion.pipeline import Pipeline, open_pipeline
from copilot_server.completion.types import Completion, CompletionRequest
from copilot_server.config import RemoteSettings, Settings
from copilot_server.context.document import Cursor, Document
from copilot_server.engine.backends.remote.remote_engine import RemoteEngine
from copilot_server.engine.base import GenerationRequest, Prompt, Sampling
from copilot_server.errors import (
    CopilotServerError,
    EngineError,
    EngineUnavailableError,
)
from tests.support.engines import RunningEngine, llamacpp_engine
from tests.support.fault_proxy import HARMLESS, SPOILING, FaultProxy
from tests.support.lsp_client import LspClient, Message, ResponseError, inline_params, running_server
from tests.support.patience import wait_until

pytestmark = pytest.mark.model

INLINE = "textDocument/inlineCompletion"
NEVER = threading.Event()
FEW = Sampling(max_new_tokens=8)
#: Short timeouts for answers that never come, and long ones otherwise, so that a busy machine fails no test.
HURRIED = RemoteSettings(read_timeout_s=4.0, deadline_s=6.0)
PATIENT = RemoteSettings(read_timeout_s=120.0, deadline_s=300.0)
PATIENT_EDITOR = {"remote": {"readTimeoutS": 120, "deadlineS": 300}}
WAITED_FOR = ("hang", "stall", "slow-drip")
#: The engine says to try again later, and a second later it is tried again.
RETRIED_LATER = ("429", "429-later")


@pytest.fixture(scope="module")
def engine() -> Iterator[RunningEngine]:
    """An engine that only these tests use, so that they may kill it."""
    with llamacpp_engine() as engine:
        yield engine


@pytest.fixture(scope="module")
def good(engine: RunningEngine) -> str:
    """What the engine completes when nothing comes between."""
    return complete(opened(engine.url)).candidates[0].text


@pytest.fixture
def proxy(engine: RunningEngine) -> Iterator[FaultProxy]:
    if not engine.is_running:
        engine.restart()
    with FaultProxy(engine.url) as proxy:
        yield proxy


def opened(*urls: str, remote: RemoteSettings = PATIENT) -> Pipeline:
    return open_pipeline(Settings(engine=urls, remote=remote))


def complete(pipeline: Pipeline, text: str = "numbers = [1, 2, 3") -> Completion:
    """Complete a few tokens with the model and not from the cache."""
    cursor = Cursor(Document("file:///a.py", "python", text), len(text))
    return pipeline.complete(CompletionRequest(cursor, invoked=True, sampling=FEW), NEVER)


def remote_engine(pipeline: Pipeline) -> RemoteEngine:
    assert isinstance(pipeline.engine, RemoteEngine)
    return pipeline.engine


def eventually(succeeds: Callable[[], object]) -> None:
    """Call it until it raises none of this project's errors."""

    def has_succeeded() -> bool:
        try:
            succeeds()
        except CopilotServerError:
            return False
        return True

    wait_until(has_succeeded, "an answer")


# Every way to spoil an answer.


@pytest.mark.parametrize("mode", SPOILING)
def test_a_faulty_answer_is_an_error_in_time_and_never_wrong_text(
    proxy: FaultProxy, good: str, mode: str
) -> None:
    """Once answers are good again, so are suggestions, without any intervention."""
    pipeline = opened(proxy.url, remote=HURRIED if mode in WAITED_FOR else PATIENT)
    proxy.mode = mode
    for _ in range(1 if mode in (*WAITED_FOR, *RETRIED_LATER) else 5):
        with pytest.raises(EngineError) as raised:
            complete(pipeline)
        assert proxy.url.removeprefix("http://") in str(raised.value) or "No engine" in str(raised.value)
        assert "written by the proxy" not in str(raised.value)
    proxy.mode = "pass"
    found: list[str] = []
    eventually(lambda: found.append(complete(pipeline).candidates[0].text))
    assert found == [good]


@pytest.mark.parametrize("mode", HARMLESS)
def test_an_answer_that_is_merely_late_or_cut_in_bytes_is_an_answer(
    proxy: FaultProxy, good: str, mode: str
) -> None:
    proxy.mode = mode
    assert complete(opened(proxy.url)).candidates[0].text == good


def test_a_proxy_that_passes_everything_on_changes_nothing(proxy: FaultProxy, good: str) -> None:
    assert complete(opened(proxy.url)).candidates[0].text == good


def test_an_engine_that_keeps_failing_is_left_alone(proxy: FaultProxy) -> None:
    pipeline = opened(proxy.url)
    proxy.mode = "500"
    for _ in range(50):
        with pytest.raises(EngineUnavailableError, match="HTTP 500"):
            complete(pipeline)
    assert proxy.requests < 25  # three failures in a row, and an occasional trial
    (state,) = remote_engine(pipeline).endpoints
    assert state.failures == state.requests
    assert state.problem == "fails (HTTP 500)"


def test_a_request_that_is_not_accepted_leaves_the_engine_in_use(proxy: FaultProxy) -> None:
    pipeline = opened(proxy.url)
    proxy.mode = "422"
    for _ in range(5):
        with pytest.raises(EngineError, match="does not accept the request"):
            complete(pipeline)
    assert remote_engine(pipeline).endpoints[0].state == "closed"
    proxy.mode = "pass"
    assert complete(pipeline).candidates


# Retrying.


def test_failures_that_add_no_load_are_retried(proxy: FaultProxy) -> None:
    pipeline = opened(proxy.url)
    proxy.next_modes = ["reset"]
    assert complete(pipeline).candidates
    assert remote_engine(pipeline).endpoints[0].failures == 1


def test_a_begun_answer_is_not_restarted_for_a_user_who_types(proxy: FaultProxy) -> None:
    pipeline = opened(proxy.url)
    before = proxy.requests
    proxy.mode = "cut"
    with pytest.raises(EngineUnavailableError):
        complete(pipeline)
    assert proxy.requests == before + 1


def test_a_batch_restarts_what_was_cut_off(proxy: FaultProxy) -> None:
    pipeline = opened(proxy.url)
    requests = [
        GenerationRequest(Prompt((f"{n}, {n + 1}, {n + 2},",)), Sampling(max_new_tokens=6)) for n in range(4)
    ]
    whole = pipeline.engine.generate_batch(requests, NEVER, batch_size=1)
    proxy.next_modes = ["cut"] * 3
    again = pipeline.engine.generate_batch(requests, NEVER, batch_size=1)
    assert [one.text for (one,) in again] == [one.text for (one,) in whole]
    assert remote_engine(pipeline).endpoints[0].failures == 3


def test_a_batch_gives_up_on_what_always_fails(proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("copilot_server.engine.backends.remote.remote_engine.BATCH_REPEATS", 4)
    pipeline = opened(proxy.url)
    proxy.mode = "json"
    request = GenerationRequest(Prompt(("1, 2,",)), Sampling(max_new_tokens=4))
    with pytest.raises(EngineUnavailableError, match="other than a completion"):
        pipeline.engine.generate_batch([request], NEVER)


# Several engines.


def test_while_one_engine_fails_the_other_answers(proxy: FaultProxy, engine: RunningEngine) -> None:
    pipeline = opened(proxy.url, engine.url)
    proxy.mode = "500"
    for n in range(6):
        with contextlib.suppress(EngineUnavailableError):  # a request that went to the first engine
            complete(pipeline, f"numbers = [{n}, ")
    broken, well = remote_engine(pipeline).endpoints
    assert (broken.state == "closed") == (broken.failures < 3)
    assert well.failures == 0
    assert well.requests > 0


def test_an_engine_that_cannot_be_reached_costs_no_suggestion(
    proxy: FaultProxy, engine: RunningEngine
) -> None:
    with FaultProxy(engine.url) as other:
        pipeline = opened(other.url, proxy.url)
        complete(pipeline)
    for n in range(6):
        assert complete(pipeline, f"numbers = [{n}, ").candidates
    states = {one.host: one.state for one in remote_engine(pipeline).endpoints}
    assert states[proxy.url.removeprefix("http://")] == "closed"


def test_the_engine_with_the_least_to_do_is_asked(proxy: FaultProxy, engine: RunningEngine) -> None:
    pipeline = opened(proxy.url, engine.url)
    requests = [GenerationRequest(Prompt((f"{n}, {n + 1},",)), Sampling(max_new_tokens=8)) for n in range(12)]
    pipeline.engine.generate_batch(requests, NEVER, batch_size=4)
    first, second = remote_engine(pipeline).endpoints
    assert first.requests + second.requests == 12
    assert min(first.requests, second.requests) >= 3


# The engine itself is killed.


async def suggestion(client: LspClient, text: str, version: int) -> list[str]:
    client.change("file:///a.py", version, {"text": text})
    answer = await client.request(INLINE, inline_params("file:///a.py", 0, len(text), invoked=True))
    return [item["insertText"] for item in answer["items"]]


def status_is(state: str, since: int = 0) -> Callable[[Message], bool]:
    def is_it(message: Message) -> bool:
        return message.get("method") == "didChangeStatus" and message["params"]["state"] == state

    return is_it


async def next_status(client: LspClient, state: str) -> Message:
    """Wait for a matching status, unless the last one matches already."""
    wanted = status_is(state)
    last = client.messages("didChangeStatus")
    if last and last[-1]["state"] == state:
        return dict(last[-1])
    seen = len(client.received)
    message = await client.wait_for(lambda one: wanted(one) and one in client.received[seen:])
    return dict(message["params"])


async def test_an_engine_killed_and_restarted_shows_in_the_status_and_is_used_again(
    engine: RunningEngine,
) -> None:
    if not engine.is_running:
        engine.restart()
    host = engine.url.removeprefix("http://")
    async with running_server("--engine", engine.url, "--max-new-tokens", "8") as client:
        await client.initialize(options=PATIENT_EDITOR)
        client.open("x = ")
        assert await suggestion(client, "numbers = [1, 2, 3", 2)
        engine.kill()
        with pytest.raises(ResponseError, match="The engine at"):
            await suggestion(client, "numbers = [1, 2, 4", 3)
        status = await next_status(client, "error")
        assert host in status["message"]
        assert client.messages("window/showMessage") == []
        await asyncio.to_thread(engine.restart)
        await next_status(client, "ready")
        assert await suggestion(client, "numbers = [1, 2, 5", 4)
        assert await client.shut_down() == 0


async def test_an_engine_that_is_started_after_the_editor_is_used_once_it_is_there(
    engine: RunningEngine,
) -> None:
    engine.kill()
    async with running_server("--engine", engine.url, "--max-new-tokens", "8") as client:
        await client.initialize(options=PATIENT_EDITOR)
        client.open("x = ")
        status = await next_status(client, "error")
        assert "Connecting" not in status["message"]
        await asyncio.to_thread(engine.restart)
        await next_status(client, "ready")
        assert await suggestion(client, "numbers = [1, 2, 3", 2)
        assert await client.shut_down() == 0


def test_errors_are_reported_while_nobody_asks(
    engine: RunningEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("copilot_server.engine.backends.remote.replica.IDLE_S", 0.2)
    if not engine.is_running:
        engine.restart()
    pipeline = opened(engine.url)
    reported: list[EngineError | None] = []
    pipeline.watch(reported.append)
    engine.kill()
    wait_until(lambda: len(reported) > 0)
    assert isinstance(reported[0], EngineUnavailableError)
    engine.restart()
    wait_until(lambda: reported[-1] is None)


def test_an_engine_that_hangs_is_noticed_although_every_request_is_cancelled(proxy: FaultProxy) -> None:
    """Each request is cancelled after a moment, as when a user types, so that none ever times out."""
    pipeline = opened(proxy.url, remote=RemoteSettings(read_timeout_s=2.0))
    proxy.mode, proxy.everything = "hang", True
    reported: list[EngineError | None] = []
    pipeline.watch(reported.append)
    for n in count():
        cancel = threading.Event()
        timer = threading.Timer(0.1, cancel.set)
        timer.start()
        text = f"numbers = [{n}, "
        try:
            pipeline.complete(
                CompletionRequest(Cursor(Document("file:///a.py", "python", text), len(text))), cancel
            )
        except EngineUnavailableError:
            break
        if reported:
            break
    wait_until(lambda: reported, "the failure to be reported")
    proxy.mode, proxy.everything = "pass", False
    eventually(lambda: complete(pipeline))
