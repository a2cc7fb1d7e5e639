"""Definitions as code of their language."""

from __future__ import annotations

import pytest

from copilot_server.workspace.languages import summarize
from copilot_server.workspace.summary import Definition
from copilot_server.workspace.tags.languages import family_of
from copilot_server.workspace.tags.render import heads, names_of, render


def first(name: str, text: str) -> Definition:
    return summarize(name, text).definitions[0]


RENDERED = {
    "a.ts": (
        "class A { b: string; get(c: D): E {} }",
        "class A {\n    b: string;\n    get(c: D): E;\n}",
    ),
    "a.rs": (
        "pub struct A { pub b: B }\nimpl A { pub fn get(&self) -> C {} }",
        "pub struct A {\n    pub b: B,\n}\nimpl A {\n    pub fn get(&self) -> C;\n}",
    ),
    "b.rs": ("pub trait A { fn get(&self); }", "pub trait A {\n    fn get(&self);\n}"),
    "a.go": (
        "package a\ntype A struct {\n\tB, C int\n}\nfunc (a *A) Get(d D) E { return e }",
        "type A struct {\n    B, C int\n}\nfunc (a *A) Get(d D) E",
    ),
    "A.java": (
        "class A { B b; /** Gets. */ C get(D d) {} }",
        "class A {\n    B b;\n    C get(D d);\n}",
    ),
    "a.h": ("/* Gets. */\nint get(char *a);", "// Gets.\nint get(char *a);"),
    "b.h": ("#define LIMIT 3", "#define LIMIT 3"),
    "c.h": ("enum A { B, C = 2 };", "enum A { B, C = 2 }"),
}


@pytest.mark.parametrize("name", RENDERED)
def test_a_definition(name: str):
    text, expected = RENDERED[name]
    assert render(first(name, text), 300, family_of(name)) == expected


LONG = "class Long {\n" + "".join(f"  method{number}(a: string): void {{}}\n" for number in range(60)) + "}\n"


def test_a_long_class_shows_what_is_wanted_and_names_some_others():
    text = render(first("a.ts", LONG), 250, "script", {"method42"})
    assert "    method42(a: string): void;" in text
    assert "// also: " in text
    assert len(text) <= 250


@pytest.mark.parametrize("name", RENDERED)
def test_nothing_is_longer_than_it_may_be(name: str):
    one = first(name, RENDERED[name][0])
    for length in range(120):
        assert len(render(one, length, family_of(name))) <= length
    for length in range(0, 400, 7):
        assert len(render(first("a.ts", LONG), length, "script", {"method3"}, {"method"})) <= length
        assert len(heads(summarize("a.ts", LONG * 2).definitions, length, "script")) <= max(length, 0)
        assert len(names_of(first("a.ts", LONG), first("a.ts", LONG).members, length)) <= length
