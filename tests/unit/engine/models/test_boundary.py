"""Token boundaries that hold whatever follows, in the vocabularies that tokenizers have."""

from __future__ import annotations

import argparse
import random
import statistics
import textwrap
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers import Tokenizer as FastTokenizer

from copilot_server.catalog import resolve
from copilot_server.engine.models.boundary import MAX_TAIL, stable_length
from copilot_server.engine.models.gguf import prepared_folder
from copilot_server.engine.models.tokenizer import Tokenizer, load_tokenizer
from copilot_server.engine.models.words import word_starts
from copilot_server.fetch import ensure
from tests.support.paths import REPOSITORY

#: Code and prose, in several languages and scripts.
FILES = (
    *(Path(module.__file__) for module in (argparse, statistics, textwrap)),
    *sorted((REPOSITORY / "editors" / "vscode" / "src").glob("*.ts")),
    *sorted((REPOSITORY / "editors" / "neovim" / "lua" / "copilot_server").glob("*.lua")),
    *sorted((REPOSITORY / "copilot_server" / "engine" / "backends" / "cpu" / "kernels").glob("*.[ch]")),
    REPOSITORY / "README.md",
    REPOSITORY / "tests" / "unit" / "completion" / "test_prompt.py",
)
OTHERS = """
naïve = "größer als 10 €"  # 面积 = 宽度 * 高度；заметка: don't, they'll, we've, I'm, it's
emoji = ["🙂", "👩\u200d👩\u200d👧", "e\u0301"]\t# tabs\there
if (a<b && c>=d || !e) { return x?.y ?? z; } else if (f(g[h(1, 2)])) { i += 0x1F; }
<a href='https://example.com/?q=1&r=%20'>it's</a>\r\n\r\n    \r\n\tindented\r\n
blob = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
"""


def texts() -> Iterator[str]:
    for path in FILES:
        yield path.read_text("utf-8")
    yield OTHERS * 3


def cuts(count: int) -> Iterator[tuple[str, str]]:
    """Texts cut at random positions: what stands before the position, and what follows."""
    draw = random.Random(14)
    everything = list(texts())
    for _ in range(count):
        text = draw.choice(everything)
        offset = draw.randrange(1, len(text))
        start = text.rfind("\n", 0, max(0, offset - 300)) + 1
        before, after = text[start:offset], text[offset : offset + 60]
        # A suggestion should not begin with a blank line: see boundary._WITH_LINE_END.
        is_blank_line = before[-1].isspace() and after[:1] in {"\r", "\n"}
        if not is_blank_line and before[-MAX_TAIL:].strip(" "):
            yield before, after


def byte_level(*, digits: bool = False, spaces: bool = False) -> Tokenizer:
    """A byte-level BPE as GPT-2's. ``digits``: one a word. ``spaces``: runs are tokens, as in CodeGen's."""
    fast = FastTokenizer(models.BPE())
    split = [pre_tokenizers.Digits(individual_digits=True)] if digits else []
    fast.pre_tokenizer = pre_tokenizers.Sequence([*split, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    fast.decoder = decoders.ByteLevel()
    fast.normalizer = normalizers.NFC()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=3000, show_progress=False, initial_alphabet=alphabet)
    fast.train_from_iterator(texts(), trainer)
    if spaces:
        fast.add_tokens([AddedToken(" " * width, normalized=False) for width in range(31, 1, -1)])
    return Tokenizer(fast)


def sentencepiece() -> Tokenizer:
    """A BPE that splits no text into words, as SentencePiece's, though its merges were learned from words."""
    fast = FastTokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    words = [pre_tokenizers.Metaspace(prepend_scheme="never"), pre_tokenizers.Punctuation()]
    fast.pre_tokenizer = pre_tokenizers.Sequence(words)
    trainer = trainers.BpeTrainer(vocab_size=2000, show_progress=False, special_tokens=["<unk>"])
    fast.train_from_iterator((line for text in texts() for line in text.split("\n")), trainer)
    fast.pre_tokenizer = None
    fast.normalizer = normalizers.Replace(" ", "\u2581")
    fast.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback()])
    return Tokenizer(fast)


def qwen() -> Tokenizer:
    return load_tokenizer(prepared_folder(ensure(resolve("qwen2.5-coder-0.5b"), offline=True)))


def share_kept(tokenizer: Tokenizer, length: Callable[[str], int], count: int = 4000) -> float:
    """The share of cuts at which the prompt's tokens are the first of the whole text's."""
    kept = []
    for before, after in cuts(count):
        prompt = tokenizer.encode_text(before[: length(before)])
        kept.append(tokenizer.encode_text(before + after)[: len(prompt)] == prompt)
    return sum(kept) / len(kept)


@pytest.mark.parametrize(
    "make",
    [
        byte_level,
        partial(byte_level, digits=True),
        partial(byte_level, spaces=True),
        pytest.param(qwen, marks=pytest.mark.model),
    ],
    ids=["byte-level", "digits", "spaces", "qwen"],
)
def test_a_prompt_has_the_tokens_of_the_whole_text(make: Callable[[], Tokenizer]):
    tokenizer = make()
    assert share_kept(tokenizer, tokenizer.stable_length) == 1.0
    # The twin: without taking anything back, many prompts end inside of a token.
    assert share_kept(tokenizer, len) < 0.7


def test_a_tokenizer_without_words_gets_those_of_others():
    tokenizer = sentencepiece()
    assert tokenizer.stable_length("x = csv.") == len("x = csv")
    assert share_kept(tokenizer, tokenizer.stable_length) > 0.98
    assert share_kept(tokenizer, len) < 0.7


@pytest.mark.parametrize(
    ("text", "tail"),
    [
        ("x = csv.", "."),
        ("print(", "("),
        ("raise ValueError(", "("),
        ("f(x, ", " "),
        ("x = fo", " fo"),
        ("x = foo_ba", "ba"),
        ("f()", "()"),
        ("x = 12", ""),
        ("def f():\n    ", "    "),
        ("def f():\n", ""),
        ("say = \"it'", "'"),
        ("größe", "größe"),
        ("", ""),
        ("\n", ""),
        ("x = " + "a" * 200, ""),
    ],
)
def test_what_is_taken_back(text: str, tail: str):
    assert text[stable_length(text, word_starts) :] == tail


@given(st.text(), st.sampled_from([word_starts, lambda text: list(range(len(text))), lambda _text: []]))
def test_it_is_a_length_within_reach_of_the_end(text: str, starts: Callable[[str], list[int]]):
    assert max(0, len(text) - MAX_TAIL) <= stable_length(text, starts) <= len(text)
