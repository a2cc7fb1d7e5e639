"""The names in a file, as they are stored."""

from __future__ import annotations

import pytest

from copilot_server.workspace.names import FileNames
from copilot_server.workspace.python.scopes import read_names

TEXT = """
from a import b as c
from d import *
__all__ = ["f", "C"]
x: int = 1
other.set = 1
class Base: ...
class C(Base, c):
    y: int
    def m(self, key, *, more=1) -> Base:
        self.z = 1
def f(**k): ...
"""


def test_what_is_written_is_read():
    names = read_names(TEXT)
    assert FileNames.from_json(names.to_json()) == names
    assert names.classes["C"].names == {"y", "m", "z"}


def test_how_a_file_uses_names():
    uses = set(read_names(TEXT).uses())
    assert uses >= {("assigned", "set"), ("member", "z"), ("member", "m"), ("base", "Base")}
    assert ("base", "b") in uses  # the class that this file calls ``c``
    assert {("imported", "b"), ("imported", "a")} <= uses
    assert ("assigned", "z") not in uses


@pytest.mark.parametrize("text", ["", "{}", "[1, 2]", '[{"a": 1}, [], null, {}, {}, [], false]', "nonsense"])
def test_anything_else_is_an_error(text: str):
    with pytest.raises(ValueError, match="not the names"):
        FileNames.from_json(text)
