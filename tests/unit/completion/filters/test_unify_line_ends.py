"""The filter ``unify_line_ends`` against its golden cases."""

from __future__ import annotations

from typing import Any

from tests.support.golden import check, golden


@golden("unify_line_ends")
def test_a_golden_case(case: dict[str, Any]):
    check("unify_line_ends", case)
