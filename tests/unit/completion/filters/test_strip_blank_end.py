"""The filter ``strip_blank_end`` against its golden cases."""

from __future__ import annotations

from typing import Any

from tests.support.golden import check, golden


@golden("strip_blank_end")
def test_a_golden_case(case: dict[str, Any]):
    check("strip_blank_end", case)
