"""The remote engine: the ``Engine`` interface over HTTP, for engines with OpenAI's completions API."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial

from copilot_server.catalog import FimTokens, Manifest
from copilot_server.engine.backends.remote.batch import write_all
from copilot_server.engine.backends.remote.candidate import RemoteCandidate
from copilot_server.engine.backends.remote.escaping import Escaping
from copilot_server.engine.backends.remote.event_loop import EventLoop
from copilot_server.engine.backends.remote.replica import EndpointState
from copilot_server.engine.backends.remote.replicas import Patience, Replicas
from copilot_server.engine.backends.remote.tokenizing import RemoteTokens
from copilot_server.engine.base import Cancel, Generation, GenerationRequest, Special
from copilot_server.errors import EngineError

#: How often to check whether an answer is still wanted, in seconds.
LOOK_S = 0.01
#: In a batch: how long a prompt waits for its turn, and for engines that restart, in seconds, how often it is
#: repeated, and how long all of that may take.
BATCH_SILENCE_S, BATCH_OUTAGE_S, BATCH_REPEATS, BATCH_DEADLINE_S = 900.0, 300.0, 10, 3600.0

#: The context length to assume if no one reports it, in tokens; every model has as much.
UNKNOWN_CONTEXT = 2048

OnDone = Callable[[int, list[Generation]], None]


class RemoteEngine:
    """One model, on one or several remote engines.

    ``manifest``: how to ask the model. ``control_tokens``: all that are known. ``is_known``: whether
    the catalogue has the model. ``infill``: the tokens of
    infilling prompts, if the engine builds these itself from the text before and after the cursor.
    """

    def __init__(  # noqa: PLR0913
        self,
        loop: EventLoop,
        replicas: Replicas,
        manifest: Manifest,
        *,
        control_tokens: frozenset[str],
        is_known: bool,
        infill: FimTokens | None,
        patience: Patience,
    ) -> None:
        self.manifest = manifest
        self._loop = loop
        self._replicas = replicas
        self._control_tokens = control_tokens
        self._infill = infill
        self._patience = patience
        self._tokens = RemoteTokens(manifest)
        self._escaping = Escaping(control_tokens, is_known=is_known)

    @property
    def device(self) -> str:
        """The engines, as ``engine gpu.example.com:8000``."""
        return "engine " + ", ".join(one.endpoint.host for one in self._replicas.all)

    @property
    def dtype(self) -> str:
        """The number format is not reported; the name of the engine that chose it."""
        names = dict.fromkeys(one.served.engine for one in self._replicas.all if one.served)
        return f"as {', '.join(names)} has it"

    @property
    def context_length(self) -> int:
        """The most tokens that prompt and completion may have together: the least of all engines."""
        reported = [one.served.context_length for one in self._replicas.all if one.served]
        known = [length for length in (*reported, self.manifest.context_length) if length]
        return min(known, default=UNKNOWN_CONTEXT)

    @property
    def notices(self) -> Sequence[str]:
        """See ``Engine.notices``; changes of a remote engine's state go to ``watch``."""
        return ()

    @property
    def endpoints(self) -> list[EndpointState]:
        """The state of each engine. Any thread may ask."""
        return [one.state() for one in self._replicas.all]

    def watch(self, on_change: Callable[[EngineError | None], None]) -> None:
        """See ``WatchedEngine.watch``: called when no engine can be used, and when one can again."""
        self._replicas.on_change = on_change
        if (error := self._replicas.error) is not None:
            on_change(error)

    def knows(self, special: Special) -> bool:
        """Whether the model's vocabulary has this control token, as far as is known."""
        return special.name in self._control_tokens

    def count_tokens(self, text: str) -> int:
        """The number of tokens in ``text``: an estimate unless the model's tokenizer is on this machine."""
        return self._tokens.count(text)

    def stable_length(self, text: str) -> int:
        """See ``Engine.stable_length``; by estimate unless the model's tokenizer is on this machine."""
        return self._tokens.stable_length(text)

    def generate(self, request: GenerationRequest, cancel: Cancel) -> list[Generation]:
        """See ``Engine.generate``. Cancelling closes the connection, and does not wait for it.

        Raises:
            EngineUnavailableError: no engine answered in time.
            EngineError: the request is not accepted.
        """
        return self._generate([request], cancel, None, request.sampling.n, self._patience)[0]

    def generate_batch(
        self,
        requests: Sequence[GenerationRequest],
        cancel: Cancel,
        on_done: OnDone | None = None,
        *,
        batch_size: int = 16,
    ) -> list[list[Generation]]:
        """See ``Engine.generate_batch``: ``batch_size`` generations are requested at a time.

        They wait for their turn in a busy engine, and for one that restarts, each up to a deadline.
        """
        patience = Patience(BATCH_SILENCE_S, BATCH_REPEATS, BATCH_DEADLINE_S, BATCH_OUTAGE_S)
        return self._generate(requests, cancel, on_done, batch_size, patience)

    def close(self) -> None:
        """See ``Engine.close``; closes every connection."""
        self._loop.close()

    def _generate(
        self,
        requests: Sequence[GenerationRequest],
        cancel: Cancel,
        on_done: OnDone | None,
        at_once: int,
        patience: Patience,
    ) -> list[list[Generation]]:
        groups = [self._candidates(request) for request in requests]
        finished: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        write = partial(self._replicas.write, patience=patience)
        work = self._loop.start(write_all(groups, write, at_once, finished.put))
        work.add_done_callback(lambda _work: finished.put(None))
        try:
            for index in _until_done(work, finished, cancel):
                if on_done is not None:
                    on_done(index, [candidate.generation() for candidate in groups[index]])
        finally:
            work.cancel()
        for candidate in (one for group in groups for one in group):
            candidate.cancel()
        return [[candidate.generation() for candidate in group] for group in groups]

    def _candidates(self, request: GenerationRequest) -> list[RemoteCandidate]:
        return [
            RemoteCandidate(request, index, self._escaping, self._infill)
            for index in range(request.sampling.n)
        ]


def _until_done(work: Future[None], finished: queue.SimpleQueue[int | None], cancel: Cancel) -> Iterator[int]:
    """Yield the index of each finished request until all are, or the cancel flag is set.

    Raises:
        Exception: the exception that ``work`` raised.
    """
    while not cancel.is_set():
        try:
            index = finished.get(timeout=LOOK_S)
        except queue.Empty:
            continue
        if index is None:
            work.result()
            return
        yield index
