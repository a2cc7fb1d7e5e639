"""What is selected from other files for the code near a cursor, and what stays while somebody types."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_server.context.document import Cursor, Document
from copilot_server.workspace.python.document import SplitText, read_code, surroundings
from copilot_server.workspace.python.line import select_on_line
from copilot_server.workspace.python.naming import chains
from copilot_server.workspace.python.select import select_stable
from copilot_server.workspace.select import Limits
from copilot_server.workspace.types import Snippet
from tests.support.cursor_text import cursor_in
from tests.support.memory_files import MemoryFiles
from tests.support.paths import REPOSITORY

FILES = MemoryFiles(
    {
        "store.py": '''
from base import Base
LIMIT = 3
class Store(Base):
    """Keeps things."""
    path: Path
    def __init__(self, path: Path) -> None: ...
    def get(self, key: str) -> "Item": ...
    def put(self, key: str, item: "Item") -> None: ...
    def _private(self): ...
class Item:
    name: str
    owner: "Owner"
class Owner:
    age: int
def load(path: Path) -> Store:
    """Load one."""
def _hidden(): ...
''',
        "base.py": "class Base:\n    def close(self) -> None: ...\nclass Other:\n    def run(self): ...\n",
        "long.py": "class Long:\n"
        + "".join(f"    def method_{n}(self, a: int) -> str: ...\n" for n in range(90)),
    }
)

LIMITS = Limits()


def select(
    cursor: Cursor, limits: Limits = LIMITS, files: MemoryFiles = FILES, path: str = "/w/main.py"
) -> tuple[Snippet, ...]:
    split = SplitText.at(cursor)
    selected = select_stable(split, surroundings(split, *read_code(split)), files, path, limits)
    return (*selected.snippets, *select_on_line(split, selected, files, path, limits))


def texts(drawn: str) -> list[str]:
    return [one.text for one in select(cursor_in(drawn))]


def first_lines(drawn: str) -> list[str]:
    return [text.partition("\n")[0] for text in texts(drawn)]


TYPES = {
    "constructed": "store = Store(path)\nstore.‸",
    "annotated parameter": "def f(store: Store):\n    a = 1\n    store.‸",
    "optional parameter": "def f(store: 'Store | None'):\n    a = 1\n    store.‸",
    "name of a module": "import store\ndef f(one: store.Store):\n    a = 1\n    one.‸",
    "returned": "def f(path):\n    one = load(path)\n    one.‸",
    "set by the initializer": """
class A:
    def __init__(self):
        self.one = Store()
    def f(self):
        self.one.‸""",
    "field": "class A:\n    one: Store\n    def f(self):\n        self.one.‸",
    "inherited field": "class B:\n    one: Store\nclass A(B):\n    def f(self):\n        self.one.‸",
    "property": """
class A:
    @property
    def one(self) -> Store:
        pass
    def f(self):
        self.one.‸""",
}


@pytest.mark.parametrize("drawn", TYPES.values(), ids=TYPES)
def test_the_class_of_a_value_is_shown_where_its_type_is_certain(drawn: str):
    shown = "\n".join(texts(f"from store import Store, load\n{drawn}"))
    assert "class Store(Base):" in shown
    assert [name for name in ("__init__", "get", "put") if not re.search(rf"\b{name}\(", shown)] == []


def test_what_is_imported_and_not_used_yet_is_shown():
    assert texts("from store import load\n\n‸") == ['def load(path: Path) -> Store:\n    """Load one."""']
    assert texts("from store import load\n\nload(1)\n" + "x = 1\n" * 99 + "‸") == []


def test_a_module_shows_its_public_heads_at_a_dot():
    (text,) = texts("import store\n\nstore.‸")
    assert text.split("\n") == [
        "LIMIT = 3",
        "class Store(Base): ...",
        "class Item: ...",
        "class Owner: ...",
        "def load(path: Path) -> Store: ...",
    ]


def test_the_function_that_is_called_is_shown():
    drawn = "from store import load\n" + "x = 1\n" * 99 + "load(1)\n" + "x = 1\n" * 99
    assert texts(f"{drawn}y = load(‸)") == ['def load(path: Path) -> Store:\n    """Load one."""']
    assert texts(f"{drawn}y = (‸)") == []


def test_the_call_that_is_open_above_counts_most():
    drawn = "from store import load, Item\ndef f():\n    a = Item()\n    load(\n        a,\n        ‸"
    scores = {one.text.partition("(")[0].partition(":")[0]: one.score for one in select(cursor_in(drawn))}
    assert max(scores, key=lambda name: scores[name]) == "def load"


def test_a_method_shows_what_its_class_inherits():
    drawn = "from base import Other\nclass A(Other):\n    def f(self):\n        pass\n        ‸"
    assert texts(drawn) == ["class Other:\n    def run(self): ..."]
    drawn = "from base import Other\nclass A(Other):\n    def f(self):\n        super().‸"
    assert texts(drawn) == ["class Other:\n    def run(self): ..."]


def test_an_inherited_member_shows_the_base_that_has_it():
    drawn = "from store import Store\ndef f(one: Store):\n    one.close()\n    ‸"
    assert "class Base:" in first_lines(drawn)


def test_a_chain_is_followed_through_annotations():
    drawn = "from store import Item\ndef f(item: Item):\n    a = 1\n    item.owner.‸"
    assert "class Owner:\n    age: int" in texts(drawn)


def test_a_long_class_shows_what_is_named_and_shares_words_with_the_code():
    drawn = "from long import Long\ndef f(one: Long):\n    one.method_77(1)\n    ‸"
    (text,) = texts(drawn)
    assert "def method_77" in text
    assert "# also: method_" in text
    assert len(text) <= Limits().one


def test_a_member_called_on_the_line_is_added_where_its_class_is_cut():
    drawn = "from long import Long\ndef f(one: Long):\n    one.method_1(1)\n    x = one.method_88(‸)"
    *_, last = select(cursor_in(drawn))
    assert last.text == "class Long:\n    def method_88(self, a: int) -> str: ..."
    assert not last.is_stable


def test_names_in_strings_comments_imports_and_docstrings_do_not_count():
    used = "from store import Item\nItem()\n" + "x = 1\n" * 99
    assert texts(f'{used}\'Item\'\n# Item\n"""\nItem\n"""\nfrom store import Item\n‸') == []
    assert texts(f"{used}Item\n‸") != []


def test_functions_and_constants_that_are_used_already_are_not_shown_again():
    used = "from store import load, LIMIT, Item\ndef f():\n    load(LIMIT, Item())\n    ‸"
    assert first_lines(used) == ["class Item:"]


def test_the_documents_own_definitions_are_not_shown():
    assert texts("class Store:\n    def f(self):\n        self.‸") == []
    assert texts("from main import Store\nStore(‸") == []


def test_limits_are_kept():
    imports = "from store import *\nfrom base import *\nfrom long import Long\n"
    drawn = f"{imports}Store, Item, Owner, Base, Other\nLong.‸"
    for total in (100, 400, 1600):
        limits = Limits(total=total, stable=total // 2, one=total // 3)
        found = select(cursor_in(drawn), limits)
        assert sum(len(one.text) for one in found) <= total
        assert all(len(one.text) <= limits.one for one in found)
    assert select(cursor_in(drawn), Limits(threshold=99)) == ()


def test_other_texts_have_no_snippets():
    assert texts("‸") == []
    assert texts("from nowhere import a\na.‸") == []
    assert texts("x = [‸") == []


TYPED = """from store import Store, load, LIMIT
import base
import long

