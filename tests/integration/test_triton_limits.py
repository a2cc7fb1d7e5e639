"""Every Triton kernel compiles for every chip that it is meant for, and fits it. This needs no GPU."""

from __future__ import annotations

import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from copilot_server.engine.backends.torch.limits import LIMITS

HAS_COMPILER = sys.platform == "linux" and platform.machine() == "x86_64"


def compile_for(chips: list[tuple[int, int]], *flags: str) -> list[str]:
    """The lines that ``tests.support.triton_targets`` prints for each chip, two processes at a time."""

    def one(chip: tuple[int, int]) -> str:
        command = [sys.executable, "-m", "tests.support.triton_targets", ".".join(map(str, chip)), *flags]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout

    with ThreadPoolExecutor(2) as pool:
        return [line for output in pool.map(one, chips) for line in output.splitlines()]


@pytest.mark.skipif(not HAS_COMPILER, reason="Triton has no compiler for this platform")
class TestCompiled:
    def test_the_largest_kernels_fit_every_chip(self):
        lines = compile_for(list(LIMITS))
        assert len(lines) == len(LIMITS) * 9
        assert [line for line in lines if not line.endswith("ok")] == []

    def test_a_kernel_that_does_not_fit_is_found(self):
        [line] = compile_for([(8, 6)], "--too-large")
        assert line.endswith("TOO LARGE")

    @pytest.mark.long
    def test_every_kernel_fits_every_chip(self):
        lines = compile_for(list(LIMITS), "--all")
        assert len(lines) > len(LIMITS) * 100
        assert [line for line in lines if not line.endswith("ok")] == []
