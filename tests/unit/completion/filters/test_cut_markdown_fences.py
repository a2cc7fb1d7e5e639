"""The filter ``cut_markdown_fences`` against its golden cases."""

from __future__ import annotations

from typing import Any

from tests.support.golden import check, golden


@golden("cut_markdown_fences")
def test_a_golden_case(case: dict[str, Any]):
    check("cut_markdown_fences", case)
