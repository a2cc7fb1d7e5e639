"""The heads of definitions and the imports in a file, whole or broken."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_server.workspace.python.heads import MAX_LINE, parameter_types, summarize
from copilot_server.workspace.summary import Definition, FileSummary, Import
from tests.support.library_sources import SOURCES

CLASS = '''
@dataclass(frozen=True, slots=True)
class Store(Base, Generic[T], metaclass=Meta):
    """Keeps things.

    For long.
    """

    path: Path
    size: int = 3
    items: list[str] = field(default_factory=list)
    RED = 1
    table = {"a long": "value that does not fit", "on": "one line of the file", "and": "so is left out"}

    @property
    def name(self) -> str:
        """The name."""
        return "secret body"

    @name.setter
    def name(self, value: str) -> None: ...

    @classmethod
    async def load(
        cls,
        path: Path,  # where it is
        *,
        strict: bool = True,
    ) -> Self:
        return body

    class Options(Base): ...
'''


def definition(text: str, name: str) -> Definition:
    found = summarize(text).definition(name)
    assert found is not None
    return found


def heads(one: Definition) -> list[str]:
    return [member.head for member in one.members]


def test_a_class_has_its_bases_fields_and_the_heads_of_its_methods():
    store = definition(CLASS, "Store")
    assert store.head == (
        "@dataclass(frozen=True, slots=True)\nclass Store(Base, Generic[T], metaclass=Meta):"
    )
    assert store.doc == "Keeps things."
    assert store.bases == ("Base", "Generic")
    assert heads(store) == [
        "path: Path",
        "size: int = 3",
        "items: list[str] = field(default_factory=list)",
        "RED = 1",
        "table = ...",
        "@property\ndef name(self) -> str:",
        "@classmethod\nasync def load(cls, path: Path, *, strict: bool = True) -> Self:",
        "class Options(Base):",
    ]
    assert store.members[5].kind == "property"
    assert store.members[5].type == "str"


def test_bodies_are_never_kept():
    assert "body" in CLASS
    assert "body" not in summarize(CLASS).to_json()
    assert "secret_default" in summarize("def f(a=secret_default): ...").to_json()


def test_attributes_that_the_initializer_sets_have_the_types_that_are_certain():
    text = """
class Session:
    declared: int

    def __init__(self, path: Path, store=None, *, limit: "int | None" = None):
        self.path = path
        self.store = store
        self._limit = limit
        self.declared = 3
        self.cache: dict[str, int] = {}
        if store is None:
            self.client = Client(path)
        self.a = self.b = 1
        other.c = 2
"""
    session = definition(text, "Session")
    assert [(one.head, one.type) for one in session.members] == [
        ("declared: int", "int"),
        ("path: Path", "Path"),
        ("store = store", ""),
        ('_limit: "int | None"', '"int | None"'),
        ("cache: dict[str, int] = {}", "dict[str, int]"),
        ("client = Client(path)", "Client()"),
        ("a = 1", ""),
        ("b = 1", ""),
        ('def __init__(self, path: Path, store=None, *, limit: "int | None" = None):', ""),
    ]


def test_functions_have_their_whole_signature_on_one_line():
    text = '''
async def fetch[T](
    url: str,
    /,
    *args: T,
    retries: int = 3,
    headers={"a": "quite a long default value that says nothing to anybody"},
    **kwargs: object,
) -> dict[str, T]:
    """Fetch it.  """
'''
    fetch = definition(text, "fetch")
    assert fetch.head == (
        "async def fetch[T](url: str, /, *args: T, retries: int = 3, headers=..., **kwargs: object)"
        " -> dict[str, T]:"
    )
    assert (fetch.doc, fetch.type) == ("Fetch it.", "dict[str, T]")


def test_overloads_are_collected_and_the_implementation_left_out():
    text = """
@overload
def get(key: str) -> str: ...
@overload
def get(key: int) -> int: ...
def get(key): return key
"""
    assert definition(text, "get").head == (
        "@overload\ndef get(key: str) -> str: ...\n@overload\ndef get(key: int) -> int:"
    )


def test_constants_and_type_aliases_are_one_line_of_limited_length():
    text = """
