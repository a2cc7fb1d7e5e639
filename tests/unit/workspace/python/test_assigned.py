"""The attributes that code sets."""

from __future__ import annotations

import pytest

from copilot_server.workspace.python.assigned import set_attributes, sets_any


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a.b = 1", {"b"}),
        ("a.b: int = 1", {"b"}),
        ("a.b += 1", {"b"}),
        ("a.b //= 1", {"b"}),
        ("a.b, a.c = 1, 2", {"b", "c"}),
        ("a.b = a.c = 1", {"b", "c"}),
        ("for a.b in c: ...", {"b"}),
        ("for\ta.b in c: ...", {"b"}),
        ("x = 1\nfor a.b, a.c in d:\n    a.d = e.f\n", {"b", "c", "d"}),
        ("with x as a.b: ...", {"b"}),
        ("with x as\ta.b: ...", {"b"}),
        ("f(x)[0].b = 1", {"b"}),
        ("setattr(a, 'b', 1)", {"b"}),
        ("setattr(\n    a,\n    'b',\n    1,\n)", {"b"}),
        ('object.__setattr__(self, "b", 1)', {"b"}),
        ("a.b == 1", set()),
        ("a.b <= 1", set()),
        ("a.b != 1", set()),
        ("x = a.b", set()),
        ("x, y = a.b, 1", set()),
    ],
)
def test_attributes_that_are_set(text: str, names: set[str]):
    assert {name for _, name in set_attributes(text)} == names


@pytest.mark.parametrize(
    ("text", "any_"),
    [
        ("setattr(a, name, 1)", True),
        ("setattr(f(a, b), name, 1)", True),
        ("setattr(a, f'{name}', 1)", True),
        ("setattr(a, 'b' + name, 1)", True),
        ("self.__dict__.update(x)", True),
        ("self.__dict__[name] = x", True),
        ("vars(self)[name] = x", True),
        ("exec(code)", True),
        ("map(partial(setattr, x), names)", True),
        ("map(a.__setattr__, names)", True),
        ("x = setattr\n", True),
        ("x = my_setattr\n", False),
        ("my_exec(code)", False),
        ("my_vars(self)[name] = x", False),
        ("self.my__dict__[name] = x", False),
        ("setattr(a, 'b', 1)", False),
        ("x = self.__dict__", False),
        ("x = vars(self)", False),
        ("monkeypatch.setattr(a, 'b', 1)", False),
    ],
)
def test_attributes_of_any_name(text: str, any_: bool):
    assert sets_any(text) is any_


@pytest.mark.parametrize(
    "text",
    [
        "setattr(self, name, 1)",
        "setattr( cls, name, 1)",
        "object.__setattr__(self, name, 1)",
        "self.__dict__[name] = x",
        "vars(self)[name] = 1",
    ],
)
def test_attributes_of_any_name_on_oneself(text: str):
    assert sets_any(text)
    assert not sets_any(text, on_others=True)
    assert sets_any(text.replace("self", "other").replace("cls", "other"), on_others=True)


@pytest.mark.parametrize(
    "text",
    [
        "a" * 500_000,
        "a, " * 200_000,
        "a.b, " * 100_000,
        "for " * 100_000,
        "setattr(" * 50_000,
        "a.b:" * 100_000,
    ],
)
def test_long_lines_are_not_read(text: str):
    assert sets_any(text)
    assert not list(set_attributes(text))
