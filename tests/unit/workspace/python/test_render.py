"""Definitions as plain code of limited length."""

from __future__ import annotations

import ast

import pytest

from copilot_server.workspace.python.heads import summarize
from copilot_server.workspace.python.render import (
    has_visible_members,
    members_of_module,
    names_of_members,
    render,
    words_of,
)
from copilot_server.workspace.summary import Definition
from tests.support.library_sources import SOURCES

CLASS = '''
class Store(Base):
    """Keeps things."""
    a: int
    b: str
    def __init__(self, path: Path) -> None: ...
    def get_item(self, key: str) -> bytes: ...
    def put(self, key: str, value: bytes) -> None: ...
    def _hidden(self) -> None: ...
    @classmethod
    def load(cls) -> Store: ...
'''


def only(text: str) -> Definition:
    (found,) = summarize(text).definitions
    return found


def test_a_class_that_fits_is_shown_without_its_private_members():
    assert render(only(CLASS), 1000) == (
        'class Store(Base):\n    """Keeps things."""\n    a: int\n    b: str\n'
        "    def __init__(self, path: Path) -> None: ...\n"
        "    def get_item(self, key: str) -> bytes: ...\n"
        "    def put(self, key: str, value: bytes) -> None: ...\n"
        "    @classmethod\n    def load(cls) -> Store: ..."
    )


def test_private_members_are_shown_if_they_are_named():
    assert "_hidden" in render(only(CLASS), 1000, {"_hidden"})


def test_a_long_class_shows_what_is_named_and_what_shares_words_and_names_the_rest():
    text = render(only(CLASS), 210, {"put"}, {"item"})
    assert text == (
        'class Store(Base):\n    """Keeps things."""\n    def __init__(self, path: Path) -> None: ...\n'
        "    def put(self, key: str, value: bytes) -> None: ...\n    # also: a, b, get_item(), load()"
    )
    assert len(text) <= 210
    more = render(only(CLASS), 270, {"put"}, {"item"})
    assert "    def get_item(self, key: str) -> bytes: ...\n" in more


def test_an_enumeration_names_its_members():
    text = "class Color(enum.Enum):\n    RED = 1\n    GREEN = 2\n    def mixed(self) -> Color: ..."
    shown = "class Color(enum.Enum):\n    RED, GREEN = ...\n    def mixed(self) -> Color: ..."
    assert render(only(text), 99) == shown
    assert render(only(text), 70) == "class Color(enum.Enum):\n    RED, GREEN = ...\n    # also: mixed()"


def test_properties_are_shown_as_attributes_and_what_has_no_type_by_name():
    text = (
        "class A:\n    x = 1\n    @property\n    def y(self) -> int: ...\n    @property\n    def z(self): ..."
    )
    assert render(only(text), 99) == "class A:\n    y: int\n    # also: x, z"


@pytest.mark.parametrize(
    ("text", "length", "expected"),
    [
        ("class A: ...", 99, "class A: ..."),
        ('class A:\n    """Doc."""', 99, 'class A:\n    """Doc."""'),
        ("class A:\n    def f(self): ...", 15, "class A: ..."),
        ("class A:\n    def f(self): ...", 5, ""),
        ("x: int = 3", 99, "x: int = 3"),
        ("x: int = 3", 5, ""),
        ('def f(a):\n    """Doc."""', 99, 'def f(a):\n    """Doc."""'),
        ('def f(a):\n    """Doc."""', 15, "def f(a): ..."),
        ("def f(a: dict[str, int], b: int) -> str: ...", 41, "def f(a: dict[str, int], ...) -> str: ..."),
        ("def f(a: dict[str, int], b: int) -> str: ...", 30, ""),
        ("@overload\ndef f(a): ...\n@overload\ndef f(b): ...", 30, "@overload\ndef f(a): ..."),
    ],
)
def test_what_is_too_long_is_cut_or_left_out(text: str, length: int, expected: str):
    assert render(only(text), length) == expected


def test_attributes_that_the_initializer_names_are_told_once():
    text = "class A:\n    def __init__(self, a: int, b=1):\n        self.a: str = a\n        self.c: int = 2"
    assert render(only(text), 99) == "class A:\n    c: int = 2\n    def __init__(self, a: int, b=1): ..."


def test_a_class_can_name_its_members_alone():
    store = only(CLASS)
    assert names_of_members(store, store.members, 99) == (
        "class Store(Base): ...\n    # also: a, b, get_item(), put(), load(), __init__(), _hidden()"
    )
    assert names_of_members(store, store.members, 45) == "class Store(Base): ...\n    # also: a, b"
    assert names_of_members(store, store.members, 20) == ""


def test_a_module_shows_its_public_heads():
    definitions = summarize(f"{CLASS}\nLIMIT = 3\ndef _f(): ...\ndef g(): ...").definitions
    assert members_of_module(definitions, 99) == "class Store(Base): ...\nLIMIT = 3\ndef g(): ..."
    assert members_of_module(definitions, 30) == "LIMIT = 3\n# also: Store, g()"


def test_words_of_names():
    assert words_of("getItems HTTP_server x2 a_path") == {"get", "items", "http", "server", "path"}


def test_bare_classes():
    assert not has_visible_members(only("class A:\n    def _f(self): ..."))
    assert has_visible_members(only(CLASS))


def test_what_is_shown_of_real_files_is_python_of_limited_length():
    shown = 0
    for source in SOURCES:
        for one in summarize(source).definitions:
            for length in (80, 300, 5000):
                text = render(one, length)
                assert len(text) <= length
                shown += bool(text)
                if length == 5000:
                    ast.parse(text)
    assert shown > 500
