"""Prompts of clients: control tokens in texts, and infilling prompts that fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from copilot_server.catalog import Manifest, find
from copilot_server.engine.base import Special
from copilot_server.engine.decoding.engine import DecodingEngine
from copilot_server.host.prompts import infill_prompt, read_prompt
from copilot_server.host.refusals import RefusedError
from tests.support.decoding import SPEEDS, engine_maker
from tests.support.plain_decoding import PlainDecoding

NEW = 32


@pytest.fixture(scope="module")
def engine(tiny_model_dir: Path) -> DecodingEngine:
    """A tiny model with a context of 512 tokens, and with Qwen's control tokens."""
    return engine_maker("cpu", tiny_model_dir, PlainDecoding(tiny_model_dir))(SPEEDS["none"])


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    found = find("qwen2.5-coder-0.5b")
    assert found is not None
    return found


def test_names_of_control_tokens_become_control_tokens(manifest: Manifest):
    prompt = read_prompt("<|fim_prefix|>a<|fim_suffix|><|fim_middle|>", manifest)
    assert prompt.parts == (
        Special("<|fim_prefix|>"),
        "a",
        Special("<|fim_suffix|>"),
        Special("<|fim_middle|>"),
    )
    assert read_prompt("<|nothing|>", manifest).parts == ("<|nothing|>",)


def test_a_prompt_that_fits_has_all_of_it(engine: DecodingEngine, manifest: Manifest):
    prompt = infill_prompt("a = 1\nb = ", "\nc\n", manifest, engine, others="# other\n", new_tokens=NEW)
    text = "".join(part for part in prompt.parts if isinstance(part, str)) + prompt.forced
    assert sorted(text) == sorted("a = 1\nb = \nc\n# other\n")


@pytest.mark.parametrize(
    ("before", "after", "others"), [(900, 2, 0), (2, 900, 0), (900, 900, 900), (5, 5, 900)]
)
def test_what_does_not_fit_is_left_out_at_the_far_ends(
    engine: DecodingEngine, manifest: Manifest, before: int, after: int, others: int
):
    lines = [
        [f"{name} = {number}\n" for number in range(count)]
        for name, count in zip("xyz", (before, after, others), strict=True)
    ]
    prompt = infill_prompt(
        "".join(lines[0]), "".join(lines[1]), manifest, engine, others="".join(lines[2]), new_tokens=NEW
    )
    assert len(engine.tokenizer.encode(prompt)) + NEW <= engine.context_length
    text = "".join(part for part in prompt.parts if isinstance(part, str)) + prompt.forced
    assert lines[0][-1] in text
    assert lines[1][0] in text


def test_a_long_line_alone_is_cut(engine: DecodingEngine, manifest: Manifest):
    prompt = infill_prompt("x" * 20_000 + "end = ", "", manifest, engine, new_tokens=NEW)
    assert len(engine.tokenizer.encode(prompt)) + NEW <= engine.context_length
    assert ("".join(part for part in prompt.parts if isinstance(part, str)) + prompt.forced).endswith(
        "end = "
    )


def test_a_model_that_cannot_infill_says_so(engine: DecodingEngine):
    plain = find("codegen-350m-mono")
    assert plain is not None
    with pytest.raises(RefusedError, match="cannot infill"):
        infill_prompt("a", "b", plain, engine, new_tokens=NEW)
