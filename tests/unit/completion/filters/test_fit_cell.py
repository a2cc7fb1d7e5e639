"""The filter ``fit_cell`` against its golden cases, and all filters where another cell follows."""

from __future__ import annotations

from typing import Any

import pytest

from copilot_server.completion.filters.order import apply_filters
from copilot_server.completion.scope.scope import situation_at
from copilot_server.context.document import Document
from copilot_server.context.notebook import among_cells
from tests.support.cursor_text import cursor_in
from tests.support.golden import check, golden

BEFORE, AFTER = (
    Document("a", "python", "rows = [3, 1]"),
    Document("b", "python", "best = max(rows)\nprint(best)"),
)


@golden("fit_cell")
def test_a_golden_case(case: dict[str, Any]):
    check("fit_cell", case)


@pytest.mark.parametrize(
    ("cell", "model", "expected"),
    [
        ("‸", "best = max(rows)\nprint(best)", None),
        ("rows.sort()\n‸", "rows.pop()\nbest = max(rows)\nprint(best)", "rows.pop()"),
        ("rows.sort()\n‸", "rows.pop()\nprint(rows)", "rows.pop()\nprint(rows)"),
    ],
)
def test_a_cell_does_not_repeat_the_next_one(cell: str, model: str, expected: str | None) -> None:
    cursor = among_cells(cursor_in(cell), [BEFORE], [AFTER])
    draft = apply_filters(model, situation_at(cursor), "eos")
    assert (draft.text if draft else None) == expected
