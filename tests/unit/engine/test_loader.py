"""Which engine serves a model: the fastest that can, and always one that works."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from copilot_server.config import SpeedSettings
from copilot_server.engine.backends.cpu import library
from copilot_server.engine.backends.cpu.runner import CpuRunner
from copilot_server.engine.backends.transformers.engine import TorchEngine
from copilot_server.engine.decoding.engine import DecodingEngine
from copilot_server.engine.loader import load_engine
from copilot_server.errors import EngineError
from tests.support.tiny_models import build_tiny_model


@pytest.mark.parametrize(
    ("dtype", "served"), [("auto", "int8"), ("float32", "float32"), ("bfloat16", "bfloat16")]
)
def test_a_model_that_the_kernels_know_is_served_by_them(dtype: str, served: str, tiny_model_dir: Path):
    engine = load_engine(tiny_model_dir, device="cpu", dtype=dtype)
    assert isinstance(engine, DecodingEngine)
    assert isinstance(engine.runner, CpuRunner)
    assert (engine.device, engine.dtype) == ("cpu", served)


def test_the_number_of_threads_is_what_the_settings_say(tiny_model_dir: Path):
    engine = load_engine(tiny_model_dir, device="cpu", speed=SpeedSettings(threads=3))
    assert isinstance(engine, DecodingEngine)
    assert isinstance(engine.runner, CpuRunner)
    assert engine.runner.threads == 3


def test_any_other_model_is_served_by_transformers(tmp_path: Path):
    assert isinstance(load_engine(build_tiny_model("gpt2", tmp_path), device="cpu"), TorchEngine)


def test_the_kernels_can_be_switched_off(tiny_model_dir: Path):
    engine = load_engine(tiny_model_dir, device="cpu", dtype="float32", speed=SpeedSettings(fast=False))
    assert isinstance(engine, TorchEngine)


def test_without_compiled_kernels_transformers_serves_and_the_log_says_why(
    tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    library.load_library.cache_clear()
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(library, "EXTENSION_SUFFIXES", [".none"])
        engine = load_engine(tiny_model_dir, device="cpu")
    library.load_library.cache_clear()
    assert isinstance(engine, TorchEngine)
    assert "C compiler" in caplog.text
    [notice] = engine.notices
    assert notice in caplog.text
    assert load_engine(tiny_model_dir, device="cpu").notices == ()


@pytest.mark.parametrize(("dtype", "speed"), [("int4", SpeedSettings()), ("int8", SpeedSettings(fast=False))])
def test_a_format_that_is_not_to_be_had_here_is_an_error_with_a_remedy(
    dtype: str, speed: SpeedSettings, tiny_model_dir: Path
):
    with pytest.raises(EngineError, match=dtype) as caught:
        load_engine(tiny_model_dir, device="cpu", dtype=dtype, speed=speed)
    assert "--dtype auto" in (caught.value.remedy or "")
