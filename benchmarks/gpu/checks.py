"""The checks before anything is timed: every way of computing gives the same tokens."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from benchmarks.gpu.setup import GREEDY, Bench, shape_of, token_ids
from copilot_server.engine.backends.torch.decoder import Decoder
from copilot_server.engine.backends.torch.kernels import Kernels
from copilot_server.engine.backends.torch.loading import Options, make_torch_runner
from copilot_server.engine.backends.torch.runner import TorchRunner
from copilot_server.engine.backends.torch.weights import random_source
from copilot_server.engine.runner import Choice, Chunk, Drawn

#: How far log-probabilities may be from those computed in float32 on the CPU, with the same weights in the
#: same format but for bfloat16's.
LIMITS = {"float32": 1e-3, "bfloat16": 0.2, "int8": 0.2, "int4": 0.5}

#: The share of the tokens drawn in float32 that may differ: two can be equally likely.
MOST_DIFFERENT = 0.02

#: How far a product may be from plain PyTorch's on the same matrix, by the norm of the difference.
PRODUCT_LIMIT = 0.02

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Scenario:
    """What is compared: on the random model ``shape``, after prompts of these lengths, in tokens."""

    shape: str
    prompts: tuple[int, ...]
    rounds: int


#: Long prompts among short ones, and every width of a step.
FULL = Scenario("tiny", (1, 5, 40, 300, 450), rounds=6)

#: Enough for every kernel, and little enough for Triton's interpreter to do in a minute.
INTERPRETED = Scenario("mini", (1, 5, 20, 40, 70), rounds=2)


def check(bench: Bench, scenario: Scenario = FULL) -> bool:
    """Run every way, print what was compared, and return whether all checks passed."""
    source = random_source(shape_of(scenario.shape), device=CPU)
    passed = True
    for dtype in dict.fromkeys(("float32", bench.dtype, "int8", "int4")):
        plain = "float32" if dtype == "bfloat16" else dtype
        options = Options(cuda_graphs=False, triton=False)
        reference = make_torch_runner(source, shape_of(scenario.shape), CPU, plain, options)
        expected = play(reference, scenario)
        for way in _ways(bench.device):
            runner = bench.make(scenario.shape, source, dtype=dtype, options=way)
            passed &= _check_scenario(expected, play(runner, scenario), way, dtype)
            passed &= check_products(bench, runner)
    bench.figures["checks_passed"] = passed
    return passed


def _check_scenario(expected: Sequence[Drawn], drawn: Sequence[Drawn], way: Options, dtype: str) -> bool:
    alike, worst = compare(expected, drawn)
    fine = worst < LIMITS[dtype] and (dtype != "float32" or alike >= 1 - MOST_DIFFERENT)
    print(f"check {dtype:<8} graphs {way.cuda_graphs!s:<5} triton {way.triton!s:<5} ", end="")
    print(f"{alike:>6.1%} of tokens alike, log-probabilities within {worst:.5f}: {_verdict(fine)}")
    return fine


def _ways(device: torch.device) -> list[Options]:
    """Graphs and Triton's kernels off and on, as far as they are available."""
    gpu = device.type == "cuda"
    graphs = (False, True) if gpu else (False,)
    triton = (False, True) if gpu or os.environ.get("TRITON_INTERPRET") == "1" else (False,)
    return [Options(cuda_graphs=one, triton=other) for one in graphs for other in triton]


def play(runner: TorchRunner, scenario: Scenario) -> list[Drawn]:
    """What a runner draws in steps of every kind, after tokens that are the same for every runner."""
    shape = runner.decoder.architecture
    sequences = [runner.open() for _ in scenario.prompts]
    prompts = [token_ids(length, shape) for length in scenario.prompts]
    drawn = runner.step([Chunk(s, ids, (GREEDY,)) for s, ids in zip(sequences, prompts, strict=True)])
    sequences.append(runner.fork(sequences[3], scenario.prompts[3] - 10))
    for step in range(scenario.rounds):
        ids = token_ids(20, shape, seed=step)
        last = Choice(temperature=0.8, top_p=0.9, uniform=0.4) if step > scenario.rounds // 2 else GREEDY
        widths = (1, 1, 1, 1, 1, 1) if step % 2 else (4, 1, 3, 8, 1, 16)
        pieces = zip(sequences, widths, strict=True)
        drawn += runner.step([Chunk(s, ids[:w], [GREEDY] * (w - 1) + [last]) for s, w in pieces])
        drawn += runner.step([Chunk(sequences[-1], ids[:1], (last,))])
    return [one for row in drawn for one in row]


def compare(expected: Sequence[Drawn], drawn: Sequence[Drawn]) -> tuple[float, float]:
    """The share of tokens that are alike, and the largest difference of their log-probabilities."""
    pairs = [(a, b) for a, b in zip(expected, drawn, strict=True) if a.token_id == b.token_id]
    worst = max((abs(a.logprob - b.logprob) for a, b in pairs), default=float("inf"))
    return len(pairs) / len(expected), worst


def check_products(bench: Bench, runner: TorchRunner) -> bool:
    """The products of a layer by the runner's kernels, against plain PyTorch on the same matrices."""
    decoder, shape = runner.decoder, runner.decoder.architecture
    worst = 0.0
    for tokens in (1, 3, 16, 50, 200):
        x = torch.randn(tokens, shape.hidden, device=bench.device, dtype=decoder.dtype)
        gated = torch.randn(tokens, shape.intermediate, device=bench.device, dtype=decoder.dtype)
        ours, plain = (_products(k, decoder, x, gated) for k in (decoder.kernels, Kernels(shape)))
        errors = [float((a - b).norm() / b.norm()) for a, b in zip(ours, plain, strict=True)]
        worst = max(worst, *errors)
    fine = worst < PRODUCT_LIMIT
    kernels = type(decoder.kernels).__name__
    print(f"check {runner.dtype:<8} products by {kernels}, within {worst:.5f}: {_verdict(fine)}")
    return fine


def _products(kernels: Kernels, decoder: Decoder, x: torch.Tensor, gated: torch.Tensor) -> list[torch.Tensor]:
    layer = decoder.weights.layers[0]
    return [
        kernels.norm_multiply(x, layer.attention_norm, layer.qkv),
        kernels.norm_gate(x, layer.mlp_norm, layer.gate_up),
        kernels.multiply_add(gated, layer.down, x),
    ]


def _verdict(fine: bool) -> str:  # noqa: FBT001 - what is judged
    return "ok" if fine else "FAILED"
