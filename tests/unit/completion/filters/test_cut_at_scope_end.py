"""The filter ``cut_at_scope_end`` against its golden cases."""

from __future__ import annotations

from typing import Any

from tests.support.golden import check, golden


@golden("cut_at_scope_end")
def test_a_golden_case(case: dict[str, Any]):
    check("cut_at_scope_end", case)
