"""The comparison with transformers at the first start, and what is remembered of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from copilot_server.engine.backends.torch.first_start import (
    LIMITS,
    TOKENS,
    Deviation,
    Expected,
    Limit,
    Verdicts,
    expected_from_transformers,
    measure_deviation,
)
from copilot_server.engine.backends.torch.kernels import Kernels
from copilot_server.engine.backends.torch.loading import Options, open_torch_runner
from copilot_server.engine.backends.torch.matrix import Matrix
from copilot_server.engine.models.architecture import Architecture
from copilot_server.fetch import HOME_VARIABLE
from tests.support.tiny_models import build_tiny_model
from tests.support.torch_runners import CPU, greedy, make_runner

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model("qwen2", tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def expected(folder: Path) -> Expected:
    return expected_from_transformers(folder, CPU, "float32")


class Scaled(Kernels):
    """Multiplies the gated activations by ``factor``."""

    factor = 1.0

    def norm_gate(self, x: torch.Tensor, norm: torch.Tensor, gate_up: Matrix) -> torch.Tensor:
        return super().norm_gate(x, norm, gate_up) * self.factor


class OneHead(Kernels):
    """Leaves the last query head out, as a kernel does whose grid is one program too small."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        self._dim = architecture.head_dim

    def multiply_add(self, x: torch.Tensor, matrix: Matrix, residual: torch.Tensor) -> torch.Tensor:
        if matrix.inputs == 4 * self._dim:
            x = x.clone()
            x[:, -self._dim :] = 0
        return super().multiply_add(x, matrix, residual)


def test_the_reference_is_what_a_runner_writes(folder: Path, expected: Expected):
    assert expected.logprobs.shape[0] == len(expected.token_ids) == TOKENS
    assert list(expected.token_ids) == greedy(make_runner(folder), expected.prompt_ids, TOKENS)
    assert not measure_deviation(make_runner(folder), expected).exceeds(LIMITS[torch.float32])


@pytest.mark.parametrize("kernels", [type("Wrong", (Scaled,), {"factor": 1.03}), OneHead])
def test_kernels_that_compute_something_else_exceed_the_limit(
    folder: Path, expected: Expected, kernels: type[Kernels]
):
    assert measure_deviation(make_runner(folder, kernels=kernels), expected).exceeds(LIMITS[torch.float32])


def test_kernels_that_compute_nothing_exceed_every_limit(folder: Path, expected: Expected):
    broken = type("Broken", (Scaled,), {"factor": float("nan")})
    assert measure_deviation(make_runner(folder, kernels=broken), expected).exceeds(LIMITS[torch.bfloat16])
    assert Deviation(float("nan"), 0.0).exceeds(Limit(1.0, 1.0))


@pytest.mark.parametrize("dtype", ["int8", "int4"])
def test_quantized_weights_are_compared_with_what_they_stand_for(folder: Path, dtype: str):
    runner = open_torch_runner(folder, CPU, dtype, Options(kv_tokens=1024))
    rounded = expected_from_transformers(folder, CPU, dtype)
    assert not measure_deviation(runner, rounded).exceeds(LIMITS[torch.float32])
    whole = expected_from_transformers(folder, CPU, "float32")
    assert measure_deviation(runner, whole).exceeds(LIMITS[torch.float32])


def test_in_sixteen_bits_rounding_stays_within_the_limit(folder: Path):
    expected = expected_from_transformers(folder, CPU, "bfloat16")
    runner = open_torch_runner(folder, CPU, "bfloat16", Options(kv_tokens=1024))
    assert not measure_deviation(runner, expected).exceeds(LIMITS[torch.bfloat16])


def test_a_verdict_is_remembered_for_one_model_and_format(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    Verdicts.of(folder, CPU, "int8").remember("plain kernels, no graphs", "wrong")
    assert Verdicts.of(folder, CPU, "int8").by_way == {"plain kernels, no graphs": "wrong"}
    assert Verdicts.of(folder, CPU, "float32").by_way == {}
    weights = folder / "model.safetensors"
    before = weights.stat()
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert Verdicts.of(folder, CPU, "int8").by_way == {}
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert Verdicts.of(folder, CPU, "int8").has("plain kernels, no graphs")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"ways": 3}'])
def test_a_memory_that_cannot_be_read_is_none(
    text: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    verdicts = Verdicts.of(folder, CPU, "int8")
    verdicts.remember("any", "")
    verdicts.path.write_text(text)
    assert Verdicts.of(folder, CPU, "int8").by_way == {}
