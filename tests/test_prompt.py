"""Which text the model reads, and in which form."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from copilot_server.catalog import find, manifest_for_unknown
from copilot_server.completion.prompt import build_prompt, split_tail, take_window
from copilot_server.context.document import Cursor, Document
from copilot_server.engine.base import Prompt, Special
from copilot_server.errors import ConfigError

QWEN = find("qwen2.5-coder-0.5b")


def cursor_in(text: str) -> Cursor:
    """A cursor where ‸ is drawn."""
    offset = text.index("‸")
    return Cursor(Document("file:///a.py", "python", text.replace("‸", "")), offset)


def words(text: str) -> int:
    """A tokenizer for these tests: a token a word, and one a line end."""
    return len(text.split()) + text.count("\n")


def window_of(text: str, budget: int, pinned: tuple[str, ...] = ()) -> tuple[str, str]:
    window = take_window(cursor_in(text), pinned, budget, words)
    return window.prefix, window.suffix


def as_text(prompt: Prompt) -> str:
    return "".join(part.name if isinstance(part, Special) else part for part in prompt.parts)


def test_a_document_that_fits_is_read_whole():
    assert window_of("a\nb‸c\nd\n", 100) == ("a\nb", "c\nd\n")


def test_the_nearest_whole_lines_are_kept():
    text = "".join(f"before {i}\n" for i in range(50)) + "x ‸y\n" + "".join(f"after {i}\n" for i in range(50))
    prefix, suffix = window_of(text, 40)
    assert prefix.endswith("before 48\nbefore 49\nx ")
    assert prefix.startswith("before ")
    assert suffix.startswith("y\nafter 0\n")
    assert suffix.endswith("\n")
    assert words(prefix) + words(suffix) <= 40
    assert words(prefix) > 25  # what the suffix leaves is used


def test_pinned_lines_stand_on_top_only_when_the_rest_is_cut():
    long_text = "import os\n" + "filler\n" * 50 + "‸"
    assert window_of(long_text, 20, ("import os\n",))[0].startswith("import os\nfiller\n")
    assert "import os" not in window_of(long_text, 20)[0]
    assert window_of("import os\n‸", 20, ("import os\n",))[0] == "import os\n"


@given(before=st.text(), after=st.text(), budget=st.integers(8, 60))
def test_a_window_is_within_budget_and_touches_the_cursor(before: str, after: str, budget: int):
    cursor = Cursor(Document("file:///a.py", "python", before + after), len(before))
    window = take_window(cursor, (), budget, len)  # a token a character, the worst case
    assert len(window.prefix) + len(window.suffix) <= budget
    assert before.endswith(window.prefix)
    assert after.startswith(window.suffix)


@pytest.mark.parametrize(
    ("prefix", "kept", "tail"),
    [
        ("    re", "   ", " re"),
        ("x = foo", "x =", " foo"),
        ("x.foo", "x.", "foo"),
        ("def f():\n    ", "def f():\n", "    "),
        ("def f():\n\t", "def f():\n", "\t"),
        ("def f():\n", "def f():\n", ""),
        ("f(", "f(", ""),
        ("größe", "", "größe"),
        ("", "", ""),
    ],
)
def test_the_tail_is_a_begun_word_or_blanks(prefix: str, kept: str, tail: str):
    assert split_tail(prefix) == (kept, tail)


def test_a_blob_is_no_word():
    assert split_tail("x = " + "a" * 200) == ("x = " + "a" * 200, "")


@given(st.text())
def test_nothing_is_lost_by_splitting(prefix: str):
    kept, tail = split_tail(prefix)
    assert kept + tail == prefix


def build(protocol: str, text: str) -> Prompt:
    window = take_window(cursor_in(text), (), 1000, words)
    return build_prompt(protocol, window, QWEN, "python")


def test_fim_has_prefix_suffix_and_middle_in_this_order():
    prompt = build("fim", "x = ‸\ny\n")
    assert as_text(prompt) == "<|fim_prefix|>x =<|fim_suffix|>\ny\n<|fim_middle|>"
    assert prompt.forced == " "
    assert prompt.parts[0] == Special("<|fim_prefix|>")


def test_causal_is_the_prefix_alone():
    prompt = build("causal", "def f(x):\n    re‸\ny\n")
    assert prompt == Prompt(("def f(x):\n   ",), forced=" re")


def test_chat_prefill_ends_with_the_users_own_code():
    code = 'def f(x):\n    """Double x."""\n'
    prompt = build("chat-prefill", code + "‸")
    text = as_text(prompt)
    assert text.endswith(f"```python\n{code}")
    assert text.startswith("<|im_start|>system\n")
    assert text.count("<|im_start|>assistant\n") == 1


def test_control_tokens_in_the_code_are_no_special_parts():
    prompt = build("fim", "x = '<|fim_middle|>'\n‸")
    assert [part for part in prompt.parts if part == Special("<|fim_middle|>")] == [Special("<|fim_middle|>")]
    assert any(isinstance(part, str) and "<|fim_middle|>" in part for part in prompt.parts)


def test_a_protocol_the_model_does_not_know_is_an_error():
    window = take_window(cursor_in("x‸"), (), 10, words)
    with pytest.raises(ConfigError, match=r"does not know .*'fim'.* causal"):
        build_prompt("fim", window, manifest_for_unknown("mine"), "python")
    known = evolve(QWEN.protocols, known=("causal",), function_body="causal", middle="causal")
    with pytest.raises(ConfigError, match="chat-prefill"):
        build_prompt("chat-prefill", window, evolve(QWEN, protocols=known), "python")
    assert build_prompt("chat-prefill", window, QWEN, "python")
