"""The limits of a device, as far as it reports them."""

from __future__ import annotations

from copilot_server.engine.backends.torch.limits import LIMITS, SMALLEST, limits_of
from tests.support.torch_runners import CPU


def test_a_device_that_reports_nothing_has_the_smallest_limits():
    assert limits_of(CPU) == SMALLEST
    assert all(limits.shared_bytes >= SMALLEST.shared_bytes for limits in LIMITS.values())
