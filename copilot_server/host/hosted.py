"""The models that a host serves: each loads, and then decodes for everybody who asks."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus

from starlette.requests import Request

from copilot_server.catalog import Manifest
from copilot_server.config import Settings
from copilot_server.engine.base import Engine, GenerationRequest
from copilot_server.engine.decoding.engine import DecodingEngine
from copilot_server.engine.decoding.loop import Decoding, DecodingLoop, OnWritten
from copilot_server.errors import CopilotServerError, EngineError
from copilot_server.host.refusals import RefusedError, of_engine
from copilot_server.shown import shown_lines

_LOG = logging.getLogger(__name__)

#: How many candidates are decoded at a time, beside urgent ones.
BATCH_SIZE = 32
#: How many requests of a model may wait or be decoded; more are refused, so that none waits for minutes.
MOST_REQUESTS = 256
#: When to try again, in seconds, where there are too many requests, and where the model is being loaded.
BUSY_S, LOADING_S = 5, 2
#: How long a step of the model may take when it is to end, in seconds.
STEP_S = 5.0

#: Loads a model; it takes seconds to minutes.
Open = Callable[[], tuple[Engine, Manifest]]


class HostedModel:
    """One model. Its methods may be called from any thread."""

    def __init__(self, settings: Settings) -> None:
        #: The name that clients ask for.
        self.id = settings.model
        self.settings = settings
        self.created_s = int(time.time())
        self._lock = threading.Lock()
        self._ready: tuple[DecodingLoop, Manifest] | None = None
        self._failure: CopilotServerError | None = None
        self._requests = 0
        #: How fast it reads a new prompt; 0 until it is ready.
        self.reading_speed_tok_s = 0.0

    @property
    def is_ready(self) -> bool:
        """Whether it can be asked now."""
        return self._ready is not None

    @property
    def failure(self) -> CopilotServerError | None:
        """Why it could not be loaded."""
        return self._failure

    @property
    def requests(self) -> int:
        """How many requests wait or are being decoded."""
        return self._requests

    def load(self, open_engine: Open) -> None:
        """Load it; afterwards it is ready, or has a failure."""
        try:
            engine, manifest = open_engine()
            if not isinstance(engine, DecodingEngine):
                raise EngineError("A remote engine cannot be served again.", remedy="Ask it directly.")
            self.reading_speed_tok_s = engine.reading_speed_tok_s()
        except CopilotServerError as error:
            _LOG.error("%s cannot be served: %s", self.id, shown_lines(str(error)))
            self._failure = error
        except Exception as error:  # noqa: BLE001 - whoever waits for the model must learn of it
            _LOG.exception("%s cannot be served", self.id)
            self._failure = EngineError(f"{self.id} cannot be served: {type(error).__name__}.")
        else:
            self._ready = DecodingLoop(engine, batch_size=BATCH_SIZE), manifest

    def opened(self) -> tuple[DecodingLoop, Manifest]:
        """Return the loop that decodes with it, and what is known about it.

        Raises:
            RefusedError: it is being loaded, or could not be.
        """
        if self._ready is not None:
            return self._ready
        if self._failure is not None:
            raise of_engine(self._failure)
        raise RefusedError(
            HTTPStatus.SERVICE_UNAVAILABLE, f"{self.id} is being loaded.", retry_after_s=LOADING_S
        )

    def submit(self, request: GenerationRequest, *, urgent: bool, on_written: OnWritten | None) -> Decoding:
        """Have a request decoded.

        Raises:
            RefusedError: there are too many already, it is wrong, or the model is not ready.
        """
        loop, _ = self.opened()
        with self._lock:
            if self._requests >= MOST_REQUESTS and not urgent:
                message = f"{self._requests} requests wait already."
                raise RefusedError(HTTPStatus.TOO_MANY_REQUESTS, message, retry_after_s=BUSY_S)
            self._requests += 1
        try:
            decoding = loop.submit(request, urgent=urgent, on_written=on_written)
        except EngineError as error:
            self._leave()
            raise of_engine(error) from error
        decoding.done.add_done_callback(lambda _done: self._leave())
        return decoding

    def close(self) -> None:
        """End what is being decoded, and return the memory."""
        if self._ready is not None:
            self._ready[0].close(STEP_S)

    def _leave(self) -> None:
        with self._lock:
            self._requests -= 1


class HostedModels:
    """All models of a host. The first is the one for clients that name none."""

    def __init__(self, models: Sequence[HostedModel]) -> None:
        self._by_id: Mapping[str, HostedModel] = {one.id: one for one in models}

    @property
    def all(self) -> Sequence[HostedModel]:
        """Each of them, in the order in which they were named."""
        return tuple(self._by_id.values())

    @property
    def have_failed(self) -> bool:
        """Whether none of them can be served, now or later."""
        return all(one.failure is not None for one in self._by_id.values())

    def named(self, name: str) -> HostedModel:
        """Return the model that a client names; the first if it names none.

        Raises:
            RefusedError: there is no such model here.
        """
        if not name:
            return self.all[0]
        if name in self._by_id:
            return self._by_id[name]
        known = ", ".join(self._by_id)
        message = f"There is no model {name[:100]!r} here, but: {known}."
        raise RefusedError(HTTPStatus.NOT_FOUND, message, parameter="model")


def models_of(request: Request) -> HostedModels:
    """Return the models of the host that a request has reached."""
    models: HostedModels = request.app.state.models
    return models
