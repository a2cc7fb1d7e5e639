"""The engine over HTTP: the interface that the pipeline knows, before engines that speak OpenAI's API."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial

from copilot_server.catalog import FimTokens, Manifest
from copilot_server.engine.backends.remote.batch import write_all
from copilot_server.engine.backends.remote.counting import token_counter
from copilot_server.engine.backends.remote.escaping import Spelling
from copilot_server.engine.backends.remote.event_loop import EventLoop
from copilot_server.engine.backends.remote.replica import EndpointState
from copilot_server.engine.backends.remote.replicas import Patience, Replicas
from copilot_server.engine.backends.remote.row import RemoteRow
from copilot_server.engine.base import Cancel, Generation, GenerationRequest, Special
from copilot_server.errors import EngineError

#: How often it is looked whether an answer is still wanted, in seconds.
LOOK_S = 0.01
#: How long many prompts at once wait for their turn, and for engines that are restarted, in seconds; and how
#: often one is asked anew.
BATCH_SILENCE_S, BATCH_OUTAGE_S, BATCH_REPEATS = 900.0, 300.0, 10

#: The window of a model of which nobody has said how long it is, in tokens: one that any model has.
UNKNOWN_CONTEXT = 2048

OnDone = Callable[[int, list[Generation]], None]


class RemoteEngine:
    """One model, on one or several engines elsewhere.

    ``manifest``: how the model is asked. ``control_tokens``: all that are known of. ``infill``: the tokens of
    infilling prompts, where the engine makes these itself of what stands before and after the cursor.
    """

    def __init__(  # noqa: PLR0913
        self,
        loop: EventLoop,
        replicas: Replicas,
        manifest: Manifest,
        *,
        control_tokens: frozenset[str],
        infill: FimTokens | None,
        patience: Patience,
    ) -> None:
        self.manifest = manifest
        self._loop = loop
        self._replicas = replicas
        self._control_tokens = control_tokens
        self._infill = infill
        self._patience = patience
        self._count_tokens = token_counter(manifest)
        self._spelling = Spelling(control_tokens)

    @property
    def device(self) -> str:
        """Which engines: ``engine gpu.example.com:8000``."""
        return "engine " + ", ".join(one.endpoint.host for one in self._replicas.all)

    @property
    def dtype(self) -> str:
        """What the weights are held in is the engine's affair; which engine that is."""
        names = dict.fromkeys(one.served.engine for one in self._replicas.all if one.served)
        return f"as {', '.join(names)} has it"

    @property
    def context_length(self) -> int:
        """The most tokens that prompt and completion may have together: what the smallest engine takes."""
        told = [one.served.context_length for one in self._replicas.all if one.served]
        known = [length for length in (*told, self.manifest.context_length) if length]
        return min(known, default=UNKNOWN_CONTEXT)

    @property
    def notices(self) -> Sequence[str]:
        """See ``Engine.notices``; what a remote engine has to report goes to ``watch``."""
        return ()

    @property
    def endpoints(self) -> list[EndpointState]:
        """How each engine is doing. From any thread."""
        return [one.state() for one in self._replicas.all]

    def watch(self, on_trouble: Callable[[EngineError | None], None]) -> None:
        """See ``WatchedEngine.watch``: told when no engine can be used, and when one can again."""
        self._replicas.on_trouble = on_trouble
        if (error := self._replicas.trouble) is not None:
            on_trouble(error)

    def knows(self, special: Special) -> bool:
        """Whether the model's vocabulary has this control token, as far as can be told."""
        return special.name in self._control_tokens

    def count_tokens(self, text: str) -> int:
        """How many tokens ``text`` is; about, unless the model's tokenizer is on this machine."""
        return self._count_tokens(text)

    def generate(self, request: GenerationRequest, cancel: Cancel) -> list[Generation]:
        """See ``Engine.generate``. A cancel closes the connection, and returns without waiting for more.

        Raises:
            EngineUnavailableError: no engine gave an answer in time.
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
        """See ``Engine.generate_batch``: ``batch_size`` generations are asked for at a time.

        They wait for their turn in a full engine, and for one that is restarted.
        """
        patience = Patience(BATCH_SILENCE_S, BATCH_REPEATS, outage_s=BATCH_OUTAGE_S)
        return self._generate(requests, cancel, on_done, batch_size, patience)

    def close(self) -> None:
        """Close every connection."""
        self._loop.close()

    def _generate(
        self,
        requests: Sequence[GenerationRequest],
        cancel: Cancel,
        on_done: OnDone | None,
        at_once: int,
        patience: Patience,
    ) -> list[list[Generation]]:
        groups = [self._rows(request) for request in requests]
        finished: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        write = partial(self._replicas.write, patience=patience)
        work = self._loop.start(write_all(groups, write, at_once, finished.put))
        work.add_done_callback(lambda _work: finished.put(None))
        try:
            for index in _until_done(work, finished, cancel):
                if on_done is not None:
                    on_done(index, [row.generation() for row in groups[index]])
        finally:
            work.cancel()
        for row in (row for group in groups for row in group):
            row.cancel()
        return [[row.generation() for row in group] for group in groups]

    def _rows(self, request: GenerationRequest) -> list[RemoteRow]:
        return [
            RemoteRow(request, candidate, self._spelling, self._infill)
            for candidate in range(request.sampling.n)
        ]


def _until_done(work: Future[None], finished: queue.SimpleQueue[int | None], cancel: Cancel) -> Iterator[int]:
    """Yield what has been finished until all is, or nothing is wanted any more.

    Raises:
        Exception: what ``work`` raised.
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
