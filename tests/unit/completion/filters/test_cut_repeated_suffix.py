"""The filter ``cut_repeated_suffix`` against its golden cases."""

from __future__ import annotations

from typing import Any

from tests.support.golden import check, golden


@golden("cut_repeated_suffix")
def test_a_golden_case(case: dict[str, Any]):
    check("cut_repeated_suffix", case)
