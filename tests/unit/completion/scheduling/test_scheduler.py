"""The scheduler, with a pipeline whose every step the test decides."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import pytest

from copilot_server.completion.cache import CompletionCache
from copilot_server.completion.scheduling.engine_thread import EngineThread
from copilot_server.completion.scheduling.scheduler import Scheduler, Superseded
from copilot_server.completion.types import Candidate, Completion, CompletionRequest
from copilot_server.config import CompletionSettings
from copilot_server.context.document import Cursor, Document
from copilot_server.engine.base import Cancel
from copilot_server.errors import CopilotServerError, EngineError, ModelError
from tests.support.patience import PATIENCE_S

OnText = Callable[[str], None] | None


def request(text: str, uri: str = "file:///a.py", *, invoked: bool = False) -> CompletionRequest:
    return CompletionRequest(Cursor(Document(uri, "python", text), len(text)), invoked)


def ahead_of(text: str, uri: str = "file:///a.py") -> CompletionRequest:
    return replace(request(text, uri), prefetch=True)


def completion(text: str) -> Completion:
    return Completion((Candidate(text, 0.0, "stop"),), "model", "causal")


class Scripted:
    """Completes with the document's own text; ``slow`` waits for its cancel, ``boom`` fails.

    ``leads_to``: what to complete ahead after a text. What has been completed ahead is kept, and ``empty``
    suggests nothing.
    """

    def __init__(self, leads_to: Mapping[str, Sequence[str]] = MappingProxyType({})) -> None:
        self.leads_to = leads_to
        self.kept: dict[str, Completion] = {}
        self.begun: list[str] = []
        self.cancelled: list[str] = []
        self.threads: set[str] = set()
        self.slow_began = threading.Event()
        self.settings: CompletionSettings | None = None

    def complete(self, request: CompletionRequest, cancel: Cancel, _on_text: OnText = None) -> Completion:
        text = request.cursor.document.text
        if text in self.kept:
            return self.kept[text]
        self.begun.append(text)
        self.threads.add(threading.current_thread().name)
        if text == "boom":
            raise ValueError(f"in {text}")
        if text.startswith("slow"):
            assert isinstance(cancel, threading.Event)
            self.slow_cancel = cancel
            self.slow_began.set()
            assert cancel.wait(PATIENCE_S)
            self.cancelled.append(text)
            return Completion((), "model", "causal", cancelled=True)
        if request.prefetch:
            self.kept[text] = replace(completion(text), source="ahead")
        return Completion((), "model", "causal") if text.startswith("empty") else completion(text)

    def next_requests(
        self, request: CompletionRequest, *_completion: object
    ) -> tuple[CompletionRequest, ...]:
        cursor = request.cursor
        texts = self.leads_to.get(cursor.document.text, ())
        return tuple(ahead_of(text, cursor.document.uri) for text in texts)

    def configure(self, settings: CompletionSettings) -> None:
        self.settings = settings

    def prepare(self, document: Document) -> Iterator[None]:
        for step in ("one", "two"):
            self.begun.append(f"{document.text} {step}")
            yield

    def watch(self, _on_error: object) -> None:
        pass

    def lookup(self, request: CompletionRequest) -> Completion | None:
        text = request.cursor.document.text
        return completion("cached") if text.startswith("known") else self.kept.get(text)


@pytest.fixture
async def scheduler() -> AsyncIterator[Scheduler]:
    scheduler = Scheduler(quiet_s=0.0)
    yield scheduler
    assert scheduler.close(PATIENCE_S)


@pytest.fixture
async def pipeline(scheduler: Scheduler) -> Scripted:
    pipeline = Scripted()
    await scheduler.load(lambda: pipeline)
    return pipeline


async def text_of(answer: asyncio.Task[Completion]) -> str:
    return (await answer).candidates[0].text


def begin(scheduler: Scheduler, wanted: CompletionRequest) -> asyncio.Task[Completion]:
    return asyncio.create_task(scheduler.submit(wanted))


async def until(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, PATIENCE_S)


async def test_a_request_is_completed_on_the_engine_thread(scheduler: Scheduler, pipeline: Scripted) -> None:
    assert await text_of(begin(scheduler, request("a"))) == "a"
    assert len(pipeline.threads) == 1
    assert pipeline.threads != {threading.current_thread().name}


async def test_a_newer_request_for_the_document_cancels_the_running_one(
    scheduler: Scheduler, pipeline: Scripted
) -> None:
    older = begin(scheduler, request("slow"))
    await until(pipeline.slow_began)
    newer = begin(scheduler, request("new"))
    with pytest.raises(Superseded):
        await older
    assert await text_of(newer) == "new"
    assert pipeline.cancelled == ["slow"]


async def test_a_newer_request_for_the_document_cancels_the_queued_one(
    scheduler: Scheduler, pipeline: Scripted
) -> None:
    running = begin(scheduler, request("slow", "file:///other.py"))
    await until(pipeline.slow_began)
    queued = begin(scheduler, request("old"))
    newer = begin(scheduler, request("new"))
    with pytest.raises(Superseded):
        await queued
    running.cancel()
    assert await text_of(newer) == "new"
    assert pipeline.begun == ["slow", "new"]


async def test_requests_for_different_documents_are_all_answered(
    scheduler: Scheduler, pipeline: Scripted
) -> None:
    answers = [begin(scheduler, request(name, f"file:///{name}")) for name in "abc"]
    assert [await text_of(answer) for answer in answers] == ["a", "b", "c"]
    assert len(pipeline.threads) == 1


async def test_cancelling_the_caller_stops_the_decoding(scheduler: Scheduler, pipeline: Scripted) -> None:
    answer = begin(scheduler, request("slow"))
    await until(pipeline.slow_began)
    answer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answer
    assert await text_of(begin(scheduler, request("next"))) == "next"
    assert pipeline.cancelled == ["slow"]


async def test_a_failure_is_only_that_requests(scheduler: Scheduler, pipeline: Scripted) -> None:
    with pytest.raises(EngineError, match=r"The completion failed \(ValueError\)") as caught:
        await scheduler.submit(request("boom"))
    assert "in boom" not in str(caught.value)
    assert await text_of(begin(scheduler, request("next"))) == "next"
    assert scheduler.failure is None


async def test_what_can_be_looked_up_needs_no_engine(scheduler: Scheduler, pipeline: Scripted) -> None:
    assert await text_of(begin(scheduler, request("known"))) == "cached"
    assert pipeline.begun == []
    assert await text_of(begin(scheduler, request("known", invoked=True))) == "known"
    assert pipeline.begun == ["known"]


async def test_a_lookup_supersedes_too(scheduler: Scheduler, pipeline: Scripted) -> None:
    older = begin(scheduler, request("slow"))
    await until(pipeline.slow_began)
    assert await text_of(begin(scheduler, request("known"))) == "cached"
    with pytest.raises(Superseded):
        await older


def held_load(pipeline: Scripted) -> tuple[threading.Event, Callable[[], Scripted]]:
    released = threading.Event()

    def load() -> Scripted:
        assert released.wait(PATIENCE_S)
        return pipeline

    return released, load


async def test_requests_wait_while_the_model_loads(scheduler: Scheduler) -> None:
    released, load = held_load(Scripted())
    scheduler.load(load)
    older = begin(scheduler, request("old"))
    newer = begin(scheduler, request("new"))
    cancelled = begin(scheduler, request("other", "file:///b.py"))
    with pytest.raises(Superseded):
        await older
    cancelled.cancel()
    assert not newer.done()
    released.set()
    assert await text_of(newer) == "new"


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (ModelError("No such model.", remedy="Pull it."), "No such model. Pull it."),
        (OSError("secret"), "The model could not be loaded (OSError)."),
        (SystemExit(1), "The model could not be loaded (SystemExit)."),
    ],
)
async def test_a_load_that_fails_is_told_to_each_request(
    scheduler: Scheduler, raised: BaseException, told: str
) -> None:
    def load() -> Scripted:
        raise raised

    with pytest.raises(CopilotServerError):
        await scheduler.load(load)
    for _ in range(2):
        with pytest.raises(CopilotServerError) as caught:
            await scheduler.submit(request("a"))
        assert str(caught.value).startswith(told)
    assert scheduler.failure is caught.value


async def test_a_load_after_one_that_failed_mends_it(scheduler: Scheduler, pipeline: Scripted) -> None:
    def fail() -> Scripted:
        raise ModelError("No such model.")

    with pytest.raises(ModelError):
        await scheduler.load(fail)
    await scheduler.load(lambda: pipeline)
    assert scheduler.failure is None
    assert await text_of(begin(scheduler, request("a"))) == "a"


async def test_a_load_that_is_outdated_before_it_begins_is_skipped(
    scheduler: Scheduler, pipeline: Scripted
) -> None:
    released, load = held_load(pipeline)
    calls: list[str] = []

    def loading(name: str) -> Callable[[], Scripted]:
        return lambda: calls.append(name) or pipeline

    scheduler.load(load)
    await asyncio.sleep(0)
    skipped = scheduler.load(loading("skipped"))
    last = scheduler.load(loading("last"))
    released.set()
    await last
    assert skipped.cancelled()
    assert calls == ["last"]


async def test_without_a_model_a_request_says_so(scheduler: Scheduler) -> None:
    with pytest.raises(EngineError, match="No model is loaded"):
        await scheduler.submit(request("a"))


async def test_closing_ends_what_runs_and_what_waits() -> None:
    scheduler, pipeline = Scheduler(quiet_s=0.0), Scripted()
    await scheduler.load(lambda: pipeline)
    running = begin(scheduler, request("slow"))
    await until(pipeline.slow_began)
    queued = begin(scheduler, request("queued", "file:///b.py"))
    await asyncio.sleep(0)
    assert scheduler.close(PATIENCE_S)
    for answer in (running, queued):
        with pytest.raises(Superseded):
            await answer
    with pytest.raises(Superseded):
        await scheduler.submit(request("late"))
    assert pipeline.begun == ["slow"]


async def test_closing_does_not_wait_for_what_cannot_be_interrupted() -> None:
    scheduler = Scheduler(quiet_s=0.0)
    released, load = held_load(Scripted())
    scheduler.load(load)
    assert not scheduler.close(0.0)
    released.set()


async def looking_ahead(scheduler: Scheduler, leads_to: Mapping[str, Sequence[str]]) -> Scripted:
    pipeline = Scripted(leads_to)
    await scheduler.load(lambda: pipeline)
    return pipeline


async def until_begun(pipeline: Scripted, *texts: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while pipeline.begun != list(texts):
            await asyncio.sleep(0.001)


async def test_what_an_answer_leads_to_is_completed_ahead(scheduler: Scheduler) -> None:
    pipeline = await looking_ahead(scheduler, {"a": ["b"]})
    assert await text_of(begin(scheduler, request("a"))) == "a"
    await until_begun(pipeline, "a", "b")
    answer = await scheduler.submit(request("b"))
    assert (answer.source, pipeline.begun) == ("ahead", ["a", "b"])


async def test_the_next_place_is_completed_only_if_nothing_is_suggested_at_the_one_before(
    scheduler: Scheduler,
) -> None:
    pipeline = await looking_ahead(scheduler, {"a": ["empty", "b", "never"], "c": []})
    await scheduler.submit(request("a"))
    await until_begun(pipeline, "a", "empty", "b")
    await scheduler.submit(request("c"))
    assert pipeline.begun == ["a", "empty", "b", "c"]


async def test_a_newer_request_ends_what_is_completed_ahead(scheduler: Scheduler) -> None:
    pipeline = await looking_ahead(scheduler, {"a": ["slow", "never"]})
    await scheduler.submit(request("a"))
    await until(pipeline.slow_began)
    assert await text_of(begin(scheduler, request("new", "file:///b.py"))) == "new"
    assert pipeline.cancelled == ["slow"]
    assert pipeline.begun == ["a", "slow", "new"]


async def test_a_request_for_the_very_place_does_not_end_it(scheduler: Scheduler) -> None:
    pipeline = await looking_ahead(scheduler, {"a": ["slow", "b"]})
    await scheduler.submit(request("a"))
    await until(pipeline.slow_began)
    waiting = begin(scheduler, request("b"))
    for _ in range(10):  # the scheduler takes the request, and would set the event
        await asyncio.sleep(0)
    assert not pipeline.slow_cancel.is_set()
    waiting.cancel()
    invoked = begin(scheduler, request("b", invoked=True))  # wants more than one candidate
    assert await text_of(invoked) == "b"
    assert pipeline.cancelled == ["slow"]


async def test_who_waits_for_what_is_completed_ahead_waits_for_the_model(scheduler: Scheduler) -> None:
    began, released = threading.Event(), threading.Event()

    class Held(Scripted):
        def complete(self, request: CompletionRequest, cancel: Cancel, on_text: OnText = None) -> Completion:
            if request.prefetch:
                began.set()
                assert released.wait(PATIENCE_S)
            return super().complete(request, cancel, on_text)

    pipeline = Held({"a": ["b"]})
    await scheduler.load(lambda: pipeline)
    await scheduler.submit(request("a"))
    await until(began)
    waiting = begin(scheduler, request("b"))
    await asyncio.sleep(0)
    released.set()
    assert (await waiting).source == "model"
    assert pipeline.begun == ["a", "b"]


async def test_nothing_is_completed_ahead_while_somebody_waits(scheduler: Scheduler) -> None:
    pipeline = await looking_ahead(scheduler, {"a": ["never"], "b": ["c"]})
    first = begin(scheduler, request("a", "file:///a.py"))
    second = begin(scheduler, request("b", "file:///b.py"))
    assert [await text_of(first), await text_of(second)] == ["a", "b"]
    await until_begun(pipeline, "a", "b", "c")


async def test_an_answer_that_was_looked_up_leads_on_too(scheduler: Scheduler) -> None:
    pipeline = await looking_ahead(scheduler, {"known": ["a"]})
    await scheduler.submit(request("known"))
    await until_begun(pipeline, "a")


async def test_typing_what_was_suggested_goes_on_with_what_is_completed_ahead(scheduler: Scheduler) -> None:
    pipeline = await looking_ahead(scheduler, {"a": ["slow"], "known": ["slow"], "known too": ["b"]})
    await scheduler.submit(request("a"))
    await until(pipeline.slow_began)
    await scheduler.submit(request("known"))
    assert not pipeline.slow_cancel.is_set()
    await scheduler.submit(request("known too"))  # something else is to come
    await until_begun(pipeline, "a", "slow", "b")
    assert pipeline.cancelled == ["slow"]


async def test_what_fails_ahead_is_not_told(scheduler: Scheduler) -> None:
    pipeline = await looking_ahead(scheduler, {"a": ["boom", "never"]})
    await scheduler.submit(request("a"))
    await until_begun(pipeline, "a", "boom")
    assert await text_of(begin(scheduler, request("b"))) == "b"
    assert pipeline.begun == ["a", "boom", "b"]


async def test_other_settings_and_other_models_do_not_wait_for_it(scheduler: Scheduler) -> None:
    pipeline = await looking_ahead(scheduler, {"a": ["slow"]})
    await scheduler.submit(request("a"))
    await until(pipeline.slow_began)
    settings = CompletionSettings(candidates=2)
    scheduler.configure(settings)
    assert await text_of(begin(scheduler, request("b"))) == "b"
    assert (pipeline.cancelled, pipeline.settings) == (["slow"], settings)
    pipeline.slow_began.clear()
    await scheduler.submit(request("a"))
    await until(pipeline.slow_began)
    await scheduler.load(Scripted)
    assert pipeline.cancelled == ["slow", "slow"]


async def test_closing_ends_what_is_completed_ahead() -> None:
    scheduler = Scheduler(quiet_s=0.0)
    pipeline = await looking_ahead(scheduler, {"a": ["slow"]})
    await scheduler.submit(request("a"))
    await until(pipeline.slow_began)
    assert scheduler.close(PATIENCE_S)
    assert pipeline.cancelled == ["slow"]


@pytest.mark.parametrize(("quiet_s", "begun"), [(PATIENCE_S, ["a", "b"]), (0.0, ["a", "ahead", "b"])])
async def test_nothing_is_completed_ahead_until_there_is_a_pause(quiet_s: float, begun: list[str]) -> None:
    scheduler = Scheduler(quiet_s)
    pipeline = await looking_ahead(scheduler, {"a": ["ahead"]})
    await scheduler.submit(request("a"))
    if "ahead" in begun:
        await until_begun(pipeline, "a", "ahead")
    await asyncio.sleep(0.01)
    await scheduler.submit(request("b"))
    assert pipeline.begun == begun
    assert scheduler.close(PATIENCE_S)


async def test_a_document_is_prepared_between_requests(scheduler: Scheduler, pipeline: Scripted) -> None:
    slow = begin(scheduler, request("slow"))
    await until(pipeline.slow_began)
    scheduler.prepare(Document("file:///b.py", "python", "b"))
    answer = begin(scheduler, request("new"))
    assert await text_of(answer) == "new"
    await until_begun(pipeline, "slow", "b one", "new", "b two")
    with pytest.raises(Superseded):
        await slow


# Carrying on: a generation that the next key does not end.


class Writing(Scripted):
    """Writes ``suggestion`` token by token, each when the test lets it, and keeps it in the real cache."""

    def __init__(self, suggestion: str = "one two three") -> None:
        super().__init__()
        self.suggestion = suggestion
        self.tokens = threading.Semaphore(0)
        self.cache = CompletionCache()

    def complete(self, request: CompletionRequest, cancel: Cancel, on_text: OnText = None) -> Completion:
        cached = self.lookup(request)
        if cached is not None:
            return cached
        self.begun.append(request.cursor.prefix)
        self.slow_began.set()
        assert on_text is not None
        for end in range(1, len(self.suggestion) + 1):
            while not self.tokens.acquire(timeout=0.005):
                if cancel.is_set():
                    break
            if cancel.is_set():
                self.cancelled.append(request.cursor.prefix)
                return Completion((), "model", "causal", cancelled=True)
            on_text(self.suggestion[:end])
        made = completion(self.suggestion)
        self.cache.store(request.cursor, made)
        return made

    def lookup(self, request: CompletionRequest) -> Completion | None:
        return None if request.invoked else self.cache.lookup(request.cursor)

    def write(self, count: int = 100) -> None:
        self.tokens.release(count)


@pytest.fixture
async def writing(scheduler: Scheduler) -> Writing:
    pipeline = Writing()
    await scheduler.load(lambda: pipeline)
    return pipeline


async def test_a_generation_carries_on_while_what_it_writes_is_typed(
    scheduler: Scheduler, writing: Writing
) -> None:
    answers = []
    for typed in ("x = ", "x = o", "x = on", "x = one "):
        answers.append(begin(scheduler, request(typed)))
        await until(writing.slow_began)
    writing.write()
    assert await text_of(answers.pop()) == "two three"
    assert writing.begun == ["x = "]
    for older in answers:
        with pytest.raises(Superseded):
            await older


async def test_what_was_carried_on_has_waited_for_the_model(scheduler: Scheduler, writing: Writing) -> None:
    begin(scheduler, request("x = "))
    await until(writing.slow_began)
    waiting = begin(scheduler, request("x = o"))
    await asyncio.sleep(0)
    writing.write()
    assert (await waiting).source == "model"
    assert (await scheduler.submit(request("x = on"))).source == "cache"


async def test_a_generation_ends_when_something_else_is_typed(scheduler: Scheduler, writing: Writing) -> None:
    begin(scheduler, request("x = "))
    await until(writing.slow_began)
    writing.write(2)  # "on"
    other = begin(scheduler, request("x = of"))
    await asyncio.sleep(0)
    writing.write()
    assert await text_of(other) == "one two three"
    assert (writing.begun, writing.cancelled) == (["x = ", "x = of"], ["x = "])


@pytest.mark.parametrize(
    "other",
    [
        request("y = "),
        request("x ="),
        request("x = o", invoked=True),
        CompletionRequest(Cursor(Document("file:///a.py", "python", "x = oz"), 5)),
        CompletionRequest(Cursor(Document("file:///a.py", "lua", "x = o"), 5)),
    ],
)
async def test_a_generation_for_another_place_ends_at_once(
    scheduler: Scheduler, writing: Writing, other: CompletionRequest
) -> None:
    begin(scheduler, request("x = "))
    await until(writing.slow_began)
    answer = begin(scheduler, other)
    await until_begun(writing, "x = ", other.cursor.prefix)
    assert writing.cancelled == ["x = "]
    writing.write()
    assert await text_of(answer) == "one two three"


async def test_a_request_cancelled_by_the_next_key_is_carried_on(
    scheduler: Scheduler, writing: Writing
) -> None:
    older = begin(scheduler, request("x = "))
    await until(writing.slow_began)
    older.cancel()
    await asyncio.wait([older])
    newer = begin(scheduler, request("x = o"))
    await asyncio.sleep(0)
    writing.write()
    assert await text_of(newer) == "ne two three"
    assert writing.begun == ["x = "]


async def test_a_request_cancelled_for_good_frees_the_engine(scheduler: Scheduler, writing: Writing) -> None:
    for typed in ("x = ", "x = o"):
        cancelled = begin(scheduler, request(typed))
        await until(writing.slow_began)
    cancelled.cancel()
    while not writing.cancelled:
        await asyncio.sleep(0.01)
    assert writing.begun == ["x = "]


async def test_a_cancelled_generation_does_not_keep_another_document_waiting(
    scheduler: Scheduler, writing: Writing
) -> None:
    cancelled = begin(scheduler, request("x = "))
    await until(writing.slow_began)
    cancelled.cancel()
    other = begin(scheduler, request("z = ", "file:///b.py"))
    await until_begun(writing, "x = ", "z = ")
    writing.write()
    assert await text_of(other) == "one two three"


async def test_a_wait_is_ended_by_the_next_key(scheduler: Scheduler, pipeline: Scripted) -> None:
    scheduler.debounce.key = lambda: PATIENCE_S  # type: ignore[method-assign]
    waiting = begin(scheduler, request("old"))
    await asyncio.sleep(0)
    scheduler.debounce.key = lambda: 0.01  # type: ignore[method-assign]
    newer = begin(scheduler, request("new"))
    with pytest.raises(Superseded):
        await waiting
    assert await text_of(newer) == "new"
    assert pipeline.begun == ["new"]


# What is counted.


async def test_a_request_given_up_before_the_engine_came_to_it_is_told_from_one_given_up_later(
    scheduler: Scheduler, pipeline: Scripted
) -> None:
    running = begin(scheduler, request("slow", "file:///other.py"))
    await until(pipeline.slow_began)
    superseded, cancelled = begin(scheduler, request("old")), begin(scheduler, request("x", "file:///x.py"))
    newer = begin(scheduler, request("new"))
    await asyncio.wait([superseded])
    cancelled.cancel()
    await asyncio.wait([cancelled])
    counts = scheduler.counts
    assert (counts.cancelled_waiting, counts.cancelled_running) == (2, 0)
    running.cancel()
    assert await text_of(newer) == "new"
    assert (counts.cancelled_waiting, counts.cancelled_running) == (2, 1)
    assert (counts.requests, counts.answers) == (4, {"model": 1})


async def test_every_request_is_counted_once_with_what_became_of_it(scheduler: Scheduler) -> None:
    pipeline = await looking_ahead(scheduler, {"a": ["b"]})
    await scheduler.submit(request("a"))
    await until_begun(pipeline, "a", "b")
    for text in ("b", "known", "c"):
        await scheduler.submit(request(text))
    with pytest.raises(EngineError):
        await scheduler.submit(request("boom"))
    counts = scheduler.counts
    assert counts.answers == {"model": 3, "ahead": 1}  # this pipeline says of all it knows "model"
    assert (counts.requests, counts.failed, counts.prefetches) == (5, 1, 1)
    assert counts.cancelled_waiting + counts.cancelled_running == 0


async def test_the_counts_can_be_kept_as_they_are(scheduler: Scheduler, pipeline: Scripted) -> None:
    before, live = scheduler.counts.copy(), scheduler.counts
    await scheduler.submit(request("a"))
    assert (before.requests, before.answers) == (0, {})
    assert (live.requests, live.answers) == (1, {"model": 1})


async def test_a_prefetch_that_typing_cancels_ends_and_can_be_made_again(scheduler: Scheduler) -> None:
    class Diverging(Scripted):
        def complete(self, request: CompletionRequest, cancel: Cancel, on_text: OnText = None) -> Completion:
            if request.prefetch and not self.slow_began.is_set():
                self.begun.append("prefetch")
                self.slow_began.set()
                assert on_text is not None
                while not cancel.is_set():
                    on_text("something else than what is typed")
                return Completion((), "model", "causal", cancelled=True)
            return super().complete(request, cancel, on_text)

    pipeline = Diverging({"known": ["x = ", "next"]})
    await scheduler.load(lambda: pipeline)
    await scheduler.submit(request("known"))
    await until(pipeline.slow_began)
    assert await text_of(begin(scheduler, request("x = 1"))) == "x = 1"
    async with asyncio.timeout(PATIENCE_S):
        while len(asyncio.all_tasks()) > 1:  # only the test itself
            await asyncio.sleep(0.001)
    assert pipeline.begun == ["prefetch", "x = 1"]
    await scheduler.submit(request("known"))
    await until_begun(pipeline, "prefetch", "x = 1", "x = ")


# Several sessions on one engine thread.


class Sessions:
    """Two schedulers that share an engine thread, each with a pipeline of its own."""

    def __init__(self) -> None:
        self.thread = EngineThread()
        self.one, self.other = (Scheduler(0.0, self.thread) for _ in range(2))

    async def load(self, one: Scripted, other: Scripted) -> None:
        await self.one.load(lambda: one)
        await self.other.load(lambda: other)


@pytest.fixture
async def sessions() -> AsyncIterator[Sessions]:
    sessions = Sessions()
    yield sessions
    assert sessions.one.close(PATIENCE_S)
    assert sessions.other.close(PATIENCE_S)
    sessions.thread.close()


async def test_sessions_share_one_thread_and_nothing_else(sessions: Sessions) -> None:
    one, other = Scripted(), Scripted()
    await sessions.load(one, other)
    same = request("a")
    answers = [begin(scheduler, same) for scheduler in (sessions.one, sessions.other)]
    assert [await text_of(answer) for answer in answers] == ["a", "a"]  # neither superseded the other
    assert one.threads == other.threads
    assert (sessions.one.counts.requests, sessions.other.counts.requests) == (1, 1)


async def test_sessions_take_turns(sessions: Sessions) -> None:
    one, other = Scripted(), Scripted()
    one.begun = other.begun
    await sessions.load(one, other)
    running = begin(sessions.one, request("slow"))
    await until(one.slow_began)
    waiting = [begin(sessions.one, request(f"one {n}", f"file:///{n}")) for n in range(3)]
    await asyncio.sleep(0)
    waiting.append(begin(sessions.other, request("other")))
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(*waiting)
    assert one.begun == ["slow", "other", "one 0", "one 1", "one 2"]


async def test_a_prefetch_yields_to_another_session(sessions: Sessions) -> None:
    one = Scripted({"a": ["slow"]})
    await sessions.load(one, Scripted())
    await sessions.one.submit(request("a"))
    await until(one.slow_began)
    assert await text_of(begin(sessions.other, request("b"))) == "b"
    assert one.cancelled == ["slow"]


async def test_a_generation_that_nobody_waits_for_yields_to_another_session(sessions: Sessions) -> None:
    one = Writing()  # would linger for the next key
    await sessions.load(one, Scripted())
    cancelled = begin(sessions.one, request("x = "))
    await until(one.slow_began)
    answer = begin(sessions.other, request("b"))
    await asyncio.sleep(0)
    cancelled.cancel()
    assert await text_of(answer) == "b"
    assert one.cancelled == ["x = "]


async def test_a_generation_that_is_waited_for_does_not_yield(sessions: Sessions) -> None:
    one = Writing()
    await sessions.load(one, Scripted())
    waiting = begin(sessions.one, request("x = "))
    await until(one.slow_began)
    answer = begin(sessions.other, request("b"))
    await asyncio.sleep(0)
    one.write()
    assert await text_of(waiting) == "one two three"
    assert await text_of(answer) == "b"
    assert one.cancelled == []


async def test_a_session_that_closes_leaves_the_others_alone(sessions: Sessions) -> None:
    one, other = Scripted(), Scripted()
    await sessions.load(one, other)
    running = begin(sessions.one, request("slow"))
    await until(one.slow_began)
    waiting = begin(sessions.other, request("b"))
    await asyncio.sleep(0)
    assert sessions.one.close(PATIENCE_S)
    with pytest.raises(Superseded):
        await running
    assert await text_of(waiting) == "b"
    assert await text_of(begin(sessions.other, request("c"))) == "c"
