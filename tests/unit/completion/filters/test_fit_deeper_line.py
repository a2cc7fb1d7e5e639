"""The filter ``fit_deeper_line`` against its golden cases."""

from __future__ import annotations

from typing import Any

from tests.support.golden import check, golden


@golden("fit_deeper_line")
def test_a_golden_case(case: dict[str, Any]):
    check("fit_deeper_line", case)
