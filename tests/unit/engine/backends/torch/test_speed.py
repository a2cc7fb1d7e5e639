"""The measurement of a device, run on the CPU, which torch treats alike."""

from __future__ import annotations

import pytest

from copilot_server.engine.backends.torch import speed
from copilot_server.engine.backends.torch.speed import measure_device, name_of


@pytest.mark.slow
def test_a_device_is_measured_in_the_format_that_the_setting_means(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(speed, "TOKENS", 8)
    monkeypatch.setattr(speed, "COPIED_BYTES", 2**20)
    machine = measure_device("cpu", "float32")
    assert (machine.device, machine.dtype, name_of("cpu")) == ("cpu", "float32", "cpu")
    assert machine.multiplications_s > 0
    assert machine.bytes_s > 0
    assert machine.memory_bytes > 2**30
    assert measure_device("cpu", "int8").dtype == "int8"
