"""How alike code is to that around a cursor."""

from __future__ import annotations

import pytest

from copilot_server.workspace.similar.query import best_match, inverse_frequency, query_at

BEFORE = "open_store(path)\n\nstore.load(key)\n"
COMMON = {"self"}


def rarity(term: str) -> float:
    return 0.0 if term in COMMON else 1.0


def test_near_terms_count_twice_and_common_ones_nothing():
    far = "\n".join(["far_away()", "self.one()", "self.two()", "self.three()", "self.four()\n"])
    weights = query_at(far, "\nbelow_it()\n", rarity).weights
    assert (weights["four"], weights["one"], weights["away"], weights["below"]) == (1.0, 1.0, 0.5, 0.5)
    assert weights["self"] == 0.0


def test_terms_are_counted_only_near_the_cursor():
    before = "".join(f"name{number}()\n" for number in range(40))
    query = query_at(before, before, rarity)
    assert "name39" in query.weights
    assert "name2" in query.weights
    assert "name20" not in query.weights


def test_coverage_is_a_share():
    query = query_at(BEFORE, "", rarity)
    assert query.coverage(query.weights) == pytest.approx(1.0)
    assert query.coverage(()) == 0.0
    assert 0.0 < query.coverage({"store"}) < 0.5
    assert query_at("", "", rarity).coverage({"store"}) == 0.0


def test_the_line_like_the_one_above_the_cursor_is_found():
    lines = ["", "open_store(path)", "store.load(key)", "", "store.close()", "open_store(other)"]
    match = best_match("/a", lines, 0, len(lines), query_at(BEFORE, "", rarity))
    assert match is not None
    assert (match.last, match.path) == (2, "/a")
    assert match.score == pytest.approx((1.0 + 1.6 / 2.3) / 2)


def test_other_code_scores_little_and_blank_code_nothing():
    query = query_at(BEFORE, "", rarity)
    match = best_match("/a", ["other(code)", "store = 1"], 0, 2, query)
    assert match is not None
    assert match.score < 0.3
    assert best_match("/a", ["", " "], 0, 2, query) is None
    assert best_match("/a", ["x"], 3, 9, query) is None


def test_a_rare_term_tells_more():
    assert inverse_frequency(1, 100) > inverse_frequency(10, 100) > inverse_frequency(100, 100) > 0.0
    assert inverse_frequency(3, 2) == 0.0
