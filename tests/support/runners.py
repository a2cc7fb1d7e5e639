"""The runners that the decoding loop is tested on, each computing in float32, where equalities are exact."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch

from copilot_server.engine.backends.cpu.runner import CpuRunner
from copilot_server.engine.backends.cpu.weights import Weights, open_weights
from copilot_server.engine.backends.torch.loading import Options, open_torch_runner
from copilot_server.engine.backends.transformers.loading import open_transformers_runner
from copilot_server.engine.models.architecture import read_architecture
from copilot_server.engine.runner import Runner
from tests.support.reference_runner import ReferenceRunner


def _cpu(folder: Path) -> Runner:
    return CpuRunner(_weights(folder), threads=1, cache_tokens=65536, max_sequences=64)


def _torch(folder: Path) -> Runner:
    return open_torch_runner(folder, torch.device("cpu"), "float32", Options(kv_tokens=65536))


def _transformers(folder: Path) -> Runner:
    return open_transformers_runner(folder, torch.device("cpu"), torch.float32)[0]


@cache
def _weights(folder: Path) -> Weights:
    architecture = read_architecture(folder)
    assert architecture is not None
    return open_weights(folder, architecture, "float32")


#: By name: functions from a folder with a Llama-like model to a runner.
RUNNERS: dict[str, Callable[[Path], Runner]] = {
    "cpu": _cpu,
    "reference": ReferenceRunner,
    "torch": _torch,
    "transformers": _transformers,
}
