"""What is answered without the model, and what must not be."""

from __future__ import annotations

from copilot_server.completion.cache import CompletionCache
from copilot_server.completion.types import Candidate, Completion
from copilot_server.context.document import Cursor, Document


def at(text: str, uri: str = "file:///a.py") -> Cursor:
    return Cursor(Document(uri, "python", text.replace("‸", "")), text.index("‸"))


def completion(*texts: str, cancelled: bool = False) -> Completion:
    candidates = tuple(Candidate(text, -0.1, "stop") for text in texts)
    return Completion(candidates, "model", "fim", cancelled=cancelled)


def texts(found: Completion | None) -> list[str] | None:
    return None if found is None else [candidate.text for candidate in found.candidates]


def cache_with(text: str, *suggestions: str) -> CompletionCache:
    cache = CompletionCache()
    cache.store(at(text), completion(*suggestions))
    return cache


def test_the_same_place_is_a_hit():
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


def test_a_change_elsewhere_is_a_miss():
    cache = cache_with("x = ‸\ny", "foo(bar)")
    assert cache.lookup(at("z = f‸\ny")) is None
    assert cache.lookup(at("x = f‸\nz")) is None
    assert cache.lookup(at("x = f‸\ny", uri="file:///b.py")) is None
    assert texts(cache.lookup(at("x = f‸\ny"))) == ["oo(bar)"]


def test_nothing_found_is_remembered_for_the_place_alone():
    cache = cache_with("x = ‸")
    assert texts(cache.lookup(at("x = ‸"))) == []
    assert cache.lookup(at("x = f‸")) is None


def test_what_was_cancelled_is_not_kept():
    cache = CompletionCache()
    cache.store(at("x = ‸"), completion("foo", cancelled=True))
    assert cache.lookup(at("x = ‸")) is None
    cache.store(at("x = ‸"), completion("foo"))
    assert cache.lookup(at("x = ‸")) is not None


def test_the_newest_place_answers():
    cache = cache_with("‸", "ab one")
    cache.store(at("a‸"), completion("b two"))
    assert texts(cache.lookup(at("ab‸"))) == [" two"]


def test_the_least_recently_used_is_forgotten():
    cache = CompletionCache(capacity=2)
    for name in ("a", "b", "c"):
        cache.store(at(f"{name}‸"), completion("x"))
    assert cache.lookup(at("a‸")) is None
    assert texts(cache.lookup(at("b‸"))) == ["x"]
