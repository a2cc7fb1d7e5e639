"""Estimates of how many tokens a text is."""

from __future__ import annotations

from copilot_server.engine.backends.remote.counting import estimate_tokens


def test_an_estimate_grows_with_the_text_and_none_is_nothing() -> None:
    assert estimate_tokens("") == 0
    assert estimate_tokens("x") == 1
    assert estimate_tokens("def f(x):\n    return x\n" * 10) == 10 * estimate_tokens(
        "def f(x):\n    return x\n"
    )
