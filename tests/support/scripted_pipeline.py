"""Pipelines whose every step a test decides, and what tests of the scheduler do with them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from copilot_server.completion.cache import CompletionCache
from copilot_server.completion.scheduling.engine_thread import EngineThread
from copilot_server.completion.scheduling.scheduler import Scheduler
from copilot_server.completion.types import Candidate, Completion, CompletionRequest
from copilot_server.config import CompletionSettings
from copilot_server.context.document import Cursor, Document
from copilot_server.engine.base import Cancel
from tests.support.patience import PATIENCE_S

OnText = Callable[[str], None] | None


def request(text: str, uri: str = "file:///a.py", *, invoked: bool = False) -> CompletionRequest:
    return CompletionRequest(Cursor(Document(uri, "python", text), len(text)), invoked)


def prefetching(text: str, uri: str = "file:///a.py") -> CompletionRequest:
    return replace(request(text, uri), prefetch=True)


def completion(text: str) -> Completion:
    return Completion((Candidate(text, 0.0, "stop"),), "model", "causal")


class Scripted:
    """Completes with the document's own text; ``slow`` waits for its cancel, ``boom`` fails.

    ``leads_to``: what to prefetch after a text. What has been prefetched is kept, and
    ``empty`` suggests nothing.
    """

    def __init__(self, leads_to: Mapping[str, Sequence[str]] = MappingProxyType({})) -> None:
        self.leads_to = leads_to
        self.kept: dict[str, Completion] = {}
        self.begun: list[str] = []
        self.cancelled: list[str] = []
        #: The texts whose prompts were read ahead.
        self.read: list[str] = []
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
        return tuple(prefetching(text, cursor.document.uri) for text in texts)

    def configure(self, settings: CompletionSettings) -> None:
        self.settings = settings

    def prepare(self, document: Document) -> Iterator[None]:
        for step in ("one", "two"):
            self.begun.append(f"{document.text} {step}")
            yield

    def read_ahead(self, request: CompletionRequest, cancel: Cancel) -> bool:
        text = request.cursor.document.text
        self.read.append(text)
        if text == "boom":
            raise ValueError(f"in {text}")
        if text.startswith("long"):
            assert isinstance(cancel, threading.Event)
            self.slow_began.set()
            assert cancel.wait(PATIENCE_S)
            self.cancelled.append(text)
        return True

    def watch(self, _on_error: object) -> None:
        pass

    def lookup(self, request: CompletionRequest) -> Completion | None:
        text = request.cursor.document.text
        return completion("cached") if text.startswith("known") else self.kept.get(text)


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


async def text_of(answer: asyncio.Task[Completion]) -> str:
    return (await answer).candidates[0].text


def begin(scheduler: Scheduler, wanted: CompletionRequest) -> asyncio.Task[Completion]:
    return asyncio.create_task(scheduler.submit(wanted))


async def until(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, PATIENCE_S)


async def until_begun(pipeline: Scripted, *texts: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while pipeline.begun != list(texts):
            await asyncio.sleep(0.001)


async def until_read(pipeline: Scripted, *texts: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while pipeline.read != list(texts):
            await asyncio.sleep(0.001)


async def load_leading_to(scheduler: Scheduler, leads_to: Mapping[str, Sequence[str]]) -> Scripted:
    pipeline = Scripted(leads_to)
    await scheduler.load(lambda: pipeline)
    return pipeline


class Sessions:
    """Two schedulers that share an engine thread, each with a pipeline of its own."""

    def __init__(self) -> None:
        self.thread = EngineThread()
        self.one, self.other = (Scheduler(0.0, self.thread) for _ in range(2))

    async def load(self, one: Scripted, other: Scripted) -> None:
        await self.one.load(lambda: one)
        await self.other.load(lambda: other)
