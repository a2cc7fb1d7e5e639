"""The form in which the model reads a window."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
from attrs import evolve

from copilot_server.catalog import FimLayout, PromptProtocol, find, manifest_for_unknown
from copilot_server.completion.prompt import build_prompt
from copilot_server.completion.window import take_window
from copilot_server.engine.base import Prompt, Special
from copilot_server.engine.models.boundary import stable_length
from copilot_server.engine.models.words import word_starts
from copilot_server.errors import ConfigError
from tests.support.cursor_text import cursor_in

QWEN = find("qwen2.5-coder-0.5b")
STABLE = partial(stable_length, word_starts=word_starts)


def words(text: str) -> int:
    """A tokenizer for these tests: a token a word, and one a line end."""
    return len(text.split()) + text.count("\n")


def as_text(prompt: Prompt) -> str:
    return "".join(part.name if isinstance(part, Special) else part for part in prompt.parts)


def build(prompt_protocol: PromptProtocol, text: str, layout: FimLayout = "spm", others: str = "") -> Prompt:
    assert QWEN.fim is not None
    window = replace(take_window(cursor_in(text), (), 1000, words), others=others)
    manifest = evolve(QWEN, fim=evolve(QWEN.fim, layout=layout))
    return build_prompt(prompt_protocol, window, manifest, "python", STABLE)


def test_fim_has_the_lines_above_what_follows_and_then_the_begun_line():
    prompt = build("fim", "import os\nx = ‸ + 1\ny\n", "psm")
    assert as_text(prompt) == "<|fim_prefix|>import os\n<|fim_suffix|> + 1\ny\n<|fim_middle|>x ="
    assert prompt.forced == " "
    assert prompt.parts[0] == Special("<|fim_prefix|>")


def test_fim_can_have_the_suffix_first():
    prompt = build("fim", "import os\nx = ‸ + 1\ny\n", "spm")
    assert as_text(prompt) == "<|fim_prefix|><|fim_suffix|> + 1\ny\n<|fim_middle|>import os\nx ="
    assert prompt.forced == " "
    assert prompt.parts[:2] == (Special("<|fim_prefix|>"), Special("<|fim_suffix|>"))


def test_the_served_model_has_the_layout_that_measured_best():
    assert QWEN.fim is not None
    assert QWEN.fim.layout == "spm"


@pytest.mark.parametrize(
    ("after", "shown"),
    [
        (")\ny\n", "\ny\n"),
        ('")]:  \r\ny\r\n', "\r\ny\r\n"),
        (")", ""),
        ("\n)\n", "\n)\n"),
        (" + 1)\n", " + 1)\n"),
        ("), 1\n", "), 1\n"),
    ],
)
def test_closers_after_the_cursor_leave_the_prompt_as_it_was(after: str, shown: str):
    prompt = build("fim", f"f(‸{after}")
    assert as_text(prompt) == f"<|fim_prefix|><|fim_suffix|>{shown}<|fim_middle|>f"
    assert prompt.forced == "("
    assert f"<|fim_suffix|>{after}<|fim_middle|>" in as_text(build("fim", f"f(‸{after}", "psm"))


OTHERS = "# a.py\n# def f(): ...\n\n"


@pytest.mark.parametrize("prompt_protocol", ["causal", "fim", "chat-prefill"])
@pytest.mark.parametrize("layout", ["psm", "spm"])
def test_code_of_other_files_stands_once_above_the_document(
    prompt_protocol: PromptProtocol, layout: FimLayout
):
    shown = as_text(build(prompt_protocol, "import a\nx = ‸\ny\n", layout, OTHERS))
    assert shown.count(OTHERS) == 1
    assert shown.index(OTHERS) + len(OTHERS) == shown.index("import a\n")
    without = as_text(build(prompt_protocol, "import a\nx = ‸\ny\n", layout))
    assert shown.replace(OTHERS, "") == without


@pytest.mark.parametrize("layout", ["psm", "spm"])
def test_typing_on_a_line_only_adds_to_an_infilling_prompt(layout: FimLayout):
    older, newer = (as_text(build("fim", text, layout)) for text in ("a\nx ‸\nb\n", "a\nx = y ‸\nb\n"))
    assert newer.startswith(older)


def test_with_the_suffix_first_a_new_line_only_adds_too():
    older, newer = ("a\nx = 1‸\nb\n", "a\nx = 1\n‸\nb\n")
    assert as_text(build("fim", newer)).startswith(as_text(build("fim", older)).removesuffix(" 1"))
    assert not as_text(build("fim", newer, "psm")).startswith(as_text(build("fim", older, "psm")))


def test_a_new_line_leaves_the_lines_above_as_they_were():
    older, newer = (as_text(build("fim", text, "psm")) for text in ("a\nx = 1‸\nb\n", "a\nx = 1\n‸\nb\n"))
    assert older.startswith("<|fim_prefix|>a\n<|fim_suffix|>")
    assert newer.startswith("<|fim_prefix|>a\nx = 1\n<|fim_suffix|>")


def test_causal_is_the_prefix_alone():
    prompt = build("causal", "def f(x):\n    re‸\ny\n")
    assert prompt == Prompt(("def f(x):\n   ",), forced=" re")


def test_chat_prefill_ends_with_the_users_own_code():
    code = 'def f(x):\n    """Double x."""\n'
    prompt = build("chat-prefill", code + "‸")
    text = as_text(prompt)
    assert text.endswith(f"```python\n{code}")
    assert prompt.forced == ""
    assert f"```python\n{code}\n```<|im_end|>" in text
    assert text.startswith("<|im_start|>system\n")
    assert text.count("<|im_start|>assistant\n") == 1


@pytest.mark.parametrize("typed", ["", "    ", "    re", "    return x + "])
def test_typing_on_a_line_only_adds_to_a_chat(typed: str):
    first, later = (as_text(build("chat-prefill", f"def f(x):\n{line}‸")) for line in ("", typed))
    assert later.startswith(first)


def test_control_tokens_in_the_code_are_not_special_parts():
    prompt = build("fim", "x = '<|fim_middle|>'\ny = 1‸")
    assert [part for part in prompt.parts if part == Special("<|fim_middle|>")] == [Special("<|fim_middle|>")]
    assert any(isinstance(part, str) and "<|fim_middle|>" in part for part in prompt.parts)


def test_a_protocol_the_model_does_not_know_is_an_error():
    window = take_window(cursor_in("x‸"), (), 10, words)
    with pytest.raises(ConfigError, match=r"does not know .*'fim'.* causal"):
        build_prompt("fim", window, manifest_for_unknown("mine"), "python", STABLE)
    known = evolve(
        QWEN.protocols, known=("causal",), function_body="causal", undocumented_body=None, middle="causal"
    )
    with pytest.raises(ConfigError, match="chat-prefill"):
        build_prompt("chat-prefill", window, evolve(QWEN, protocols=known), "python", STABLE)
    assert build_prompt("chat-prefill", window, QWEN, "python", STABLE)
