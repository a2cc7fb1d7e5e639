"""How fast a GPU multiplies and reads its memory, measured without a model."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil
import torch

from copilot_server.engine.device import choose_device, choose_dtype
from copilot_server.engine.loader import QUANTIZED
from copilot_server.engine.model_choice.machine import Machine

#: The sides of the matrices that are multiplied: a prompt's tokens, and a layer's inputs and outputs.
TOKENS, INPUTS, OUTPUTS = 1024, 4096, 8192
#: What is copied, in bytes: more than any cache holds.
COPIED_BYTES = 2**28
RUNS = 5
#: The share of these speeds that decoding a whole model reaches. It is an assumption: no GPU has run it yet.
SHARE = 0.5


def name_of(device: str) -> str:
    """The device that a setting means, with the GPU's own name."""
    chosen = choose_device(device)
    return f"{chosen.type} {torch.cuda.get_device_name(chosen)}" if chosen.type == "cuda" else chosen.type


def measure_device(device: str, dtype: str) -> Machine:
    """Measure the device of a setting, for weights in ``dtype``; it takes a second or two."""
    chosen = choose_device(device)
    number = choose_dtype("auto" if dtype in QUANTIZED else dtype, chosen)
    left = torch.zeros(TOKENS, INPUTS, dtype=number, device=chosen)
    right = torch.zeros(INPUTS, OUTPUTS, dtype=number, device=chosen)
    multiply_s = _shortest_s(chosen, lambda: left @ right)
    source = torch.zeros(COPIED_BYTES, dtype=torch.uint8, device=chosen)
    target = torch.empty_like(source)
    copy_s = _shortest_s(chosen, lambda: target.copy_(source))
    return Machine(
        device=chosen.type,
        dtype=dtype if dtype in QUANTIZED else str(number).removeprefix("torch."),
        multiplications_s=SHARE * TOKENS * INPUTS * OUTPUTS / multiply_s,
        bytes_s=SHARE * 2 * COPIED_BYTES / copy_s,  # which are read and written
        memory_bytes=_memory_bytes(chosen),
    )


def _shortest_s(device: torch.device, compute: Callable[[], torch.Tensor]) -> float:
    times = []
    for _ in range(1 + RUNS):
        start_s = time.perf_counter()
        compute()
        _wait(device)
        times.append(time.perf_counter() - start_s)
    return min(times[1:])


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _memory_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return psutil.virtual_memory().total
