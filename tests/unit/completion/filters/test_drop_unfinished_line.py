"""The filter ``drop_unfinished_line`` against its golden cases."""

from __future__ import annotations

from typing import Any

from tests.support.golden import check, golden


@golden("drop_unfinished_line")
def test_a_golden_case(case: dict[str, Any]):
    check("drop_unfinished_line", case)
