"""The texts of the bench: the source of this package, which is available wherever it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

#: Two texts that have the same first characters, this many, begin alike.
BEGINNING = 40

CountTokens = Callable[[str], int]


def source_lines() -> list[str]:
    """Return the lines of all files of this package in the order of their names, with line ends."""
    package = Path(__file__).parent.parent
    files = sorted(package.rglob("*.py"))
    return [line for file in files for line in file.read_text("utf-8").splitlines(keepends=True)]


def texts_of(tokens: int, count_tokens: CountTokens) -> Iterator[str]:
    """Yield texts of ``tokens`` tokens and at most a line more. No two begin alike."""
    text, size = "", 0
    beginnings: set[str] = set()
    for line in source_lines():
        text += line
        size += count_tokens(line)
        if size >= tokens:
            # The beginning of a text must not be in a prefix cache already.
            if text[:BEGINNING] not in beginnings:
                beginnings.add(text[:BEGINNING])
                yield text
            text, size = "", 0


def tokens_per_line(count_tokens: CountTokens) -> float:
    """Return the mean number of tokens in the first thousand lines that are not blank."""
    lines = list(islice((line for line in source_lines() if line.strip()), 1000))
    return sum(map(count_tokens, lines)) / len(lines)
