"""The engine in a host on this machine, over its Unix socket."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import logging
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from copilot_server.catalog import Manifest
from copilot_server.engine.backends.hosted.replay import Replay, accept_event, body_of, written_out
from copilot_server.engine.backends.remote.event_loop import EventLoop
from copilot_server.engine.base import Cancel, Generation, GenerationRequest, Prompt, Special
from copilot_server.engine.models.tokenizer import Tokenizer
from copilot_server.errors import EngineError, EngineUnavailableError, PromptTooLongError

_LOG = logging.getLogger(__name__)

#: How often to check whether an answer is still wanted, in seconds.
LOOK_S = 0.005
#: How long the host may take to accept a connection, and to send the next part of an answer, in seconds. It
#: may be busy with others' prompts.
CONNECT_S, SILENCE_S = 5.0, 120.0
#: How long closing the connections may take, in seconds.
CLOSING_S = 1.0
#: The first and the longest wait between attempts to reach a host, in seconds.
MIN_AGAIN_S, MAX_AGAIN_S = 0.25, 15.0

OnDone = Callable[[int, list[Generation]], None]
#: Finds the host, or starts one, and waits until its model is ready; returns the path of its socket.
FindHost = Callable[[], Path]


@dataclass(frozen=True, slots=True)
class About:
    """What a host says of its model."""

    device: str
    dtype: str
    context_length: int
    notices: tuple[str, ...]
    reading_speed_tok_s: float


class HostedEngine:
    """An engine whose model is in the host. See ``Engine``, ``ReadingEngine`` and ``WatchedEngine``."""

    def __init__(self, find_host: FindHost, tokenizer: Tokenizer, manifest: Manifest) -> None:
        """Find the host, or start it.

        Raises:
            EngineError: there is none, and none can be started.
        """
        self.manifest = manifest
        self._tokenizer = tokenizer
        self._find_host = find_host
        self._loop = EventLoop("host")
        self._on_change: Callable[[EngineError | None], None] = lambda _error: None
        self._recovering = threading.Lock()
        self._closed = threading.Event()
        self._client = _client(find_host())
        self._about = self._wait(self._ask_about())
        self._presence = self._loop.start(self._be_present())

    @property
    def device(self) -> str:
        """Where the model runs."""
        return self._about.device

    @property
    def dtype(self) -> str:
        """The number format of the weights."""
        return self._about.dtype

    @property
    def context_length(self) -> int:
        """The most tokens that prompt and completion may have together."""
        return self._about.context_length

    @property
    def notices(self) -> Sequence[str]:
        """See ``Engine.notices``."""
        return self._about.notices

    def watch(self, on_change: Callable[[EngineError | None], None]) -> None:
        """See ``WatchedEngine.watch``."""
        self._on_change = on_change

    def knows(self, special: Special) -> bool:
        """Whether the model's vocabulary has this control token."""
        return self._tokenizer.knows(special)

    def count_tokens(self, text: str) -> int:
        """How many tokens ``text`` is, control tokens in it read as plain text."""
        return len(self._tokenizer.encode_text(text))

    def stable_length(self, text: str) -> int:
        """See ``Engine.stable_length``."""
        return self._tokenizer.stable_length(text)

    def generate(self, request: GenerationRequest, cancel: Cancel) -> list[Generation]:
        """See ``Engine.generate``. Cancelling hangs up.

        Raises:
            EngineUnavailableError: the host has gone; a new one is looked for in the background.
            PromptTooLongError, EngineError: as ``Engine.generate``.
        """
        return self.generate_batch([request], cancel)[0]

    def generate_batch(
        self,
        requests: Sequence[GenerationRequest],
        cancel: Cancel,
        on_done: OnDone | None = None,
        *,
        batch_size: int = 16,
    ) -> list[list[Generation]]:
        """See ``Engine.generate_batch``."""
        groups = [[Replay(request) for _ in range(request.sampling.n)] for request in requests]
        done: list[int] = []
        client = self._client
        work = self._loop.start(_write_all(client, requests, groups, batch_size, done))
        reported = 0
        while not _is_over(work, cancel):
            reported = _report(groups, done, reported, on_done)
        self._check_result(work, client)
        _report(groups, done, reported, on_done)
        for one in (one for group in groups for one in group):
            one.cancel()
        return [[one.generation() for one in group] for group in groups]

    def read(self, prompts: Sequence[Prompt], cancel: Cancel) -> None:
        """See ``ReadingEngine.read``."""
        bodies = [written_out(prompt) for prompt in prompts]
        client = self._client
        work = self._loop.start(_post(client, "/copilot-server/read", {"prompts": bodies}))
        while not _is_over(work, cancel):
            pass
        self._check_result(work, client)

    def reading_speed_tok_s(self) -> float:
        """See ``ReadingEngine.reading_speed_tok_s``."""
        return self._about.reading_speed_tok_s

    def close(self) -> None:
        """See ``Engine.close``; the host goes on for others."""
        if not self._closed.is_set():
            self._closed.set()
            self._presence.cancel()
            concurrent.futures.wait([self._loop.start(self._client.aclose())], CLOSING_S)
            self._loop.close()

    def _check_result(self, work: Future[Any], client: httpx.AsyncClient) -> None:
        """Raise what the work has failed with.

        Raises:
            EngineUnavailableError: the host has gone.
            EngineError: it refuses.
        """
        if work.cancelled():
            return
        error = work.exception()
        if isinstance(error, httpx.TransportError):
            self._recover(client)
            raise _gone() from error
        if error is not None:
            raise error

    def _wait(self, work: Coroutine[Any, Any, About]) -> About:
        try:
            return self._loop.start(work).result()
        except httpx.TransportError as error:
            raise EngineUnavailableError("The shared engine does not answer.") from error

    async def _be_present(self) -> None:
        """Stay connected, so that the host does not end for want of clients, and notice when it does.

        One that was told to end says so, and is started again by the next request only.
        """
        client = self._client
        try:
            async with client.stream("GET", "/copilot-server/presence", timeout=None) as reply:
                async for _ in reply.aiter_raw():
                    pass
        except httpx.HTTPError as error:
            _LOG.debug("the shared engine has gone: %s", error)
            self._recover(client)

    async def _ask_about(self) -> About:
        reply = await self._client.get("/copilot-server/about")
        about = reply.json()
        return About(
            device=about["device"],
            dtype=about["dtype"],
            context_length=about["context_length"],
            notices=tuple(about["notices"]),
            reading_speed_tok_s=about["reading_speed_tok_s"],
        )

    def _recover(self, client: httpx.AsyncClient) -> None:
        """Look for a host, or start one, in the background, until there is one again.

        ``client``: the one that has found out that its host has gone.
        """
        if client is self._client and not self._closed.is_set() and self._recovering.acquire(blocking=False):
            self._on_change(_gone())
            threading.Thread(target=self._find_again, name="finding a host", daemon=True).start()

    def _find_again(self) -> None:
        wait_s = MIN_AGAIN_S
        try:
            while not self._closed.wait(wait_s):
                try:
                    before, self._client = self._client, _client(self._find_host())
                except EngineError as error:
                    _LOG.warning("the shared engine cannot be started: %s", error)
                    wait_s = min(2 * wait_s, MAX_AGAIN_S)
                else:
                    self._loop.start(before.aclose())
                    self._presence = self._loop.start(self._be_present())
                    self._on_change(None)
                    return
        finally:
            self._recovering.release()


