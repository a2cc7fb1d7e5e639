"""The filter ``drop_repeated_line`` against its golden cases."""

from __future__ import annotations

from typing import Any

from tests.support.golden import check, golden


@golden("drop_repeated_line")
def test_a_golden_case(case: dict[str, Any]):
    check("drop_repeated_line", case)
