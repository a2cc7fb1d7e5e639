"""Sessions that load the same share one engine, for as long as one of them has it."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest

from copilot_server.completion.engine_pool import EnginePool
from copilot_server.completion.pipeline import OnError, open_engine
from copilot_server.config import CompletionSettings, Settings, SpeedSettings
from copilot_server.engine.base import Engine
from copilot_server.errors import EngineChangedError, EngineError, EngineUnavailableError


@pytest.fixture
def settings(tiny_model_dir: Path) -> Settings:
    return Settings(model=str(tiny_model_dir), device="cpu", dtype="float32", speed=SpeedSettings(fast=False))


class Opened:
    """Opens real engines, of which each can fail on command, and counts them."""

    def __init__(self) -> None:
        self.count = 0
        self.reports: list[OnError] = []
        self.engine: weakref.ref[Any]

    def __call__(self, settings: Settings, _progress: object) -> tuple[Any, Any]:
        self.count += 1
        engine, manifest = open_engine(settings)
        failing = Failing(engine, self.reports)
        self.engine = weakref.ref(failing)
        return failing, manifest


class Failing:
    """A real engine that reports what the test has it report."""

    def __init__(self, engine: Engine, reports: list[OnError]) -> None:
        self._engine, self._reports = engine, reports
        self.closings = 0

    def watch(self, on_error: OnError) -> None:
        self._reports.append(on_error)

    def close(self) -> None:
        self.closings += 1
        self._engine.close()

    def __getattr__(self, name: str) -> object:
        return getattr(self._engine, name)


def test_what_loads_the_same_has_one_engine_and_settings_of_its_own(settings: Settings):
    opened = Opened()
    pool = EnginePool(opened)
    few = Settings(**{**_fields(settings), "completion": CompletionSettings(max_new_tokens=7)})
    one, other = pool.open_pipeline(settings), pool.open_pipeline(few)
    assert one.engine is other.engine
    assert opened.count == 1
    different = Settings(**{**_fields(settings), "dtype": "auto"})
    assert pool.open_pipeline(different).engine is not one.engine
    assert opened.count == 2


def test_an_engine_is_gone_with_the_last_pipeline(settings: Settings):
    opened = Opened()
    pool = EnginePool(opened)
    one, other = pool.open_pipeline(settings), pool.open_pipeline(settings)
    del one
    gc.collect()
    assert opened.engine() is other.engine
    del other
    gc.collect()
    assert opened.engine() is None
    assert pool.open_pipeline(settings) is not None
    assert opened.count == 2


def test_an_engine_is_closed_with_the_last_pipeline_and_no_sooner(settings: Settings):
    pool = EnginePool(Opened())
    one, other = pool.open_pipeline(settings), pool.open_pipeline(settings)
    engine: Any = one.engine
    del one
    gc.collect()
    assert engine.closings == 0
    del other
    gc.collect()
    assert engine.closings == 1


def test_every_session_hears_of_a_failure_and_a_late_one_hears_of_it_too(settings: Settings):
    opened = Opened()
    pool = EnginePool(opened)
    heard: dict[str, list[EngineError | None]] = {"one": [], "other": [], "late": []}
    pipelines = {name: pool.open_pipeline(settings) for name in heard}
    pipelines["one"].watch(heard["one"].append)
    pipelines["other"].watch(heard["other"].append)
    down = EngineUnavailableError("It is down.")
    (report,) = opened.reports
    report(down)
    pipelines["late"].watch(heard["late"].append)
    del pipelines["other"]
    gc.collect()
    report(None)
    assert heard == {"one": [down, None], "other": [down], "late": [down, None]}


def test_an_engine_that_serves_another_model_now_is_opened_anew(settings: Settings):
    opened = Opened()
    pool = EnginePool(opened)
    before = pool.open_pipeline(settings)
    opened.reports[0](EngineUnavailableError("It is down."))
    assert pool.open_pipeline(settings).engine is before.engine
    opened.reports[0](EngineChangedError("Another model."))
    assert pool.open_pipeline(settings).engine is not before.engine


def _fields(settings: Settings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in ("model", "device", "dtype", "speed")}