async def _post(client: httpx.AsyncClient, path: str, body: Mapping[str, Any]) -> None:
    reply = await client.post(path, json=body)
    _check(reply, reply.content)


async def _write_all(
    client: httpx.AsyncClient,
    requests: Sequence[GenerationRequest],
    groups: Sequence[list[Replay]],
    at_once: int,
    done: list[int],
) -> None:
    turns = asyncio.Semaphore(at_once)

    async def write(index: int) -> None:
        async with turns:
            await _write(client, requests[index], groups[index])
        done.append(index)

    tasks = [asyncio.ensure_future(write(index)) for index in range(len(requests))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def _write(client: httpx.AsyncClient, request: GenerationRequest, candidates: list[Replay]) -> None:
    async with client.stream("POST", "/v1/completions", json=body_of(request)) as reply:
        if reply.status_code != HTTPStatus.OK:
            _check(reply, await reply.aread())
        async for line in reply.aiter_lines():
            if line.startswith("data: {"):
                accept_event(candidates, json.loads(line.removeprefix("data: ")))
            if all(one.finish_reason is not None for one in candidates):
                return


def _gone() -> EngineUnavailableError:
    return EngineUnavailableError("The shared engine has ended.", remedy="It is being started again.")


def _is_over(work: Future[Any], cancel: Cancel) -> bool:
    """Wait a moment; return whether the work is done, ending it if it is not wanted any more."""
    concurrent.futures.wait([work], LOOK_S)
    return work.done() or (cancel.is_set() and work.cancel())


def _client(path: Path) -> httpx.AsyncClient:
    """Return a client of the host at a socket. The name in its URLs stands for this machine."""
    return httpx.AsyncClient(
        base_url="http://localhost",
        transport=httpx.AsyncHTTPTransport(uds=str(path)),
        timeout=httpx.Timeout(SILENCE_S, connect=CONNECT_S),
        trust_env=False,
    )


def _report(groups: Sequence[list[Replay]], done: list[int], reported: int, on_done: OnDone | None) -> int:
    """Report the requests that are done and were not reported; return how many are, now."""
    until = len(done)
    for index in done[reported:until]:
        if on_done is not None:
            on_done(index, [one.generation() for one in groups[index]])
    return until


def _check(reply: httpx.Response, content: bytes) -> None:
    """Raise the error that a host reports.

    Raises:
        EngineUnavailableError: it is loading the model, or has too much to do.
        PromptTooLongError, EngineError: as it says.
    """
    if reply.status_code == HTTPStatus.OK:
        return
    try:
        message = str(json.loads(content)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        message = f"The shared engine answers with status {reply.status_code}."
    if "Retry-After" in reply.headers:
        raise EngineUnavailableError(f"The shared engine has to be waited for: {message}")
    if reply.status_code == HTTPStatus.BAD_REQUEST and "too long" in message:
        raise PromptTooLongError(message)
    raise EngineError(message)
