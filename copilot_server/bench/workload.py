"""What is measured on: this package's own source, which is at hand wherever it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

CountTokens = Callable[[str], int]


def source_lines() -> list[str]:
    """Every line of this package, file after file in the order of their names, line ends kept."""
    package = Path(__file__).parent.parent
    files = sorted(package.rglob("*.py"))
    return [line for file in files for line in file.read_text("utf-8").splitlines(keepends=True)]


def texts_of(tokens: int, count_tokens: CountTokens) -> Iterator[str]:
    """Texts of at least ``tokens`` tokens and at most a line more, none of which begins like another."""
    text, size = "", 0
    for line in source_lines():
        text += line
        size += count_tokens(line)
        if size >= tokens:
            yield text
            text, size = "", 0


def tokens_per_line(count_tokens: CountTokens) -> float:
    """The mean number of tokens of a line that is not blank, of the first thousand."""
    lines = list(islice((line for line in source_lines() if line.strip()), 1000))
    return sum(map(count_tokens, lines)) / len(lines)
