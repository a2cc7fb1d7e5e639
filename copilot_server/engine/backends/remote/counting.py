"""How many tokens a text is: by the model's own tokenizer if it is on this machine, else about."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import ceil

from copilot_server.catalog import Manifest
from copilot_server.engine.models.gguf import unpacked_folder
from copilot_server.fetch import cached_path

#: As the tokenizers of today cut text before they look for tokens: a word with what stands before it, digits,
#: marks, line ends, spaces. After cl100k's pattern (github.com/openai/tiktoken, openai_public.py).
_PIECE = re.compile(r"[^\r\n\w]?[^\W\d_]+|\d|[ ]?(?:[^\s\w]|_)+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
#: A token holds so many bytes of a word, and of marks in a row: seldom fewer, lest a prompt be too long
#: (benchmarks/LOG.md).
_WORD_BYTES, _MARK_BYTES = 10, 3


def token_counter(manifest: Manifest) -> Callable[[str], int]:
    """What counts the tokens of a text for this model."""
    path = cached_path(manifest) if manifest.sources else None
    if path is None:
        return estimate_tokens
    folder = unpacked_folder(path) if path.suffix == ".gguf" else path
    if not (folder / "tokenizer.json").is_file():
        return estimate_tokens
    from copilot_server.engine.models.tokenizer import load_tokenizer  # noqa: PLC0415 - seldom needed, and slow

    tokenizer = load_tokenizer(folder)
    return lambda text: len(tokenizer.encode_text(text))


def estimate_tokens(text: str) -> int:
    """About how many tokens ``text`` is to any of today's models for code."""
    return sum(
        ceil(len(piece.encode("utf-8", "replace")) / (_WORD_BYTES if piece[-1].isalpha() else _MARK_BYTES))
        for piece in _PIECE.findall(text)
    )
