"""Quantized weights are near the originals, and are multiplied as what they stand for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from copilot_server.engine.backends.torch.loading import Options, open_torch_runner
from copilot_server.engine.backends.torch.matrix import DenseMatrix
from copilot_server.engine.backends.torch.quantize import to_int4, to_int8
from copilot_server.engine.runner import Chunk
from tests.support.torch_runners import CPU, GREEDY, make_runner, random_tokens


@pytest.fixture(scope="module")
def folder(tiny_model_dir: Path) -> Path:
    return tiny_model_dir


# --- quantized weights


def test_quantized_weights_are_near_the_originals():
    torch.manual_seed(0)
    matrix = DenseMatrix(torch.randn(300, 256), torch.randn(300))
    for convert, error, size in ((to_int8, 0.01, 0.26), (to_int4, 0.1, 0.2)):
        quantized = convert(matrix)
        dense = quantized.dense(0, 300, torch.float32)  # type: ignore[attr-defined]
        assert (dense - matrix.weight).norm() < error * matrix.weight.norm()
        assert quantized.nbytes < size * matrix.nbytes
        x = torch.randn(5, 256)
        expected = x @ dense.T + matrix.bias
        torch.testing.assert_close(quantized.multiply(x), expected)


def test_int4_needs_inputs_that_divide_into_groups():
    assert type(to_int4(DenseMatrix(torch.randn(8, 192)))).__name__ == "Int8Matrix"
    assert type(to_int4(DenseMatrix(torch.randn(8, 128)))).__name__ == "Int4Matrix"


def test_narrowing_a_groups_range_pays(monkeypatch: pytest.MonkeyPatch):
    """Choosing among ranges is better than taking the widest, or it would be needless."""
    torch.manual_seed(0)
    matrix = DenseMatrix(torch.randn(64, 512))

    def error() -> float:
        dense = to_int4(matrix).dense(0, 64, torch.float32)  # type: ignore[attr-defined]
        return float((dense - matrix.weight).norm())

    searched = error()
    monkeypatch.setattr("copilot_server.engine.backends.torch.quantize.SHRINKS", (1.0,))
    assert searched < 0.97 * error()


def test_int8_gives_nearly_the_same_logprobs(folder: Path):
    ids = random_tokens(60)
    plain = make_runner(folder)
    rounded = open_torch_runner(folder, CPU, "int8", Options(kv_tokens=1024))
    [expected] = plain.step([Chunk(plain.open(), ids, GREEDY * 60)])
    [drawn] = rounded.step([Chunk(rounded.open(), ids, GREEDY * 60)])
    same = [
        abs(a.logprob - b.logprob) for a, b in zip(drawn, expected, strict=True) if a.token_id == b.token_id
    ]
    assert len(same) > 50
    assert np.mean(same) < 0.1