def f(store: Store, name: str) -> None:
    \"\"\"Do it.\"\"\"
    one = load(LIMIT)
    ‸
    return one

class A(base.Base):
    def g(self): ...
"""
LINES = [
    'item = store.get(name, long.Long().method_3(base.Other("x"))).owner.age',
    "for x in long.Long(one), load(store.put): base.Other.run(",
    "class B(base.Other, long.Long): x = '''load(",
    "def g(one: long.Long, *, two: base.Other = load(",
    "import os; from store import Item; Item(",
]


@pytest.mark.parametrize("line", LINES)
def test_while_a_line_is_typed_snippets_are_only_added_at_the_end(line: str):
    before, _, after = TYPED.partition("‸")
    last: tuple[Snippet, ...] = ()
    for end in range(len(line) + 1):
        found = select(cursor_in(f"{before}{line[:end]}‸{after}"))
        assert found[: len(last)] == last
        stable = [one.is_stable for one in found]
        assert stable == sorted(stable, reverse=True)
        last = found
    assert any(one.is_stable for one in last)


@pytest.fixture(scope="module")
def package() -> MemoryFiles:
    """The files of this package."""
    files = sorted((REPOSITORY / "copilot_server").rglob("*.py"))
    return MemoryFiles({str(one.relative_to(REPOSITORY)): one.read_text("utf-8") for one in files})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["completion/pipeline.py", "lsp/session.py"])
def test_real_lines_are_typed_with_snippets_added_at_the_end_only(package: MemoryFiles, name: str):
    path = f"copilot_server/{name}"
    text = (REPOSITORY / path).read_text("utf-8")
    starts = [at + 1 for at, character in enumerate(text[:-1]) if character == "\n" and text[at + 1] != "\n"]
    added = 0
    for start in random.Random(0).sample(starts, 12):
        line = text[start : text.index("\n", start)]
        indent = len(line) - len(line.lstrip())
        last: tuple[Snippet, ...] = ()
        for end in range(indent + 1, len(line) + 1):
            typed = text[: start + end] + text[start + len(line) :]
            document = Document(f"file:///w/{path}", "python", typed)
            found = select(Cursor(document, start + end), files=package, path=f"/w/{path}")
            assert found[: len(last)] == last, line[:end]
            last = found
        added += sum(not one.is_stable for one in last)
    assert added > 0


def test_something_is_added_while_a_line_is_typed():
    before, _, after = TYPED.partition("‸")
    assert len(select(cursor_in(f"{before}{LINES[0]}‸{after}"))) > len(select(cursor_in(f"{before}‸{after}")))


@given(st.text("abc.()\"'[]{}#\\ \n\tselfStoreloadimportfromclassdef:=,", max_size=200), st.integers(0, 200))
def test_any_text_is_selected_for(text: str, offset: int):
    drawn = TYPED.replace("‸", "")
    at = TYPED.index("‸")
    cursor = cursor_in(f"{drawn[:at]}{text[:offset]}‸{text[offset:]}{drawn[at:]}")
    found = select(cursor)
    assert sum(len(one.text) for one in found) <= Limits().total


def test_chains():
    assert list(chains("a.b(c).d + super().e[f'{g}'] # h\n'i' j.k.l")) == [
        ("a", "b"),
        ("c",),
        ("super()", "e"),
        ("f",),
        ("j", "k", "l"),
    ]
