"""The model that the settings ask for: loading it, telling how that goes, and trying again."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from copilot_server.completion.scheduling.scheduler import Pipeline
from copilot_server.config import Settings
from copilot_server.errors import CopilotServerError, EngineUnavailableError
from copilot_server.fetch.progress import Progress
from copilot_server.lsp.progress import LoadProgress, report_loading

if TYPE_CHECKING:
    from copilot_server.lsp.server import CopilotServer

#: How long after a load that failed a key starts another, in seconds: what was missing may be there by then.
RETRY_S = 60.0
#: How long after an engine elsewhere was not to be reached it is tried again by itself, in seconds: at first,
#: and at the most, being twice as long each time.
SOONEST_S, LATEST_S = 1.0, 15.0

OpenPipeline = Callable[[Settings, Progress], Pipeline]


class ModelLoader:
    """Has the scheduler serve the model of the current settings."""

    def __init__(self, server: CopilotServer, open_pipeline: OpenPipeline) -> None:
        self._server = server
        self._open_pipeline = open_pipeline
        self._loaded: Settings | None = None
        self._failed_s = 0.0
        self._retry_s = SOONEST_S
        #: How far a load under way has come.
        self.progress: LoadProgress | None = None

    @property
    def has_failed(self) -> bool:
        """Whether there is no model, and none on its way."""
        return self.progress is None and self._server.scheduler.failure is not None

    def load(self, *, again: bool = False) -> None:
        """Load the model that the settings ask for, unless it is loaded or loading, or suggestions are off.

        One that could not be loaded is tried again after a while; at once, if ``again``.
        """
        settings, before = self._server.settings.current, self._loaded
        if self.has_failed and (again or time.monotonic() - self._failed_s > RETRY_S):
            before = None
        if not settings.enabled or settings == before:
            return
        self._loaded = settings
        if before is None or before.loading != settings.loading:
            self._begin(settings)
        elif before.completion != settings.completion:
            self._server.scheduler.configure(settings.completion)

    def load_anew(self) -> None:
        """Load the model though it is loaded: it is another one now."""
        self._loaded = None
        self.load()

    def _begin(self, settings: Settings, *, quietly: bool = False) -> None:
        title = f"Connecting to {settings.engine_hosts}" if settings.engine else f"Loading {settings.model}"
        self.progress = progress = LoadProgress(title, quiet=quietly)
        progress.on_change.append(self._server.report_status)
        loading = self._server.scheduler.load(partial(self._open_pipeline, settings, progress))
        if not quietly:
            self._server.in_background(report_loading(self._server, loading, title, progress))
        self._server.in_background(self._follow(loading, progress))
        self._server.report_status()

    async def _follow(self, loading: asyncio.Future[None], progress: LoadProgress) -> None:
        """Tell how loading ended, unless another load has begun since."""
        await asyncio.wait([loading])
        if self.progress is not progress:
            return
        self.progress = None
        error = None if loading.cancelled() else loading.exception()
        if isinstance(error, CopilotServerError):
            self._failed_s = time.monotonic()
            self._server.failed(error)
            if isinstance(error, EngineUnavailableError):
                self._retry_later()
        else:
            self._retry_s = SOONEST_S
            # What a model is made of stays: looking through it for garbage would hold up keys for nothing.
            gc.unfreeze()
            gc.collect()
            gc.freeze()
            self._server.works()

    def _retry_later(self) -> None:
        asyncio.get_running_loop().call_later(self._retry_s, self._retry, self._loaded)
        self._retry_s = min(2 * self._retry_s, LATEST_S)

    def _retry(self, settings: Settings | None) -> None:
        """Try once more, unnoticed unless it succeeds, if nothing else has been asked for since."""
        if self.has_failed and settings is not None and settings is self._loaded and settings.enabled:
            self._begin(settings, quietly=True)
