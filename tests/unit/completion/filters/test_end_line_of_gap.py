"""The filter ``end_line_of_gap`` against its golden cases."""

from __future__ import annotations

from typing import Any

from tests.support.golden import check, golden


@golden("end_line_of_gap")
def test_a_golden_case(case: dict[str, Any]):
    check("end_line_of_gap", case)
