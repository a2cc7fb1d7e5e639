"""The filter ``replace_line_suffix`` against its golden cases."""

from __future__ import annotations

from typing import Any

from tests.support.golden import check, golden


@golden("replace_line_suffix")
def test_a_golden_case(case: dict[str, Any]):
    check("replace_line_suffix", case)
