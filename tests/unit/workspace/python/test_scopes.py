"""The names that a file binds. That any doubt leaves them open is tested by ``test_missing``."""

from __future__ import annotations

import random

import pytest

from copilot_server.workspace.names import Binding, FileNames, Signature
from copilot_server.workspace.python.scopes import read_class, read_names
from tests.support.paths import REPOSITORY


@pytest.mark.parametrize(
    ("text", "name", "binding"),
    [
        ("class A: ...", "A", Binding("class")),
        ("def f(): ...", "f", Binding("function")),
        ("import a.b", "a", Binding("import", "a")),
        ("import a.b as c", "c", Binding("import", "a.b")),
        ("from .a import b as c", "c", Binding("import", ".a", "b")),
        ("x: A = f()", "x", Binding("variable", type="A")),
        ("x = A(1)", "x", Binding("variable", type="A()")),
        ("x = A(1).b", "x", Binding("variable")),
        ("x = await A(1)", "x", Binding("variable")),
        ("x = a.b", "x", Binding("alias", name="a.b")),
        ("x = None", "x", Binding("variable")),
        ("x, y = z", "y", Binding("unknown")),
        ("x = y = 1", "y", Binding("variable")),
        ("type X[T] = list[T]", "X", Binding("unknown")),
        ("class A: ...\nclass A: ...", "A", Binding("unknown")),
        ("try:\n    class A: ...\nexcept E:\n    A = None", "A", Binding("unknown")),
        ("if x:\n    import a\nelse:\n    import a", "a", Binding("import", "a")),
        ("if x:\n    import a\nelse:\n    from b import a", "a", Binding("unknown")),
        ("[x for x in y]", "x", Binding("unknown")),
        ("for x in y: ...", "x", Binding("unknown")),
        ("with a as x: ...", "x", Binding("unknown")),
        ("def f():\n    global x\n    x = 1", "x", Binding("unknown")),
    ],
)
def test_how_a_name_is_bound(text: str, name: str, binding: Binding):
    assert read_names(text).bindings[name] == binding


@pytest.mark.parametrize(
    ("head", "signature"),
    [
        ("def f(a, b=1, *c, d, **e): ...", Signature(("a", "b", "d"), is_open=True)),
        ("def f(a: int, /, b: int = 1, *, c) -> A: ...", Signature(("a", "b", "c"), returns="A")),
        ("async def f(a) -> A: ...", Signature(("a",))),
        ("@register\ndef f(a) -> A: ...", Signature(("a",), is_open=True)),
        ("@contextmanager\ndef f(a) -> A: ...", Signature(("a",))),
        ("@cache\ndef f(a) -> A: ...", Signature(("a",), returns="A")),
        ("@overload\ndef f(a): ...\n@overload\ndef f(b): ...", Signature(("b",), is_open=True)),
    ],
)
def test_signatures(head: str, signature: Signature):
    assert read_names(head).functions["f"] == signature


def test_the_types_of_attributes_that_are_certain():
    text = """
class A:
    a: A
    def __init__(self, given: B, other: C):
        self.b = given
        self.c = C()
        self.d: D | None = None
        self.e = other
        self.f = given or other
    def reset(self):
        self.e = None
    @property
    def g(self) -> G: ...
"""
    assert read_names(text).classes["A"].types == {"a": "A", "b": "B", "c": "C()", "d": "D | None", "g": "G"}


def test_classes_in_classes():
    names = read_names("class A:\n    class B:\n        def f(self, a): ...\n")
    assert names.classes["A"].names == {"B"}
    assert names.classes["A.B"].names == {"f"}
    assert names.functions["A.B.f"].parameters == ("self", "a")


def test_the_class_with_which_a_text_starts():
    found = read_class("@dataclass\nclass A(B, metaclass=ABCMeta): ...\n", "A")
    assert found is not None
    assert (found.bases, found.is_open) == (("B",), False)
    assert read_class("  class A(B): ...\n", "A") is not None
    assert read_class("x = 1\n", "A") is None


SOURCES = [path.read_text("utf-8") for path in sorted((REPOSITORY / "copilot_server").glob("*.py"))]


@pytest.mark.parametrize("seed", range(30))
def test_broken_sources_are_read(seed: int):
    chosen = random.Random(seed)
    whole = chosen.choice(SOURCES)
    first, last = sorted(chosen.randrange(len(whole)) for _ in range(2))
    text = whole[first:last] + chosen.choice(["", "(", '"""', "class", "def f(a,", "\0", "\ud800"])
    assert FileNames.from_json(read_names(text).to_json()) == read_names(text)
