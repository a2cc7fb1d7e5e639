"""Scripts by the letters of a text."""

from __future__ import annotations

import pytest

from copilot_server.completion.filters.scripts import scripts_in


@pytest.mark.parametrize(
    ("text", "scripts"),
    [
        ("plain", set()),
        ("né à Łódź", set()),
        ("λ x µ ≤ 1 → 😀", set()),
        ("第二", {"East Asian"}),
        ("ひらがな カタカナ 漢字", {"East Asian"}),
        ("Сложить 한글", {"CYRILLIC", "HANGUL"}),
        ("\ud800\x00\ue000", set()),
    ],
)
def test_the_scripts_of_a_text(text: str, scripts: set[str]):
    assert scripts_in(text) == scripts
