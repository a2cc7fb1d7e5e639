"""Compiles Triton's kernels for GPUs that are not there.

What launches the kernels runs on tensors without data, so that exactly what would be launched is compiled.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.backends.driver import DriverBase
from triton.runtime.jit import JITFunction

_USED = re.compile(r"Used (\d+) registers")
_SPILLED = re.compile(r"(\d+) bytes spill stores")


@dataclass(frozen=True, slots=True)
class Compiled:
    """One kernel for one chip: what a block of its threads takes, and what the kernel was specialized for."""

    name: str
    capability: tuple[int, int]
    shared_bytes: int
    registers: int
    spilled_bytes: int
    threads: int
    constants: dict[str, object]


class AbsentDevice(DriverBase):
    """A driver for a GPU that is not there: kernels are compiled for it and never launched."""

    def __init__(self, capability: tuple[int, int]) -> None:
        self.capability = capability

    @classmethod
    def is_active(cls) -> bool:
        return False

    def map_python_to_cpp_type(self, ty: str) -> str:
        return ty

    def get_current_target(self) -> GPUTarget:
        major, minor = self.capability
        return GPUTarget("cuda", 10 * major + minor, 32)

    def get_current_device(self) -> tuple[int, int]:
        return self.capability  # kernels are kept by device, so that each chip has its own

    def get_current_stream(self, _device: object) -> int:
        return 0

    def get_active_torch_device(self) -> None:
        return None

    def get_benchmarker(self) -> None:  # type: ignore[override]
        return None


def _described(
    metadata: Any,  # noqa: ANN401 - a named tuple that Triton makes up
    capability: tuple[int, int],
    log: str,
    constants: dict[str, object],
) -> Compiled:
    used, spilled = _USED.search(log), _SPILLED.search(log)
    assert used is not None, log
    return Compiled(
        name=metadata.name,
        capability=capability,
        shared_bytes=metadata.shared,
        registers=int(used[1]),
        spilled_bytes=0 if spilled is None else int(spilled[1]),
        threads=32 * metadata.num_warps,
        constants=constants,
    )


@contextmanager
def compiling_for(capability: tuple[int, int]) -> Iterator[list[Compiled]]:
    """Inside, launching a kernel only compiles it; the list has each one once, in order."""
    compiled: list[Compiled] = []
    run, do_compile = JITFunction.run, JITFunction._do_compile

    def only_compile(function: JITFunction, *args: object, warmup: bool, **kwargs: object) -> object:
        return run(function, *args, warmup=True, **kwargs)

    def keep(function: JITFunction, key: object, signature: object, device: object, *rest: Any) -> object:  # noqa: ANN401
        log = io.StringIO()
        with redirect_stdout(log):
            kernel = do_compile(function, key, signature, device, *rest)
        constants = {function.arg_names[index[0]]: value for index, value in rest[0].items()}
        compiled.append(_described(kernel.metadata, capability, log.getvalue(), constants))
        return kernel

    triton.runtime.driver.set_active(AbsentDevice(capability))
    JITFunction.run, JITFunction._do_compile = only_compile, keep  # type: ignore[method-assign]
    triton.knobs.nvidia.dump_ptxas_log = True
    try:
        yield compiled
    finally:
        triton.knobs.nvidia.dump_ptxas_log = False
        JITFunction.run, JITFunction._do_compile = run, do_compile  # type: ignore[method-assign]
        triton.runtime.driver._active = None
