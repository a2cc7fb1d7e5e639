"""The filter ``match_indentation`` against its golden cases."""

from __future__ import annotations

from typing import Any

from tests.support.golden import check, golden


@golden("match_indentation")
def test_a_golden_case(case: dict[str, Any]):
    check("match_indentation", case)