LIMIT = 3
NAMES: tuple[str, ...] = ("one", "two")
LONG = ["something very long", "something very long", "something very long", "something very long"]
STORE = Store("something very long", "something very long", "something very long", "something very long")
type Pair[T] = tuple[T, T]
Alias: TypeAlias = "dict[str, int]"
a, b = 1, 2
x.y = 3
LIMIT += 1
"""
    summary = summarize(text)
    assert [one.head for one in summary.definitions] == [
        "LIMIT = 3",
        'NAMES: tuple[str, ...] = ("one", "two")',
        "LONG = ...",
        "STORE = Store(...)",
        "type Pair[T] = tuple[T, T]",
        'Alias: TypeAlias = "dict[str, int]"',
    ]
    assert definition(text, "STORE").type == "Store()"
    assert all(len(one.head) <= MAX_LINE for one in summary.definitions)


def test_definitions_under_conditions_count_and_the_first_one_of_a_name_stays():
    text = """
if sys.platform == "win32":
    def rename(a): ...
else:
    def rename(a, b): ...
try:
    import fast as quick
except ImportError:
    quick = None
with suppress(E):
    for one in []:
        VALUE = 1
def outer():
    def inner(): ...
"""
    summary = summarize(text)
    assert [one.head for one in summary.definitions] == [
        "def rename(a):",
        "quick = None",
        "VALUE = 1",
        "def outer():",
    ]


def test_imports_of_every_form():
    text = """
from __future__ import annotations
import os.path, numpy as np
from . import sibling
from .b import (c as d,  # why
    e)
from ..up.er import *
if TYPE_CHECKING:
    from a.b import C
__all__ = ["one"] + ["two"]
__all__ += ("three",)
"""
    summary = summarize(text)
    assert summary.imports == (
        Import("os", "", "os"),
        Import("numpy", "", "np"),
        Import(".", "sibling", "sibling"),
        Import(".b", "c", "d"),
        Import(".b", "e", "e"),
        Import("..up.er", "*", ""),
        Import("a.b", "C", "C"),
    )
    assert summary.exports == ("one", "two", "three")
    assert summarize("x = 1").exports is None


def test_a_broken_file_still_has_what_is_whole_in_it():
    text = "def whole(a: int) -> str:\n    return a\n\nclass Half(\n\ndef other(b): ...\n"
    assert summarize(text).definition("whole") == Definition(
        "whole", "function", "def whole(a: int) -> str:", "", "str"
    )


def test_types_of_parameters():
    header = "def f(self, a: Store, b: 'X | None' = None, *args: int, c=1, **kw: str) -> None:"
    assert parameter_types(header) == {"a": "Store", "b": "'X | None'"}
    assert parameter_types("def f(") == {}


@pytest.mark.parametrize(
    "text", ["", "\0", "(" * 5000, "class " * 1000, "\ud800 = 1", "if 1:\n" * 50, "@\n" * 99]
)
def test_odd_texts_have_a_summary(text: str):
    assert isinstance(summarize(text), FileSummary)


@given(st.integers(0, len(SOURCES) - 1), st.integers(0, 2**32))
def test_broken_sources_never_raise_and_survive_being_stored(index: int, seed: int):
    summary = summarize(broken(SOURCES[index], seed))
    assert FileSummary.from_json(summary.to_json()) == summary


def broken(source: str, seed: int) -> str:
    """Cut a piece out of a real file, and remove, double or replace a few pieces of it."""
    chosen = random.Random(seed)
    start = chosen.randrange(len(source))
    text = source[start : start + chosen.randrange(8000)]
    for _ in range(chosen.randrange(6)):
        at = chosen.randrange(len(text) + 1)
        end = at + chosen.choice([0, 1, 2, 10, 200])
        odd = [
            "",
            "(",
            '"""',
            "\\",
            "\n    ",
            ":",
            "def ",
            "class ",
            "@",
            "=",
            "\0",
            "\ud800",
            "é",
            text[at:end] * 2,
        ]
        text = text[:at] + chosen.choice(odd) + text[end:]
    return text


def test_the_fuzz_breaks_files():
    assert any(broken(SOURCES[0], seed) not in SOURCES[0] for seed in range(20))
