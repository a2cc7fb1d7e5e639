"""Where a suggestion is worth asking for while the user types."""

from __future__ import annotations

import pytest

from copilot_server.completion.gate import is_worthwhile
from tests.support.cursor_text import cursor_in


@pytest.mark.parametrize(
    ("document", "language", "worthwhile"),
    [
        ("x = ‸", "python", True),
        ("f(‸)", "python", True),
        ("x‸y", "python", False),
        ("x = ‸ + 1", "python", False),
        ("‸x = 1\n", "python", True),
        ("x = 1\n‸\n", "python", True),
        ("‸", "python", False),
        ("\n  ‸\n", "python", False),
        ("const x: Array<‸>;", "typescript", True),
        ("if (a ‸> b)", "typescript", False),
        ("x = a ‸>", "python", False),
    ],
)
def test_a_suggestion_is_worth_asking_for_where_the_line_is_free(
    document: str, language: str, worthwhile: bool
):
    assert is_worthwhile(cursor_in(document, language)) is worthwhile
