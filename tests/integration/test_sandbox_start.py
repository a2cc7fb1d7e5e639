"""The benchmark of the sandbox's start runs, whatever its figures are."""

from __future__ import annotations

import sys

import pytest

from benchmarks.sandbox_start import STEPS, measured
from benchmarks.verify_latency import with_examples


@pytest.mark.serial  # a program may run for two seconds only
@pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is for Linux")
def test_reading_and_each_check_are_timed():
    times = measured(with_examples(len(STEPS))[: len(STEPS)])
    assert list(times) == ["reading", *STEPS]
    assert all(one > 0 for one in times.values())
