"""How current tokenizers split a text into words, for models whose tokenizer is not at hand."""

from __future__ import annotations

import re
from math import ceil

#: A word with the character before it, a digit, punctuation, line ends, spaces. After cl100k's pattern
#: (github.com/openai/tiktoken, openai_public.py).
_WORD = re.compile(r"[^\r\n\w]?[^\W\d_]+|\d|[ ]?(?:[^\s\w]|_)+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
#: How many bytes of a word, or of consecutive punctuation, a token holds at most, by estimate. They are
#: chosen so that prompts seldom turn out too long (benchmarks/LOG.md).
_WORD_BYTES, _MARK_BYTES = 10, 3


def word_starts(text: str) -> list[int]:
    """Return the offset of each word's first character, in code points."""
    return [found.start() for found in _WORD.finditer(text)]


def estimate_tokens(text: str) -> int:
    """Estimate how many tokens ``text`` is for current models of code."""
    return sum(
        ceil(len(word.encode("utf-8", "replace")) / (_WORD_BYTES if word[-1].isalpha() else _MARK_BYTES))
        for word in _WORD.findall(text)
    )
