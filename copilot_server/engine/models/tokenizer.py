"""Text to token ids and back, with control tokens kept apart from text."""

from __future__ import annotations

import re
import sys
from bisect import bisect_left
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache, partial
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer as FastTokenizer
from tokenizers.decoders import DecodeStream

from copilot_server.engine.base import Prompt, Special
from copilot_server.engine.models.architecture import read_architecture
from copilot_server.engine.models.boundary import stable_length
from copilot_server.engine.models.tokenizer_limits import check_limits, library_errors
from copilot_server.engine.models.words import word_starts
from copilot_server.errors import EngineError, ModelError

#: How many texts' tokens are remembered.
KNOWN_TEXTS = 64
#: How SentencePiece's vocabularies write a byte.
_BYTE = re.compile("<0x([0-9A-Fa-f]{2})>")


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of the model in a folder in transformers' format.

    Raises:
        ModelError: its tokenizer.json cannot be read or would multiply a text, or text may become a token
            outside the vocabulary of a model that our own decoders serve: they look up its embedding at an
            address computed from its id.
    """
    path = folder / "tokenizer.json"
    try:
        with library_errors():
            fast = FastTokenizer.from_file(str(path))
            vocabulary = fast.get_vocab(with_added_tokens=True)
            check_limits(fast, vocabulary)
    except Exception as error:  # the library raises nothing narrower
        msg = f"{path} is not a tokenizer that can be read ({error.__cause__ or error})."
        raise ModelError(msg, remedy="Fetch the model again, or choose one that ships this file.") from error
    architecture = read_architecture(folder)
    with library_errors():
        if architecture is None:
            return Tokenizer(fast, vocabulary=vocabulary)
        _check_ids(fast, vocabulary, folder, architecture.vocab_size)
        return Tokenizer(fast, architecture.vocab_size, vocabulary)


def _check_ids(
    fast: FastTokenizer, vocabulary: Mapping[str, int], folder: Path, vocabulary_size: int
) -> None:
    """Refuse tokens outside the vocabulary that a prompt may get.

    Fine-tuned models often have a control token for padding there, which no text becomes.
    """
    control_ids = {id_ for id_, token in fast.get_added_tokens_decoder().items() if token.special}
    from_text = set(vocabulary.values()) - control_ids
    highest = max(from_text.union(fast.encode("").ids), default=0)
    if highest >= vocabulary_size:
        msg = f"The tokenizer in {folder} has the token {highest}, but the model's vocabulary ends before it."
        remedy = "Its tokenizer and its weights do not belong together: fetch the model again."
        raise ModelError(msg, remedy=remedy)


class Tokenizer:
    """What the engine needs of a Hugging Face tokenizer in its fast (Rust) form."""

    def __init__(
        self,
        fast: FastTokenizer,
        vocabulary_size: int | None = None,
        vocabulary: Mapping[str, int] | None = None,
    ) -> None:
        """``vocabulary_size``: the model has no control token with this id or a higher one.

        ``vocabulary``: all tokens, where they are known; to list them takes a tenth of a second.
        """
        self._fast = fast
        self._vocabulary = vocabulary
        self._end = sys.maxsize if vocabulary_size is None else vocabulary_size
        self._bos = tuple(fast.encode("", add_special_tokens=True).ids[:1])
        #: Texts that drafts are taken from seldom change from one request to the next.
        self.encode_known = lru_cache(KNOWN_TEXTS)(self.encode_text)
        # From here on, "<|im_end|>" in a user's file is ten characters and not a control token.
        self._fast.encode_special_tokens = True

    def encode(self, prompt: Prompt) -> list[int]:
        """Token ids of a prompt's parts, after the model's own beginning-of-text token if it has one.

        Raises:
            EngineError: a control token is not in the vocabulary.
        """
        ids = list(self._bos)
        for is_special, parts in groupby(prompt.parts, key=lambda part: isinstance(part, Special)):
            if is_special:
                ids += [self.control_id(part) for part in parts if isinstance(part, Special)]
            else:
                ids += self.encode_text("".join(part for part in parts if isinstance(part, str)))
        return ids

    def encode_text(self, text: str) -> list[int]:
        """Token ids of plain text.

        Raises:
            EngineError: the tokenizer's regular expressions take too many steps for it.
        """
        with library_errors():
            return list(self._fast.encode(text, add_special_tokens=False).ids)

    def stable_length(self, text: str) -> int:
        """See ``Engine.stable_length``."""
        return stable_length(text, self._word_starts if self._splits_words else word_starts)

    @cached_property
    def _splits_words(self) -> bool:
        """Whether it splits texts into words before it merges characters; SentencePiece's do not."""
        return len(self._word_starts("one two three")) > 1

    def _word_starts(self, text: str) -> list[int]:
        with library_errors():
            encoding = self._fast.encode(text, add_special_tokens=False)
        words = zip(encoding.word_ids, encoding.offsets, strict=True)
        return [next(group)[1][0] for _, group in groupby(words, key=lambda one: one[0])]

    def knows(self, special: Special) -> bool:
        """Whether the vocabulary has this control token."""
        token_id = self._fast.token_to_id(special.name)
        return token_id is not None and token_id < self._end

    def control_id(self, special: Special) -> int:
        """The id of a control token.

        Raises:
            EngineError: it is not in the vocabulary.
        """
        token_id = self._fast.token_to_id(special.name)
        if token_id is None or token_id >= self._end:
            msg = f"The model's vocabulary has no token {special.name!r}."
            raise EngineError(msg, remedy="Its manifest names another model's tokens; correct or remove it.")
        return int(token_id)

    @cached_property
    def control_ids(self) -> frozenset[int]:
        """Every token that is not text. None of them may reach a user, so each ends a generation.

        Some vocabularies, such as CodeGen's, add runs of spaces as tokens; those are text.
        """
        added = self._fast.get_added_tokens_decoder().items()
        control = (id_ for id_, token in added if token.special or _looks_like_control(token.content))
        return frozenset(id_ for id_ in control if id_ < self._end)

    def text_stream(self, prompt_ids: list[int]) -> TextStream:
        """A decoder for the tokens that follow ``prompt_ids``."""
        return TextStream(self._fast, prompt_ids)

    @cached_property
    def token_bytes(self) -> TokenBytes:
        """The bytes of each token that is text, for constraining the output."""
        decode = _byte_decoder(self._fast)
        texts = self._vocabulary or self._fast.get_vocab(with_added_tokens=True)
        self._vocabulary = None  # it takes much memory, and nothing else needs it
        return TokenBytes(
            {
                token_id: decode(token)
                for token, token_id in texts.items()
                if token_id < self._end and token_id not in self.control_ids
            }
        )


