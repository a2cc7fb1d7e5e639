"""What the text around a cursor says about names, whatever is typed on its line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_server.workspace.python.document import (
    SplitText,
    Surroundings,
    assigned_types,
    import_statements,
    open_callees,
    read_code,
    read_imports,
    surroundings,
    variable_lines,
)
from copilot_server.workspace.summary import Import
from tests.support.cursor_text import cursor_in
from tests.support.library_sources import SOURCES


def split_at(drawn: str) -> SplitText:
    return SplitText.at(cursor_in(drawn))


def callees_at(drawn: str) -> tuple[str, ...]:
    split = split_at(drawn)
    return open_callees(split, read_code(split)[0])


def around(drawn: str) -> Surroundings:
    split = split_at(drawn)
    return surroundings(split, *read_code(split))


def test_a_text_is_cut_around_the_cursors_line():
    assert split_at("a\nb‸c\r\nd") == SplitText("a\n", "b", "c", "\nd", "a\nbc\r\nd")
    assert split_at("‸") == SplitText("", "", "", "", "")
    assert split_at("a\rb‸\rc") == SplitText("a\n", "b", "", "\nc", "a\nb\nc")


@pytest.mark.parametrize(
    ("drawn", "column"),
    [
        ("    a‸", 4),
        ("‸    a", 4),
        ("    ‸", 4),
        ("    a = 1\n‸", 4),
        ("def f():\n‸", 8),
        ("def f():\n    ‸", 4),
        ("‸", 0),
    ],
)
def test_the_column_of_a_line(drawn: str, column: int):
    assert split_at(drawn).column == column


def test_imports_are_found_wherever_they_stand():
    text = """
import a.b, c as d
from .e import (
    f,  # (
    g as h,
)
from i \\
    import j
if TYPE_CHECKING:
    from k import l
def m():
    import n
important = 1
x.import_ = 2
"""
    assert len(import_statements(text)) == 5
    bound = [one.bound for one in read_imports(text, "")]
    assert bound == ["a", "d", "f", "h", "j", "l", "n"]
    assert read_imports("from a import b\n", "\nfrom c import d") == (
        Import("a", "b", "b"),
        Import("c", "d", "d"),
    )


def test_a_half_typed_import_hides_no_other():
    assert [one.bound for one in read_imports("from a import (\nimport b\nfrom c import d\n", "")] == [
        "b",
        "d",
    ]


def test_types_of_variables():
    text = """
    one: Store = load()
    two = Store(1)
    three = await make.it()
    four: "A | None"
    five == Store()
    six = [Store()]
    seven: dict[str, int] = {}
    two = two.changed()
    called(
        eight: Store,
    )
"""
    assert assigned_types(text) == {
        "one": "Store",
        "two": "Store()",
        "three": "make.it()",
        "four": '"A | None"',
        "seven": "dict[str, int]",
    }


def test_the_lines_that_set_variables_of_the_module_first():
    split = split_at("one = Store()\ntwo: Store\n  three = Store()\n‸\none = 1\nfour = Store()\n")
    assert variable_lines(split) == {
        "one": "one = Store()",
        "two": "two: Store",
        "four": "four = Store()",
    }


def test_callees_of_open_brackets():
    assert callees_at("a(b.c(\n    d[\n‸") == ("a", "b.c")
    assert callees_at("a(b)\nc(\n‸") == ("c",)
    assert callees_at("super().f(\n‸") == ("super().f",)
    assert callees_at("a(b(1),\n  c(2), ‸") == ("a",)
    assert callees_at("a(\n'''\n‸") == ()
    assert callees_at("‸") == ()


def test_the_class_around_the_cursor_has_what_instances_certainly_have():
    found = around("""
class Base:
    base: int
class A(Base):
    field: int = 0

    @property
    def value(self) -> Path: ...

    def __init__(self, store: Store) -> None:
        self.store = store
        self.made = Made()

    def f(self, other: Other):
        local = Local()
        ‸

    def g(self): ...
x = 1
""")
    own, base = found.own.definitions
    assert [(one.name, one.type) for one in own.members] == [
        ("field", "int"),
        ("store", "Store"),
        ("made", "Made()"),
        ("__init__", "None"),
        ("value", "Path"),
    ]
    assert base.name == "Base"
    assert (found.instance, found.owner) == ("self", "A")
    assert found.types == {"other": "Other", "local": "Local()"}
    assert found.function.startswith("    def f(self")
    assert "def g" not in found.function


def test_docstrings_and_comments_are_not_code():
    found = around('def f():\n    """\n    Text: a test\n    """\n    # other: Store\n    ‸')
    assert found.types == {}
    assert "Text" not in found.near


def test_nothing_depends_on_what_the_line_says():
    drawn = "from a import b\nclass A:\n    def f(self, x: int):\n        y = b(\n        {}‸\n        z\n"
    texts = ["", "a", "a = ", "'''", "def g(", "class B:", "from c import d", "foo(bar[", "# x"]
    found = {repr(around(drawn.format(text))) for text in texts}
    assert len(found) == 1
    assert repr(around(drawn.replace("z", "w").format(""))) not in found


@given(
    st.integers(0, len(SOURCES) - 1),
    st.integers(0, 10**6),
    st.sampled_from(["", "(", '"""', "\\", "class A("]),
)
def test_any_place_in_real_and_broken_sources(index: int, offset: int, typed: str):
    source = SOURCES[index]
    offset %= len(source)
    found = around(
        f"{source[offset - 4000 if offset > 4000 else 0 : offset]}{typed}‸{source[offset:][:3000]}"
    )
    assert isinstance(found, Surroundings)
