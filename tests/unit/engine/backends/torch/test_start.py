"""From a folder to a runner that was checked, and to transformers where no way to run it is right."""

from __future__ import annotations

import gc
import logging
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from copilot_server.config import SpeedSettings
from copilot_server.engine import loader
from copilot_server.engine.backends.torch import loading, start
from copilot_server.engine.backends.torch.kernels import Kernels
from copilot_server.engine.backends.torch.kv_cache import KvCache
from copilot_server.engine.backends.torch.loading import Options
from copilot_server.engine.backends.torch.matrix import Matrix
from copilot_server.engine.backends.torch.start import start_torch_runner
from copilot_server.engine.backends.transformers import loading as transformers_loading
from copilot_server.engine.base import Engine, GenerationRequest, Prompt, Sampling
from copilot_server.engine.decoding.engine import DecodingEngine
from copilot_server.errors import EngineError, ModelError
from copilot_server.fetch import HOME_VARIABLE
from tests.support.torch_runners import CPU, greedy, make_runner, random_tokens

PROMPT = random_tokens(40)
OPTIONS = Options(kv_tokens=1024)

pytestmark = pytest.mark.slow


class Wrong(Kernels):
    """Stands for Triton's kernels, compiled to something that computes something else."""

    is_plain = False

    def norm_gate(self, x: torch.Tensor, norm: torch.Tensor, gate_up: Matrix) -> torch.Tensor:
        return super().norm_gate(x, norm, gate_up) * 1.03


class WrongAndPlain(Wrong):
    is_plain = True


