"""The number of tokens in a text: exact if the model's tokenizer is on this machine, else an estimate."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import ceil

from copilot_server.catalog import Manifest
from copilot_server.engine.models.gguf import unpacked_folder
from copilot_server.fetch import cached_path

#: How current tokenizers split text before they look for tokens: a word with the character before it, a
#: digit, punctuation, line ends, spaces. After cl100k's pattern (github.com/openai/tiktoken,
#: openai_public.py).
_PIECE = re.compile(r"[^\r\n\w]?[^\W\d_]+|\d|[ ]?(?:[^\s\w]|_)+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
#: How many bytes of a word, or of consecutive punctuation, a token holds at most, by estimate. They are
#: chosen so that prompts seldom turn out too long (benchmarks/LOG.md).
_WORD_BYTES, _MARK_BYTES = 10, 3


def token_counter(manifest: Manifest) -> Callable[[str], int]:
    """A function that counts the tokens of a text for this model."""
    path = cached_path(manifest) if manifest.sources else None
    if path is None:
        return estimate_tokens
    folder = unpacked_folder(path) if path.suffix == ".gguf" else path
    if not (folder / "tokenizer.json").is_file():
        return estimate_tokens
    from copilot_server.engine.models.tokenizer import load_tokenizer  # noqa: PLC0415 - slow, seldom needed

    tokenizer = load_tokenizer(folder)
    return lambda text: len(tokenizer.encode_text(text))


def estimate_tokens(text: str) -> int:
    """Estimate how many tokens ``text`` is for current models of code."""
    return sum(
        ceil(len(piece.encode("utf-8", "replace")) / (_WORD_BYTES if piece[-1].isalpha() else _MARK_BYTES))
        for piece in _PIECE.findall(text)
    )
