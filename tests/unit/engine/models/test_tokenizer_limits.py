"""A tokenizer that multiplies texts or panics over one is an error, and ordinary ones are served."""

from __future__ import annotations

import pytest
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from copilot_server.engine.models.tokenizer_limits import (
    MOST_CHARACTERS,
    check_limits,
    library_errors,
)
from copilot_server.errors import EngineError, ModelError


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
    with library_errors():
        assert one.encode("xxxy" * 8).ids
    with pytest.raises(EngineError, match="cannot read this text") as caught, library_errors():
        one.encode("x" * 60)
    assert caught.value.remedy


def test_a_vocabulary_without_the_token_for_unknown_words_is_an_error():
    one = Tokenizer(models.WordPiece({"word": 0}, unk_token="[UNK]"))
    with library_errors():
        assert one.encode("word").ids == [0]
    with pytest.raises(EngineError, match="UNK"), library_errors():
        one.encode("other")


@pytest.mark.parametrize(
    "raised", [KeyboardInterrupt(), SystemExit(), EngineError("short"), ModelError("of", remedy="ours")]
)
def test_other_exceptions_pass(raised: BaseException):
    with pytest.raises(type(raised)) as caught, library_errors():
        raise raised
    assert caught.value is raised
