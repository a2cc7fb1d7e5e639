"""What the text around a cursor says, in every language."""

from __future__ import annotations

import pytest

from copilot_server.workspace.python.document import SplitText
from copilot_server.workspace.tags.document import declared_type, defines, links, open_callees, read_around
from tests.support.cursor_text import cursor_in


def split(drawn: str) -> SplitText:
    return SplitText.at(cursor_in(drawn))


def test_names_in_code():
    text = "a?.b!.c(d) + ns::f(1) // x.y\n s = 'q.r' + `t` + p->q; if (u) {}"
    assert [".".join(one.parts) for one in links(text, "script")] == [
        *("a.b.c", "d", "ns.f", "s", "p.q", "u")
    ]
    assert [one.is_called for one in links(text, "script")][:3] == [True, False, True]
    rust = [one.parts for one in links("fn f<'a>(x: &'a Store, c: char) { g('x') }", "rust")]
    assert [one for one in rust if one in {("f",), ("Store",), ("g",)}] == [("f",), ("Store",), ("g",)]


HEADERS = {
    "script": (
        "class A extends Base {\n  run(store: Store) {\n    if (x) {\n      y();\n      ‸\n    }\n  }\n}\n",
        ["if (x)", "run(store: Store)", "class A extends Base"],
        "A",
        ("Base",),
    ),
    "java": (
        "class A\n    implements Base\n{\n    void run(\n        Store store\n    )\n    {\n"
        "        ‸\n    }\n}\n",
        ["void run(\n        Store store\n    )", "class A\n    implements Base"],
        "A",
        ("Base",),
    ),
    "rust": (
        "impl<T> Base<T> for A<T> {\n    fn run(&self) {\n        ‸\n    }\n}\n",
        ["fn run(&self)", "impl<T> Base<T> for A<T>"],
        "A",
        ("Base",),
    ),
    "go": ("func (a *A) run() {\n\tif x {\n\t\t‸\n\t}\n}\n", ["if x", "func (a *A) run()"], "", ()),
}


@pytest.mark.parametrize("family", HEADERS)
def test_the_definitions_around_a_cursor(family: str):
    drawn, headers, owner, bases = HEADERS[family]
    around = read_around(split(drawn), family)
    assert [one.strip().rstrip("{ ") for one in around.headers] == headers
    assert around.in_function
    if owner:
        assert (around.owner, around.bases) == (owner, bases)


def test_the_text_is_the_function_without_the_cursors_line():
    around = read_around(
        split("before();\nfunction f() {\n  one();\n  two‸();\n  three();\n}\nafter();\n"), "script"
    )
    assert "one();" in around.text
    assert "three();" in around.text
    assert "two" not in around.text
    assert "before" not in around.text
    assert "after" not in around.text


def test_calls_that_are_open_above():
    above = "outer(a, {\n  b: inner(\n    'x(', // y(\n"
    assert [one.parts for one in open_callees(above, "script")] == [("outer",), ("inner",)]
    assert list(open_callees("function f() {\n  g();\n", "script")) == []
    assert [one.parts for one in open_callees("x = a.b<T>(\n  1,\n", "script")] == [("a", "b")]


TYPES = [
    ("script", "const store: Store = f();\nstore.‸", "Store"),
    ("script", "const store = new Store(1);\nstore.‸", "Store"),
    ("script", "const store = await open(1);\nstore.‸", "open()"),
    ("script", "function f(store?: Store) {\n  ‸\n}", "Store"),
    ("script", "const store = store.next(1);\n‸", ""),
    ("rust", "let store: &mut Store<T> = f();\n‸", "Store<T>"),
    ("rust", "let store = Store::new(1);\n‸", "Store::new()"),
    ("rust", "let store = Store { a: 1 };\n‸", "Store"),
    ("rust", "fn f(store: &'a dyn Store) {\n    ‸\n}", "Store"),
    ("go", "store, err := open(1)\n‸", "open()"),
    ("go", "store := &shop.Store{}\n‸", "shop.Store"),
    ("go", "func f(store *shop.Store) {\n\t‸\n}", "shop.Store"),
    ("go", "type A struct {\n\tstore *Store\n}\n‸", "Store"),
    ("java", "private final Store store;\n‸", "Store"),
    ("java", "var store = new Store(1);\n‸", "Store"),
    ("java", "void f(List<Store> store) {\n    ‸\n}", "List<Store>"),
    ("java", "return store;\n‸", ""),
    ("c", "struct store *store = f();\n‸", "store"),
    ("c", "auto store = shop::open(1);\n‸", "shop::open()"),
    ("c", "std::unique_ptr<Store> store;\n‸", "std::unique_ptr<Store>"),
]


@pytest.mark.parametrize(("family", "drawn", "expected"), TYPES)
def test_the_type_of_a_variable(family: str, drawn: str, expected: str):
    found = declared_type(split(drawn), "store", family)
    assert found == expected or (drawn.startswith("struct store") and found in {"store", "f()"})


def test_the_nearest_declaration_counts():
    assert (
        declared_type(split("let a: First;\nlet a: Second;\n‸\nlet a: Third;\n"), "a", "script") == "Second"
    )
    assert declared_type(split("‸\nlet a: Third;\n"), "a", "script") == "Third"


def test_whether_the_document_defines_a_name():
    for line in (
        "function load() {}",
        "const load = 1",
        "class load {}",
        "func (s *S) load() {}",
        "fn load() {}",
    ):
        assert defines(split(f"{line}\n‸"), "load")
    for line in ("load(1)", "a.load()", "const loaded = 1", "// nothing"):
        assert not defines(split(f"{line}\n‸"), "load")
    assert not defines(split("function load() {‸"), "load")
