"""Words, and estimates of how many tokens a text is, for models whose tokenizer is not at hand."""

from __future__ import annotations

from copilot_server.engine.models.words import estimate_tokens, word_starts


def test_an_estimate_grows_with_the_text_and_none_is_nothing() -> None:
    assert estimate_tokens("") == 0
    assert estimate_tokens("x") == 1
    assert estimate_tokens("def f(x):\n    return x\n" * 10) == 10 * estimate_tokens(
        "def f(x):\n    return x\n"
    )


def test_words_begin_where_current_tokenizers_begin_them() -> None:
    assert word_starts("x = csv.reader(12)\n    y") == [0, 1, 3, 7, 14, 15, 16, 17, 19, 22]
    assert word_starts("") == []
