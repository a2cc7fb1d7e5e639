"""The texts that the bench measures with."""

from __future__ import annotations

from itertools import islice

from copilot_server.bench.workload import BEGINNING, texts_of, tokens_per_line


def words(text: str) -> int:
    return len(text.split())


def test_texts_are_long_enough_and_begin_differently():
    texts = list(islice(texts_of(100, words), 20))
    assert all(100 <= words(text) < 100 + 60 for text in texts)
    assert len({text[:BEGINNING] for text in texts}) == len(texts)


def test_a_line_has_some_tokens():
    assert 2 < tokens_per_line(words) < 20
