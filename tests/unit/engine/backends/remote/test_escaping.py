"""A user's text never becomes a control token of a remote engine, and comes back as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_server.catalog import FimTokens
from copilot_server.engine.backends.remote.escaping import BREAK, Escaping, split_infill
from copilot_server.engine.base import Prompt, Special

NAMES = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "</s>", "<｜end▁of▁sentence｜>")
FIM = FimTokens(*NAMES[:3])
ESCAPING = Escaping(NAMES)


@given(
    st.lists(st.sampled_from([*NAMES, "<|", "|>", "<", "s", ">", " ", "<|unlisted|>", "é😀"])).map("".join)
)
def test_no_text_of_a_user_contains_the_name_of_a_control_token(text: str):
    escaped = ESCAPING.escape(text)
    assert not any(name in escaped for name in (*NAMES, "<|unlisted|>"))
    assert ESCAPING.unescape(escaped) == text


def test_control_tokens_of_the_prompt_itself_are_not_escaped():
    prompt = Prompt((Special(NAMES[0]), f"x = '{NAMES[2]}'", Special(NAMES[2])))
    assert ESCAPING.render(prompt) == f"{NAMES[0]}x = '<{BREAK}|fim_middle|>'{NAMES[2]}"


@pytest.mark.parametrize(
    "name",
    [
        *("[INST]", "[/INST]", "<s>", "</s>", "<<SYS>>", "<</SYS>>", "[TOOL_CALLS]", "[SUFFIX]", "[gMASK]"),
        *("<start_of_turn>", "<end_of_turn>", "<bos>", "<eos>", "<pad>", "<unk>", "<PRE>", "<EOT>", "<sop>"),
        *("<fim_prefix>", "<fim-middle>", "<[fim-suffix]>", "<file_sep>", "<repo_name>", "<reponame>"),
        *("<commit_before>", "<issue_start>", "<jupyter_code>", "<unused7>", "<extra_id_0>", "</tool_call>"),
        *("<|fim-prefix|>", "<|endoftext|>", "</think>", "[CLS]"),
    ],
)
def test_names_of_control_tokens_are_split_where_nobody_knows_the_model(name: str):
    escaping = Escaping((), is_known=False)
    text = f"x = '{name}'"
    assert name not in escaping.escape(text)
    assert escaping.unescape(escaping.escape(text)) == text
    assert escaping.control_at(text) is None  # it may be ordinary text to the model


@pytest.mark.parametrize(
    "text", ["x[index]", "<div><p></p></div>", "List<String>", "a < s > b", "[INFO]", "x[0]"]
)
def test_ordinary_code_is_not_split(text: str):
    assert Escaping((), is_known=False).escape(text) == text


def test_a_model_that_is_known_reads_what_is_no_token_of_its_own_as_it_is():
    assert Escaping(("<|im_end|>",)).escape("<s>[INST]</s>") == "<s>[INST]</s>"


def test_what_cannot_be_encoded_is_replaced():
    assert ESCAPING.escape("a\ud800b") == "a?b"


@pytest.mark.parametrize(("answer", "index"), [("x = 1</s>y", 5), ("x = 1", None), ("<|other|>", None)])
def test_an_answer_ends_at_the_name_of_a_control_token(answer: str, index: int | None):
    assert ESCAPING.control_at(answer) == index


def test_without_names_nothing_ends_an_answer():
    assert Escaping(()).control_at("</s>") is None


def test_an_infilling_prompt_is_split_at_its_gap_in_either_layout():
    prefix, suffix, middle = map(Special, NAMES[:3])
    psm = Prompt((prefix, "above\n", suffix, "below\n", middle, "x = "))
    spm = Prompt((prefix, suffix, "below\n", middle, "above\nx = "))
    for prompt in (psm, spm):
        found = split_infill(prompt, FIM)
        assert found is not None
        assert tuple("".join(map(str, one.parts)) for one in found) == ("above\nx = ", "below\n")
    assert split_infill(Prompt(("x = ",)), FIM) is None
    assert split_infill(Prompt((Special("<|im_start|>"), "user\n")), FIM) is None
