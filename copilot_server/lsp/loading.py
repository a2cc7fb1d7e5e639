"""The model that a session's settings ask for: loading it, reporting progress, and trying again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from attrs import evolve

from copilot_server.completion.scheduling.scheduler import Pipeline, Scheduler
from copilot_server.config import Settings
from copilot_server.errors import ConsentError, CopilotServerError, EngineUnavailableError
from copilot_server.fetch.progress import Progress
from copilot_server.lsp.consent import Consent
from copilot_server.lsp.memory import exempt_from_collection, give_back_memory
from copilot_server.lsp.progress import LoadProgress
from copilot_server.lsp.resting import Rest
from copilot_server.lsp.settings import ClientSettings
from copilot_server.lsp.tasks import BackgroundTasks

#: How long after a failed load a request starts another, in seconds: what was missing may be there by then.
RETRY_S = 60.0
#: How long after a remote engine could not be reached it is tried again without a request, in seconds. The
#: wait doubles from the first to the second.
MIN_RECONNECT_S, MAX_RECONNECT_S = 1.0, 15.0

OpenPipeline = Callable[[Settings, Progress], Pipeline]


class LoadListener(Protocol):
    """What a loader reports to."""

    def load_began(self, loading: asyncio.Future[None], progress: LoadProgress) -> None:
        """A load has begun."""
        ...

    def report_status(self) -> None:
        """A load has come further."""
        ...

    def failed(self, error: CopilotServerError) -> None:
        """The load has failed."""
        ...

    def works(self) -> None:
        """The load has succeeded."""
        ...

    def noticed(self, notice: str) -> None:
        """The engine works, but the user should know something about it."""
        ...

    def rested(self) -> None:
        """Suggestions were off for a while, and the engine was let go."""
        ...


class ModelLoader:
    """Has the scheduler serve the model of the current settings; none once suggestions are off for long."""

    def __init__(  # noqa: PLR0913 - its collaborators
        self,
        scheduler: Scheduler,
        settings: ClientSettings,
        background: BackgroundTasks,
        *,
        listener: LoadListener,
        consent: Consent,
        open_pipeline: OpenPipeline,
    ) -> None:
        self._scheduler = scheduler
        self._settings = settings
        self._background = background
        self._listener = listener
        self._consent = consent
        self._rest = Rest(self._let_go)
        self._open_pipeline = open_pipeline
        self._loaded: Settings | None = None
        self._has_loaded = False
        self._failed_s = 0.0
        self._reconnect_s = MIN_RECONNECT_S
        #: Called when the model that the settings ask for has been loaded.
        self.on_loaded: Callable[[], None] = lambda: None
        #: How far the current load has come; None while nothing is loading.
        self.progress: LoadProgress | None = None

    @property
    def has_failed(self) -> bool:
        """Whether there is no model, and none is being loaded."""
        return self.progress is None and self._scheduler.failure is not None

    def load(self, *, again: bool = False, ask: bool = False) -> None:
        """Load the model that the settings ask for, unless it is loaded or loading, or suggestions are off.

        A model that could not be loaded is tried again after ``RETRY_S``; at once, if ``again``. ``ask``: ask
        whether to fetch a model that is not here, although the user has answered "Not now".
        """
        settings, before = self._settings.current, self._loaded
        self._rest.switch(off=not settings.enabled)
        if before is not None and before.model != settings.model:
            self._consent.forget()
        elif self.has_failed and self._may_retry(again=again):
            before = None
        if not settings.enabled or settings == before:
            return
        self._loaded = settings
        if before is None or before.loading != settings.loading:
            self._begin(settings, ask=ask)
        elif before.completion != settings.completion:
            self._scheduler.configure(settings.completion)

    def _may_retry(self, *, again: bool) -> bool:
        """Whether a load that has failed is tried again now. An answer that is awaited has to come first."""
        is_time = again or time.monotonic() - self._failed_s > RETRY_S
        return is_time and not self._consent.is_asking(self._settings.current.model)

    def reload(self) -> None:
        """Load the model although it is loaded: a remote engine now serves another one."""
        self._loaded = None
        self.load()

    def close(self) -> None:
        """Try nothing again, and wait for no more bytes."""
        self._loaded = None
        self._rest.switch(off=False)
        self._end_fetching()

    def _let_go(self) -> None:
        """Have the engine and its memory let go; the next load begins as at the start."""
        self._end_fetching()
        self._loaded = self.progress = None
        self._background.start(self._unload())

    def _end_fetching(self) -> None:
        """Wait for no more bytes of a model that is not needed now; those that are here are kept."""
        if self.progress is not None:
            self.progress.cancel()

    async def _unload(self) -> None:
        await asyncio.wait([self._scheduler.unload()])
        give_back_memory()
        self._listener.rested()

    def _begin(self, settings: Settings, *, quietly: bool = False, ask: bool = False) -> None:
        """Begin to load; quietly too if the last load has failed for lack of consent, which is likely again.

        ``ask``: as for ``load``.
        """
        self._end_fetching()
        may_fetch = self._consent.allows(settings.model, unasked=settings.fetch == "always")
        settings = evolve(settings, fetch="always" if may_fetch else "ask")
        quietly = quietly or (not may_fetch and isinstance(self._scheduler.failure, ConsentError))
        title = f"Connecting to {settings.engine_hosts}" if settings.engine else f"Loading {settings.model}"
        self.progress = progress = LoadProgress(title, quiet=quietly)
        progress.on_change.append(self._listener.report_status)
        notices: list[str] = []

        def open_pipeline() -> Pipeline:
            pipeline = self._open_pipeline(settings, progress)
            notices.extend(pipeline.notices)
            return pipeline

        loading = self._scheduler.load(open_pipeline)
        self._listener.load_began(loading, progress)
        self._background.start(self._follow(loading, progress, notices, settings.model, ask=ask))

    async def _follow(
        self,
        loading: asyncio.Future[None],
        progress: LoadProgress,
        notices: Sequence[str],
        model: str,
        *,
        ask: bool,
    ) -> None:
        """Report how the load of ``model`` ended, unless another load has begun since."""
        await asyncio.wait([loading])
        if self.progress is not progress:
            return
        self.progress = None
        error = None if loading.cancelled() else loading.exception()
        if isinstance(error, CopilotServerError):
            self._failed_s = time.monotonic()
            self._listener.failed(error)
            if isinstance(error, EngineUnavailableError):
                self._reconnect_later()
            elif isinstance(error, ConsentError) and progress.cancelled.done():
                self._consent.decline(model)
            elif isinstance(error, ConsentError):
                self._consent.ask(model, error.question, again=ask)
        else:
            self._reconnect_s = MIN_RECONNECT_S
            exempt_from_collection(again=self._has_loaded)
            self._has_loaded = True
            self._listener.works()
            self.on_loaded()
            for notice in notices:
                self._listener.noticed(notice)

    def _reconnect_later(self) -> None:
        asyncio.get_running_loop().call_later(self._reconnect_s, self._reconnect, self._loaded)
        self._reconnect_s = min(2 * self._reconnect_s, MAX_RECONNECT_S)

    def _reconnect(self, settings: Settings | None) -> None:
        """Try once more, unless other settings hold since. The user notices it only if it succeeds."""
        if self.has_failed and settings is not None and settings is self._loaded and settings.enabled:
            self._begin(settings, quietly=True)
