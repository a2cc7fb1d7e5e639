"""The GPU bench without a GPU: it runs to its end, and its checks can fail.

No test here measures time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.gpu import checks
from benchmarks.gpu.checks import check, check_products, compare
from benchmarks.gpu.setup import QUICK, SHAPES, Bench, shape_of
from benchmarks.gpu.shapes import prefill_flop
from copilot_server.engine.backends.torch.kernels import Kernels
from copilot_server.engine.backends.torch.matrix import Matrix
from copilot_server.engine.backends.torch.weights import load_weights, random_source
from copilot_server.engine.runner import Drawn
from copilot_server.errors import ModelError
from tests.support.paths import REPOSITORY
from tests.support.tiny_models import build_tiny_model

SCRIPT = REPOSITORY / "benchmarks" / "gpu_bench.py"
CPU = torch.device("cpu")


@pytest.fixture
def bench() -> Bench:
    return Bench(CPU, "float32", QUICK, limit_s=60, right=0.7)


def run_script(*flags: str) -> tuple[list[str], dict[str, Any]]:
    """The lines that it prints before its JSON line, and the JSON."""
    command = [sys.executable, "-W", "error", str(SCRIPT), "--quick", "--device", "cpu", *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *lines, last = done.stdout.splitlines()
    return lines, json.loads(last)


def test_a_quick_run_measures_every_part():
    lines, figures = run_script()
    assert figures["checks_passed"] is True
    row = figures["shapes"]["tiny"]["rows"][0]
    assert {"prefill_tok_s", "decode_tok_s", "prefill_share_of_matmul", "decode_share_of_copy"} <= row.keys()
    assert {"prefill_tok_s_x_transformers", "decode_tok_s_x_transformers"} <= row.keys()
    assert figures["formats"].keys() == {"float32", "int8", "int4"}
    assert {"verify_8_ms", "suggestion_plain_p50_ms"} <= figures["formats"]["int8"].keys()
    assert figures["samples"]["samples"] == QUICK.prompts * QUICK.samples
    assert figures["attention_us"]
    assert figures["machine"]["versions"]["torch"] == torch.__version__
    assert not any("FAILED" in line or "left out" in line for line in lines)


def test_a_part_without_time_says_what_it_left_out():
    lines, figures = run_script("--parts", "shapes", "formats", "--time-limit", "0")
    assert "tiny: out of time before batch 1, context 64" in lines
    assert "tiny: out of time before float32" in lines
    assert figures["shapes"]["tiny"]["rows"] == []


def test_it_measures_real_weights_too(tmp_path: Path):
    folder = str(build_tiny_model("qwen2", tmp_path))
    _, figures = run_script("--parts", "formats", "--model", folder)
    assert figures["formats"].keys() == {"float32", "int8", "int4"}
    build_tiny_model("gpt-j", tmp_path)
    with pytest.raises(ModelError, match="no fast decoder"):
        shape_of(str(tmp_path))


class Wrong(Kernels):
    """Off by three per cent in one of its operations."""

    def norm_gate(self, x: torch.Tensor, norm: torch.Tensor, gate_up: Matrix) -> torch.Tensor:
        return super().norm_gate(x, norm, gate_up) * 1.03


def test_kernels_that_compute_something_else_are_caught(bench: Bench):
    runner = bench.make("tiny")
    assert check_products(bench, runner)
    runner.decoder.kernels = Wrong(SHAPES["tiny"])
    assert not check_products(bench, runner)


def test_a_failed_check_is_reported(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert check(bench)
    assert "FAILED" not in capsys.readouterr().out
    monkeypatch.setattr(checks, "LIMITS", dict.fromkeys(checks.LIMITS, -1.0))
    assert not check(bench)
    assert bench.figures["checks_passed"] is False
    assert "FAILED" in capsys.readouterr().out


INTERPRETED = """
import sys, torch
from benchmarks.gpu import checks
from benchmarks.gpu.setup import QUICK, Bench
bench = Bench(torch.device("cpu"), "float32", QUICK, limit_s=60, right=0.7)
with torch.inference_mode():
    passed = checks.check(bench, checks.INTERPRETED)
sys.exit(0 if passed else 3)
"""


@pytest.mark.skipif(
    find_spec("triton") is None, reason="Triton is not installed, as on other platforms than Linux"
)
def test_the_checks_pass_for_tritons_kernels_in_its_interpreter():
    command = [sys.executable, "-c", INTERPRETED]
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=REPOSITORY, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("triton True") == 3
    assert done.stdout.count("products by TritonKernels") == 3
    assert "FAILED" not in done.stdout


def test_tokens_are_compared_by_id_and_log_probability():
    drawn = [Drawn(1, -0.5), Drawn(2, -1.0), Drawn(3, -2.0), Drawn(4, -3.0)]
    assert compare(drawn, drawn) == (1.0, 0.0)
    other = [Drawn(1, -0.5), Drawn(2, -1.25), Drawn(9, -9.0), Drawn(4, -3.0)]
    assert compare(drawn, other) == (0.75, 0.25)
    assert compare(drawn[:1], other[2:3]) == (0.0, float("inf"))


def test_the_arithmetic_of_a_prefill_counts_every_weight():
    shape = SHAPES["tiny"]
    weights = load_weights(random_source(shape, device=CPU), shape, device=CPU, dtype=torch.float32)
    matrices = [m for layer in weights.layers for m in (layer.qkv, layer.output, layer.gate_up, layer.down)]
    linear = 2 * sum(matrix.outputs * matrix.inputs for matrix in matrices)
    attention = 2 * 2 * shape.heads * shape.head_dim * shape.layers / 2  # half of all pairs, two products
    assert prefill_flop(shape, 100) == 100 * linear + 100**2 * attention
