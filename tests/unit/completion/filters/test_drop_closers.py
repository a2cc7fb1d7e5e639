"""The filter ``drop_closers`` against its golden cases."""

from __future__ import annotations

from typing import Any

from tests.support.golden import check, golden


@golden("drop_closers")
def test_a_golden_case(case: dict[str, Any]):
    check("drop_closers", case)