class TextStream:
    """Decodes one token at a time; a character split over tokens appears when it is whole."""

    def __init__(self, fast: FastTokenizer, prompt_ids: list[int]) -> None:
        self._fast = fast
        # Some decoders treat the first token differently (a dropped leading space), so the end of the
        # prompt goes first.
        self._stream = DecodeStream(ids=prompt_ids[-8:], skip_special_tokens=True)

    def step(self, token_id: int) -> str:
        """The text that became readable with this token."""
        with library_errors():
            return self._stream.step(self._fast, token_id) or ""


class TokenBytes:
    """Looks tokens up by the bytes they stand for."""

    def __init__(self, by_id: dict[int, bytes]) -> None:
        self.by_id = by_id
        ids = sorted(token_id for token_id, text in by_id.items() if text)
        ids.sort(key=by_id.__getitem__)  # without 10^5 pairs, which would take twice the time
        self._texts = [by_id[token_id] for token_id in ids]
        self._ids = np.array(ids, np.int32)

    def compatible(self, wanted: bytes) -> NDArray[np.int32]:
        """Ids of the tokens that begin with ``wanted``, then of those that ``wanted`` begins with."""
        first, end = bisect_left(self._texts, wanted), bisect_left(self._texts, _past(wanted))
        shorter = [bisect_left(self._texts, wanted[:length]) for length in range(1, len(wanted))]
        found = [
            index
            for length, index in enumerate(shorter, start=1)
            if index < len(self._texts) and self._texts[index] == wanted[:length]
        ]
        return np.concatenate([self._ids[first:end], self._ids[np.array(found, np.intp)]])


def _past(beginning: bytes) -> bytes:
    """What sorts after every text with this beginning, since the byte ff does not occur in UTF-8."""
    return beginning + b"\xff"


def _looks_like_control(content: str) -> bool:
    return len(content) > 2 and content[0] == "<" and content[-1] == ">" and not content[1:-1].isspace()


def _byte_decoder(fast: FastTokenizer) -> Callable[[str], bytes]:
    """How this vocabulary writes bytes: in GPT-2's printable alphabet, or as SentencePiece does."""
    if fast.decoder is not None and b"ByteLevel" in fast.decoder.__getstate__():
        bytes_of = {ord(char): byte for char, byte in _gpt2_alphabet().items()}
        # A character outside the alphabet must not be taken for the byte of its number.
        others = {code: 0xFFFF for code in range(256) if code not in bytes_of}
        return partial(_byte_level_bytes, table=bytes_of | others)
    return _sentencepiece_bytes


def _byte_level_bytes(token: str, table: dict[int, int]) -> bytes:
    try:
        return token.translate(table).encode("latin-1")
    except UnicodeEncodeError:
        return token.encode()  # a token that was added as plain text


def _sentencepiece_bytes(token: str) -> bytes:
    if byte := _BYTE.fullmatch(token):
        return bytes.fromhex(byte[1])
    return token.replace("\u2581", " ").encode()


def _gpt2_alphabet() -> dict[str, int]:
    """The printable character that stands for each byte in a byte-level vocabulary.

    Source: ``bytes_to_unicode`` of openai/gpt-2, encoder.py.
    """
    ranges = (("!", "~"), ("¡", "¬"), ("®", "ÿ"))
    printable = [byte for first, last in ranges for byte in range(ord(first), ord(last) + 1)]
    others = [byte for byte in range(256) if byte not in set(printable)]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}
