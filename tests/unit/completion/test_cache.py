"""What is answered without the model, and what must not be."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_server.completion.cache import CompletionCache
from copilot_server.completion.types import Candidate, Completion, Source
from copilot_server.context.document import Cursor, Document


def at(text: str, uri: str = "file:///a.py") -> Cursor:
    return Cursor(Document(uri, "python", text.replace("‸", "")), text.index("‸"))


def completion(
    *texts: str, cancelled: bool = False, replaced: int = 0, source: Source = "model"
) -> Completion:
    candidates = tuple(Candidate(text, -0.1, "stop", replaced) for text in texts)
    return Completion(candidates, source, "fim", cancelled=cancelled)


def texts(found: Completion | None) -> list[str] | None:
    return None if found is None else [candidate.text for candidate in found.candidates]


def cache_with(text: str, *suggestions: str) -> CompletionCache:
    cache = CompletionCache()
    cache.store(at(text), completion(*suggestions))
    return cache


def test_the_same_position_is_a_hit():
    found = cache_with("x = ‸\ny", "foo()").lookup(at("x = ‸\ny"))
    assert texts(found) == ["foo()"]
    assert found is not None
    assert found.source == "cache"


def test_typing_what_was_suggested_is_a_hit():
    cache = cache_with("x = ‸\ny", "foo(bar)", "fab()", "zoo")
    assert texts(cache.lookup(at("x = f‸\ny"))) == ["oo(bar)", "ab()"]
    assert texts(cache.lookup(at("x = foo(b‸\ny"))) == ["ar)"]


def test_typing_something_else_is_a_miss():
    cache = cache_with("x = ‸\ny", "foo(bar)")
    assert cache.lookup(at("x = g‸\ny")) is None
    assert cache.lookup(at("x = foo(bar)‸\ny")) is None  # nothing is left to suggest
    assert cache.lookup(at("x =‸\ny")) is None


@pytest.mark.parametrize(
    ("suggested", "now", "left"),
    [
        ("foo(bar)", "x = foo(bar‸\ny", []),
        ('foo("bar")', 'x = foo("bar‸\ny', []),
        ("foo(\n    bar\n)", "x = foo(\n    bar‸\ny", []),
        ("foo(bar)", "x = foo(ba‸\ny", ["r)"]),
        ("foo()", "x = foo‸\ny", ["()"]),
        ('foo + ""', "x = foo + ‸\ny", ['""']),
    ],
)
def test_closers_that_are_left_of_a_suggestion_are_not_shown(suggested: str, now: str, left: list[str]):
    assert texts(cache_with("x = ‸\ny", suggested).lookup(at(now))) == left


def test_a_change_at_another_position_is_a_miss():
    cache = cache_with("x = ‸\ny", "foo(bar)")
    assert cache.lookup(at("z = f‸\ny")) is None
    assert cache.lookup(at("x = f‸\nz")) is None
    assert cache.lookup(at("x = f‸\ny", uri="file:///b.py")) is None
    assert texts(cache.lookup(at("x = f‸\ny"))) == ["oo(bar)"]


def test_an_empty_answer_is_remembered_for_its_position_alone():
    cache = cache_with("x = ‸")
    assert texts(cache.lookup(at("x = ‸"))) == []
    assert cache.lookup(at("x = f‸")) is None


def test_what_was_cancelled_is_not_kept():
    cache = CompletionCache()
    cache.store(at("x = ‸"), completion("foo", cancelled=True))
    assert cache.lookup(at("x = ‸")) is None
    cache.store(at("x = ‸"), completion("foo"))
    assert cache.lookup(at("x = ‸")) is not None


def test_the_newest_entry_answers():
    cache = cache_with("‸", "ab one")
    cache.store(at("a‸"), completion("b two"))
    assert texts(cache.lookup(at("ab‸"))) == [" two"]


def test_the_least_recently_used_is_forgotten():
    cache = CompletionCache(capacity=2)
    for name in ("a", "b", "c"):
        cache.store(at(f"{name}‸"), completion("x"))
    assert cache.lookup(at("a‸")) is None
    assert texts(cache.lookup(at("b‸"))) == ["x"]


def accepted(cursor: Cursor, found: Completion | None) -> str | None:
    """The document after the first candidate is accepted."""
    if found is None or not found.candidates:
        return None
    candidate = found.candidates[0]
    return cursor.prefix + candidate.text + cursor.suffix[candidate.replaced :]


def after(drawn: str, text: str, replaced: int, now: str) -> str | None:
    """The document to which accepting leads at ``now``, when ``text`` was suggested at ``drawn``."""
    cache = CompletionCache()
    cache.store(at(drawn), completion(text, replaced=replaced))
    return accepted(at(now), cache.lookup(at(now)))


@pytest.mark.parametrize(
    ("drawn", "text", "replaced", "now"),
    [
        ("x = f‸\ny", "oo(a, b)", 0, "x = foo(‸)\ny"),  # the editor has closed the bracket
        ("x = ‸\ny", 'foo("a", [1])', 0, 'x = foo("a", [‸])\ny'),
        ("x = ‸\ny", 'foo("a")', 0, 'x = foo("‸")\ny'),
        ("x = ‸ + 1\ny", "foo(a)", 0, "x = foo(‸) + 1\ny"),
        ("x = ‸\ny", "foo(\n    a,\n).b", 0, "x = foo(‸)\ny"),
        ("foo(‸)\ny", "a, b).c", 1, "foo(a, ‸)\ny"),  # what was there is still there
        ("foo(‸)\ny", "a, b).c", 1, "foo(a, b)‸\ny"),  # or it has been typed over
        ("foo([‸])\ny", "a]).c", 2, "foo([a]‸)\ny"),
        ("foo([‸])\ny", "a]).c", 2, "foo([a]).‸\ny"),
        ("foo(‸)\ny", "bar(a))", 1, "foo(bar(‸))\ny"),
        ("def f():‸\n", "\n    x = 1\n    return x", 0, "def f():\n    x = 1\n    ‸\n"),  # by words and lines
    ],
)
def test_typing_with_closers_leads_to_the_document_that_was_suggested(
    drawn: str, text: str, replaced: int, now: str
):
    suggested = at(drawn).prefix + text + at(drawn).suffix[replaced:]
    assert after(drawn, text, replaced, now) == suggested


@pytest.mark.parametrize(
    ("drawn", "text", "replaced", "now"),
    [
        ("x = ‸\ny", "foo(a", 0, "x = foo(‸)\ny"),  # the bracket would go
        ("x = ‸\ny", "foo(a)", 0, "x = foo(‸]\ny"),
        ("x = ‸\ny", "foo(a)", 0, "x = foo(‸b)\ny"),  # no closer
        ("x = ‸ + 1\ny", "foo(a)", 0, "x = foo(‸)\ny"),  # something else has gone
        ("x = ‸ + 1\ny", "foo(a)", 0, "x = fo‸ + 2\ny"),
        ("foo(‸)\ny", "a, b", 0, "foo(a, ‸\ny"),  # was not to be replaced
        ("foo(‸)\ny", "a)", 1, "foo(a‸)\ny"),  # nothing would change
        ("foo(‸)\ny", "a)", 1, "foo(a)‸\ny"),
    ],
)
def test_other_changes_after_the_cursor_are_misses(drawn: str, text: str, replaced: int, now: str):
    assert after(drawn, text, replaced, now) is None


@pytest.mark.parametrize(
    ("drawn", "text", "now", "left"),
    [
        ("f():‸\n", "\n    x = 1\n    y", "f():\n    x = 1  \n    ‸\n", "y"),
        ("f():‸\n", "\n    x = 1\n\n    y", "f():\n    x = 1\n    ‸\n", "\n    y"),
        ("f():‸\n", "\n    x = 1\n\n    y", "f():\n    x = 1\n    \n    ‸\n", "y"),
        ("f():‸\r\n", "\r\n    x = 1\r\n\r\n    y", "f():\r\n    x = 1\r\n    ‸\r\n", "\r\n    y"),
        ("f():‸\n", "\n    x = 1\n    y", "f():\n    x = 1 ‸\n", None),  # perhaps more comes on this line
        ("f():‸\n", "\n    x = 1\n    y", "f():\n    x  = 1\n    ‸\n", None),
        ("f():‸\n", "\n    x = 1\n    y", "f():\n    x = 1\n        ‸\n", None),
        ("f():‸\n", "\n    x = 1\n    y", "f():\n    x = 1\n\n    ‸\n", None),
    ],
)
def test_blanks_at_line_ends_do_not_matter(drawn: str, text: str, now: str, left: str | None):
    found = cache_with(drawn, text).lookup(at(now))
    assert texts(found) == (None if left is None else [left])


def test_going_back_finds_what_was_suggested_there():
    cache = CompletionCache()
    for drawn, text in (("x = f‸\ny", "oo(a)"), ("x = fo‸\ny", "x"), ("x = fox‸\ny", "es")):
        cache.store(at(drawn), completion(text))
    assert texts(cache.lookup(at("x = fo‸\ny"))) == ["x"]
    assert texts(cache.lookup(at("x = f‸\ny"))) == ["oo(a)"]
    assert texts(cache.lookup(at("x = fox‸\ny"))) == ["es"]


def test_the_source_of_an_answer_says_that_it_was_prefetched():
    cache = CompletionCache()
    cache.store(at("x = ‸"), completion("foo()", source="ahead"))
    cache.store(at("y = ‸"), completion("foo()", source="model"))
    prefetched, typed, other = (cache.lookup(at(drawn)) for drawn in ("x = ‸", "x = f‸", "y = ‸"))
    assert prefetched
    assert typed
    assert other
    assert (prefetched.source, typed.source, other.source) == ("ahead", "ahead", "cache")


PIECES = st.lists(st.sampled_from([*"()[]\"' \n", "a", "b", "\n    "]), max_size=6).map("".join)


@given(PIECES, PIECES, PIECES, PIECES, st.data())
def test_what_is_found_always_leads_to_what_was_suggested(
    before: str, line_suffix: str, below: str, text: str, data: st.DataObject
):
    line_suffix = line_suffix.replace("\n", "")
    replaced = data.draw(st.integers(0, len(line_suffix)))
    cursor = Cursor(Document("file:///a.py", "python", f"{before}{line_suffix}\n{below}"), len(before))
    cache = CompletionCache()
    cache.store(cursor, completion(text, replaced=replaced))
    typed = text[: data.draw(st.integers(0, len(text)))] + data.draw(st.sampled_from(["", "", " ", "\n"]))
    over = data.draw(st.integers(0, min(2, len(line_suffix))))
    inserted = data.draw(st.sampled_from(["", "", ")", "])", '"']))
    now = f"{before}{typed}{inserted}{line_suffix[over:]}\n{below}"
    here = Cursor(Document("file:///a.py", "python", now), len(before + typed))
    found = accepted(here, cache.lookup(here))
    if found is not None:
        assert without_blanks(found) == without_blanks(before + text + cursor.suffix[replaced:])


def without_blanks(text: str) -> str:
    return re.sub(r"[ ]+$", "", text, flags=re.MULTILINE)
