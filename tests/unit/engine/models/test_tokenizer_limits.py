"""A tokenizer that multiplies texts or panics over one is an error, and ordinary ones are served."""

from __future__ import annotations

import pytest
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from copilot_server.engine.models.tokenizer_limits import (
    MOST_CHARACTERS,
    check_limits,
    panics_as_errors,
)
from copilot_server.errors import EngineError


def tokenizer(word: str = "word") -> Tokenizer:
    return Tokenizer(models.WordLevel({word: 0, "[UNK]": 1}, "[UNK]"))


def test_replacements_that_multiply_a_text_are_refused():
    one = tokenizer()
    for times in (1, 2):
        one.normalizer = normalizers.Sequence([normalizers.Replace("a", "b" * 30)] * times)
        check_limits(one)
    one.normalizer = normalizers.Sequence([normalizers.Replace("a", "b" * 30)] * 3)
    with pytest.raises(ValueError, match="29791 characters of one"):
        check_limits(one)
    one.normalizer = normalizers.Sequence(
        [normalizers.Prepend("a" * 40), normalizers.Replace(Regex("a?"), "b" * 40)]
    )
    with pytest.raises(ValueError, match="1681 characters of one"):
        check_limits(one)


def test_decoders_that_multiply_a_text_are_refused():
    one = tokenizer()
    one.decoder = decoders.Sequence([decoders.Replace("_", " "), decoders.Strip(" ", 1, 0), decoders.Fuse()])
    check_limits(one)
    one.decoder = decoders.Sequence([decoders.Replace("a", "aaaa")] * 5)
    with pytest.raises(ValueError, match="3125 characters of one"):
        check_limits(one)


def test_tokens_have_a_longest():
    check_limits(tokenizer("w" * MOST_CHARACTERS))
    with pytest.raises(ValueError, match=f"token of {MOST_CHARACTERS + 1} characters"):
        check_limits(tokenizer("w" * (MOST_CHARACTERS + 1)))


def test_a_panic_of_the_library_is_an_error():
    """It derives from BaseException alone, and would end the thread that decodes."""
    one = tokenizer()
    one.pre_tokenizer = pre_tokenizers.Split(Regex("(x+x+)+y"), "isolated")
    with panics_as_errors():
        assert one.encode("xxxy" * 8).ids
    with pytest.raises(EngineError, match="cannot read this text") as caught, panics_as_errors():
        one.encode("x" * 60)
    assert caught.value.remedy


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit, ValueError])
def test_other_exceptions_pass(raised: type[BaseException]):
    with pytest.raises(raised), panics_as_errors():
        raise raised
