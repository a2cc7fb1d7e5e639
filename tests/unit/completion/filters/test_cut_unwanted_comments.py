"""The filter ``cut_unwanted_comments`` against its golden cases."""

from __future__ import annotations

from typing import Any

from tests.support.golden import check, golden


@golden("cut_unwanted_comments")
def test_a_golden_case(case: dict[str, Any]):
    check("cut_unwanted_comments", case)