@pytest.fixture
def folder(tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    return tiny_model_dir


@pytest.fixture
def references(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The number formats in which transformers was asked for a reference, in order."""
    asked: list[str] = []
    original = start.expected_from_transformers

    def noted(folder: Path, device: torch.device, dtype: str) -> object:
        asked.append(dtype)
        return original(folder, device, dtype)

    monkeypatch.setattr(start, "expected_from_transformers", noted)
    return asked


def use_kernels(monkeypatch: pytest.MonkeyPatch, kernels: type[Kernels]) -> None:
    monkeypatch.setattr(loading, "_kernels", lambda architecture, *_: kernels(architecture))


def test_what_is_right_is_compared_once(folder: Path, references: list[str]):
    for _ in range(2):
        runner = start_torch_runner(folder, CPU, "float32", OPTIONS)
        assert runner.notices == ()
        assert runner.free_tokens == 1024
        assert greedy(runner, PROMPT, 8) == greedy(make_runner(folder), PROMPT, 8)
    assert references == ["float32"]
    start_torch_runner(folder, CPU, "int8", OPTIONS)
    assert references == ["float32", "int8"]


def test_kernels_that_are_wrong_are_given_up_at_every_start(
    folder: Path, references: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    use_kernels(monkeypatch, Wrong)
    for start_number in (1, 2):
        with caplog.at_level(logging.WARNING):
            runner = start_torch_runner(folder, CPU, "float32", OPTIONS)
        assert greedy(runner, PROMPT, 8) == greedy(make_runner(folder), PROMPT, 8)
        [notice] = runner.notices
        assert "without Triton's kernels" in notice
        assert "differ from transformers'" in notice
        assert [record.message for record in caplog.records] == [notice] * start_number
    assert references == ["float32"]


def test_where_transformers_has_no_room_nothing_is_compared(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def without_room(*_: object) -> None:
        msg = "CUDA out of memory."
        raise torch.OutOfMemoryError(msg)

    monkeypatch.setattr(start, "expected_from_transformers", without_room)
    use_kernels(monkeypatch, Wrong)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert start_torch_runner(folder, CPU, "float32", OPTIONS).notices == ()
    [record] = caplog.records
    assert "cannot be compared" in record.message
    assert "out of memory" in record.message


def test_a_way_that_was_not_compared_yet_is(
    folder: Path, references: list[str], monkeypatch: pytest.MonkeyPatch
):
    """As when a C compiler is installed after the first start."""
    start_torch_runner(folder, CPU, "float32", OPTIONS)
    use_kernels(monkeypatch, Wrong)
    [notice] = start_torch_runner(folder, CPU, "float32", OPTIONS).notices
    assert "without Triton's kernels" in notice
    assert references == ["float32", "float32"]


def test_a_damaged_model_is_an_error_of_its_own(folder: Path, tmp_path: Path):
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    (tmp_path / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    with pytest.raises(ModelError, match="safetensors"):
        start_torch_runner(tmp_path, CPU, "float32", OPTIONS)


# --- to the end of the chain


def text_of(engine: Engine) -> str:
    request = GenerationRequest(Prompt(("def area(width, height):\n",)), sampling=Sampling(max_new_tokens=12))
    return engine.generate(request, threading.Event())[0].text


def load(folder: Path, monkeypatch: pytest.MonkeyPatch, dtype: str = "float32") -> Engine:
    """Load as on a GPU, with the CPU in its place."""
    monkeypatch.setattr(loader, "_fast_engine", lambda wanted: loader._torch_engine(wanted, CPU))
    return loader.load_engine(folder, device="cpu", dtype=dtype)


def out_of_memory(*_: object, **__: object) -> None:
    msg = "CUDA out of memory. Tried to allocate 2.00 GiB."
    raise torch.OutOfMemoryError(msg)


def illegal_access(*_: object, **__: object) -> None:
    msg = "CUDA error: an illegal memory access was encountered"
    raise RuntimeError(msg)


@pytest.mark.parametrize(
    ("breaks", "cause"),
    [
        (lambda patch: patch.setattr(KvCache, "__init__", out_of_memory), "does not fit"),
        (lambda patch: patch.setattr(Kernels, "norm_gate", out_of_memory), "ran out"),
        (lambda patch: patch.setattr(Kernels, "norm_gate", illegal_access), "illegal memory access"),
        (lambda patch: use_kernels(patch, WrongAndPlain), "differ from transformers'"),
    ],
    ids=["no room for the KV cache", "no room for a step", "a broken driver", "wrong tokens"],
)
def test_where_no_way_works_transformers_serves(  # noqa: PLR0917 - fixtures
    breaks: Callable[[pytest.MonkeyPatch], None],
    cause: str,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    working = load(folder, monkeypatch)
    assert isinstance(working, DecodingEngine)
    assert working.notices == ()
    expected = text_of(working)
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "another"))  # where no verdict is remembered
    breaks(monkeypatch)
    with caplog.at_level(logging.WARNING):
        engine = load(folder, monkeypatch)
    assert text_of(engine) == expected
    [notice] = engine.notices
    assert "with transformers" in notice
    assert cause in notice
    assert caplog.records[-1].message == notice


def test_what_failed_is_in_memory_no_more_when_transformers_loads(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    made: list[weakref.ref[KvCache]] = []
    at_load: list[int] = []
    make, open_runner = KvCache.__init__, transformers_loading.open_transformers_runner

    def watched(self: KvCache, *arguments: object, **named: object) -> None:
        make(self, *arguments, **named)  # type: ignore[arg-type]
        made.append(weakref.ref(self))

    def counted(*arguments: object) -> object:
        at_load.append(sum(one() is not None for one in made))
        return open_runner(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(KvCache, "__init__", watched)
    monkeypatch.setattr(transformers_loading, "open_transformers_runner", counted)
    kept = load(folder, monkeypatch)
    assert [one() is not None for one in made] == [True]  # the twin: what serves is in memory
    monkeypatch.setattr(Kernels, "norm_gate", illegal_access)
    load(folder, monkeypatch)
    assert len(made) == 2
    assert at_load == [1]
    kept.close()
    gc.collect()
    assert [one() for one in made] == [None, None]


def test_a_quantized_model_that_fails_is_served_in_sixteen_bits(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Kernels, "norm_gate", illegal_access)
    engine = load(folder, monkeypatch, "int4")
    [notice] = engine.notices
    assert "not in int4" in notice
    assert engine.dtype in ("bfloat16", "float32")


def test_the_settings_can_avoid_the_attempt(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Kernels, "norm_gate", illegal_access)
    speed = SpeedSettings(fast=False)
    assert loader.load_engine(folder, device="cpu", dtype="float32", speed=speed).notices == ()


def test_a_failure_that_cannot_be_helped_names_a_remedy(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Kernels, "norm_gate", illegal_access)
    with pytest.raises(EngineError, match="does not run on cpu") as caught:
        start_torch_runner(folder, CPU, "float32", OPTIONS)
    assert "speed.fast" in caught.value.remedy
