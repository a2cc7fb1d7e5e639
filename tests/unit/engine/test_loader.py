"""Which engine serves a model: the fastest that can, and always one that works."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from copilot_server.config import SpeedSettings
from copilot_server.engine.backends.cpu import library
from copilot_server.engine.backends.cpu.runner import CpuRunner
from copilot_server.engine.backends.transformers.runner import TransformersRunner
from copilot_server.engine.decoding.engine import DecodingEngine
from copilot_server.engine.loader import load_engine
from copilot_server.engine.models.gguf import unpacked_folder
from copilot_server.errors import EngineError
from tests.support.kernels import available_instruction_sets, use_instruction_set
from tests.support.tiny_gguf import MIXED, build_tiny_gguf
from tests.support.tiny_models import build_tiny_model


@pytest.mark.parametrize(
    ("dtype", "served"), [("auto", "int8"), ("float32", "float32"), ("bfloat16", "bfloat16")]
)
def test_a_model_that_the_kernels_know_is_served_by_them(dtype: str, served: str, tiny_model_dir: Path):
    engine = load_engine(tiny_model_dir, device="cpu", dtype=dtype)
    assert isinstance(engine, DecodingEngine)
    assert isinstance(engine.runner, CpuRunner)
    assert (engine.device, engine.dtype) == ("cpu", served)


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_gguf(tmp_path_factory.mktemp("gguf") / "mixed.gguf", MIXED)


@pytest.mark.parametrize("isa", available_instruction_sets())
def test_a_gguf_file_is_served_without_unpacking_it(isa: str, gguf: Path):
    fastest = {"avx2": "gguf", "avx512bw": "gguf", "avxvnni": "gguf"}.get(isa, "int8")
    for dtype, served in (("auto", fastest), ("int8", "int8"), ("gguf", "gguf")):
        with use_instruction_set(isa):
            engine = load_engine(gguf, device="cpu", dtype=dtype)
        assert isinstance(engine, DecodingEngine)
        assert isinstance(engine.runner, CpuRunner)
        assert engine.dtype == served
    assert not unpacked_folder(gguf).exists()


def test_other_formats_of_a_gguf_file_are_unpacked_by_transformers(gguf: Path):
    assert load_engine(gguf, device="cpu", dtype="float32").dtype == "float32"
    assert unpacked_folder(gguf).is_dir()


def test_the_number_of_threads_is_what_the_settings_say(tiny_model_dir: Path):
    engine = load_engine(tiny_model_dir, device="cpu", speed=SpeedSettings(threads=3))
    assert isinstance(engine, DecodingEngine)
    assert isinstance(engine.runner, CpuRunner)
    assert engine.runner.threads == 3


def test_any_other_model_is_served_by_transformers(tmp_path: Path):
    engine = load_engine(build_tiny_model("gpt2", tmp_path), device="cpu")
    assert isinstance(engine, DecodingEngine)
    assert isinstance(engine.runner, TransformersRunner)


def test_the_kernels_can_be_switched_off(tiny_model_dir: Path):
    engine = load_engine(tiny_model_dir, device="cpu", dtype="float32", speed=SpeedSettings(fast=False))
    assert isinstance(engine, DecodingEngine)
    assert isinstance(engine.runner, TransformersRunner)


def test_without_compiled_kernels_transformers_serves_and_the_log_says_why(
    tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    library.load_library.cache_clear()
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(library, "FILE", "_none.so")
        engine = load_engine(tiny_model_dir, device="cpu")
    library.load_library.cache_clear()
    assert isinstance(engine, DecodingEngine)
    assert isinstance(engine.runner, TransformersRunner)
    assert "C compiler" in caplog.text
    [notice] = engine.notices
    assert notice in caplog.text
    assert load_engine(tiny_model_dir, device="cpu").notices == ()


@pytest.mark.parametrize(
    ("dtype", "speed"),
    [("int4", SpeedSettings()), ("gguf", SpeedSettings()), ("int8", SpeedSettings(fast=False))],
)
def test_a_format_that_is_not_to_be_had_here_is_an_error_with_a_remedy(
    dtype: str, speed: SpeedSettings, tiny_model_dir: Path
):
    with pytest.raises(EngineError, match=dtype) as caught:
        load_engine(tiny_model_dir, device="cpu", dtype=dtype, speed=speed)
    assert "--dtype auto" in (caught.value.remedy or "")
