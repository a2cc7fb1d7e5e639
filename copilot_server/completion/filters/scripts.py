"""The scripts that a text is written in, such as Cyrillic, besides Latin and the Greek of formulas."""

from __future__ import annotations

import unicodedata

#: By the first word of a letter's name in Unicode. Japanese has Chinese characters and kana side by side.
_SCRIPTS = {
    **dict.fromkeys(("CJK", "HIRAGANA", "KATAKANA"), "East Asian"),
    **{
        name: name
        for name in (
            *("ARABIC", "ARMENIAN", "BENGALI", "CYRILLIC", "DEVANAGARI", "GEORGIAN", "GUJARATI", "HANGUL"),
            *("HEBREW", "KANNADA", "KHMER", "LAO", "MALAYALAM", "SINHALA", "TAMIL", "TELUGU", "THAI"),
        )
    },
}


def scripts_in(text: str) -> set[str]:
    """Return the names of the scripts in ``text``."""
    if text.isascii():
        return set()
    letters = (letter for letter in set(text) if not letter.isascii() and letter.isalpha())
    first_words = (unicodedata.name(letter, "").partition(" ")[0] for letter in letters)
    return {_SCRIPTS[word] for word in first_words if word in _SCRIPTS}
