"""Engines that the sessions of one process share."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable

from copilot_server.catalog import Manifest, resolve
from copilot_server.completion.pipeline import OnError, Pipeline, open_engine
from copilot_server.config import Settings
from copilot_server.engine.base import Engine, WatchedEngine
from copilot_server.engine.model_choice.auto import with_model
from copilot_server.errors import EngineChangedError, EngineError, FetchCancelledError
from copilot_server.fetch import is_here
from copilot_server.fetch.consent import consent_error
from copilot_server.fetch.progress import Progress

OpenEngine = Callable[[Settings, Progress | None], tuple[Engine, Manifest]]


def open_with_consent(settings: Settings, progress: Progress | None = None) -> tuple[Engine, Manifest]:
    """Open the engine as ``open_engine`` does, but fetch a model only with ``fetch = "always"``.

    Raises:
        ConsentError: the model is not on this machine, or the user has ended the fetching.
        ModelError, EngineError, ConfigError: as ``open_engine``.
    """
    if settings.engine or settings.offline:
        return open_engine(settings, progress)
    ref = resolve(settings.model)
    try:
        if settings.fetch == "ask" and not is_here(ref, progress):
            raise consent_error(ref.manifest)
        return open_engine(settings, progress)
    except FetchCancelledError as error:
        raise consent_error(ref.manifest) from error


class EnginePool:
    """Opens pipelines, which share an engine if their settings load the same one.

    An engine is closed when the last pipeline that uses it is gone. Sessions whose settings name different
    models have them in memory side by side. It is for the engine thread only.
    """

    def __init__(self, open_engine: OpenEngine = open_with_consent) -> None:
        self._open_engine = open_engine
        self._engines: list[tuple[tuple[object, ...], weakref.ref[_SharedEngine]]] = []

    def open_pipeline(self, settings: Settings, progress: Progress | None = None) -> Pipeline:
        """Return a pipeline with settings and a cache of its own, on an engine that others may use too.

        Raises:
            ModelError, EngineError, ConfigError: as ``open_with_consent``.
        """
        settings, choice = with_model(settings, progress, may_be_absent=not settings.offline)
        shared = self._find(settings)
        if shared is None:
            engine, manifest = self._open_engine(settings, progress)
            shared = _SharedEngine(engine, manifest)
            # The operating system frees the memory of a process that ends, which need not wait for it.
            weakref.finalize(shared, engine.close).atexit = False
            self._engines.append((settings.loading, weakref.ref(shared)))
        return Pipeline(
            shared.engine,
            shared.manifest,
            settings.completion,
            prefetch=settings.speed.ahead,
            choice=choice,
            watch=shared.watch,  # the bound method keeps the shared engine as long as the pipeline
        )

    def _find(self, settings: Settings) -> _SharedEngine | None:
        usable = [
            (loading, shared)
            for loading, ref in self._engines
            if (shared := ref()) is not None and not shared.has_changed
        ]
        self._engines = [(loading, weakref.ref(shared)) for loading, shared in usable]
        return next((shared for loading, shared in usable if loading == settings.loading), None)


class _SharedEngine:
    """An engine, and the callbacks that are called when it fails."""

    def __init__(self, engine: Engine, manifest: Manifest) -> None:
        self.engine = engine
        self.manifest = manifest
        #: Whether it now serves a different model than the manifest says.
        self.has_changed = False
        self._lock = threading.Lock()
        self._error: EngineError | None = None
        # Only its pipeline holds a callback strongly, so the two are freed together.
        self._watchers: list[weakref.ref[OnError]] = []
        if isinstance(engine, WatchedEngine):
            # Weakly, or the engine would keep itself alive.
            engine.watch(_forwarding(weakref.WeakMethod(self._report)))

    def watch(self, on_error: OnError) -> None:
        """Have ``on_error`` called too, as long as its pipeline lives, and now if the engine has failed."""
        with self._lock:
            self._watchers.append(weakref.ref(on_error))
            error = self._error
        if error is not None:
            on_error(error)

    def _report(self, error: EngineError | None) -> None:
        with self._lock:
            self._error = error
            self.has_changed = self.has_changed or isinstance(error, EngineChangedError)
            callbacks = [on_error for ref in self._watchers if (on_error := ref()) is not None]
            self._watchers = [weakref.ref(on_error) for on_error in callbacks]
        for on_error in callbacks:
            on_error(error)


def _forwarding(report: weakref.WeakMethod[OnError]) -> OnError:
    def forward(error: EngineError | None) -> None:
        if (on_error := report()) is not None:
            on_error(error)

    return forward
