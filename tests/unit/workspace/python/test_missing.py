"""Names in suggestions that certainly do not exist, and the many doubts that keep a name."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from copilot_server.context.document import Cursor, Document
from copilot_server.workspace.python.document import SplitText, read_code, read_imports
from copilot_server.workspace.python.missing import Suggested, judged_names
from tests.support.cursor_text import cursor_in
from tests.support.memory_files import MemoryFiles

FILES = {
    "app/__init__.py": "from app.store import Store\n",
    "app/store.py": """
from dataclasses import dataclass
from enum import Enum

class Color(Enum):
    RED = 1

class Base:
    def close(self) -> None:
        self._closed = True

class Store(Base):
    limit: int = 3
    color: Color
    def __init__(self, path: str, size: int = 0) -> None:
        self.path = path
        self.base = Base()
    def get(self, key: str) -> Base: ...

@dataclass
class Point:
    x: int
    y: int = 0

class Leaf:
    size: int
    def __init__(self) -> None: ...

def load(path: str, mode: str = "r") -> Store: ...
def other(*names: str, sep: str = "", **more: str) -> None: ...
LIMIT = 3
""",
    "app/inner/__init__.py": "",
    "app/inner/deep.py": "VALUE = 1\n",
    "app/stars.py": "from app.store import *\n",
}
IMPORTS = """from app.store import Base, Color, Leaf, Point, Store, load, other
from app import store, inner, stars
import app
"""
IN_FUNCTION = f"{IMPORTS}\ndef run(given: Store, leaf: 'Leaf | None', free):\n    made = Store('p')\n    ‸\n"


def missing(
    drawn: str, text: str, files: Mapping[str, str] = FILES, path: str = "app/main.py", replaced: int = 0
) -> str:
    """Return the first name that does not exist in a text that is suggested at the cursor; "" for none."""
    cursor = cursor_in(drawn)
    cursor = Cursor(Document(f"file:///w/{path}", "python", cursor.document.text), cursor.offset)
    split = SplitText.at(cursor)
    headers, imports = read_code(split)[1], read_imports(split.before, split.after)
    suggested = Suggested(f"/w/{path}", split, headers, imports, text, replaced)
    judged = judged_names(MemoryFiles(files), suggested)
    found = next((one for one, exists in judged if exists is False), None)
    assert found is None or not found.offset or text.startswith(found.name, found.offset)
    return found.name if found else ""


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("store.load('a')", ""),
        ("store.save('a')", "save"),
        ("x = store.LIMIT + store.MAXIMUM", "MAXIMUM"),
        ("app.store.load('a')", ""),
        ("app.store.save('a')", "save"),
        ("app.Store", ""),
        ("app.inner.deep.VALUE", ""),
        ("app.inner.deep.OTHER", "OTHER"),
        ("app.outer", "outer"),
        ("stars.load('a')", ""),
        ("stars.save('a')", "save"),
        ("Color.RED", ""),
        ("Color.RED.value", ""),
        ("Color.BLUE", "BLUE"),
        ("Color.__members__", ""),
        ("given.path", ""),
        ("given.close()", ""),
        ("given._closed", ""),
        ("given.limit", ""),
        ("given.url", "url"),
        ("given.color.RED", ""),
        ("given.color.PINK", "PINK"),
        ("given.base.close()", ""),
        ("given.get('k').close()", ""),
        ("given.get('k').shut()", "shut"),
        ("leaf.size", ""),
        ("leaf.length", "length"),
        ("made.path", ""),
        ("made.url", "url"),
        ("value = load('a').url", "url"),
        ("free.anything", ""),
        ("unknown.anything", ""),
        ("Store('p', size=1)", ""),
        ("Store('p', length=1)", "length"),
        ("Point(x=1, y=2)", ""),
        ("Point(x=1, z=2)", "z"),
        ("load('a', mode='r')", ""),
        ("load('a', flags='r')", "flags"),
        ("store.load('a', flags='r')", "flags"),
        ("other(sep='', anything='')", ""),
        ("made.get(key='a')", ""),
        ("made.get(name='a')", "name"),
        ("from app.store import load", ""),
        ("from app.store import save", "save"),
        ("from app.store import load as l, save as s", "save"),
        ("from app import inner", ""),
        ("from .store import Store", ""),
        ("from .store import Shop", "Shop"),
        ("from os import nothing", ""),
        ("# store.save", ""),
        ("x = 'store.save'", ""),
        ("x = f'{store.save}'", "save"),
        ("for store in free:\n        store.save()", ""),
        ("given = free\n    given.url", ""),
        ("given.url = 1", ""),
        ("given.url: int = 1", ""),
        ("given.url, x = 1, 2", ""),
        ("with free as given.url:\n        pass", ""),
        ("lambda store: store.save", ""),
        ("[store.save for store in free]", ""),
        ("isinstance(given, Base) and given.url", ""),
        ("getattr(given, 'url', None) or given.url", ""),
        ("x = 1\n    y = store.save", "save"),
    ],
)
def test_names_in_a_function(text: str, name: str):
    assert missing(IN_FUNCTION, text) == name


def test_a_name_that_the_cursor_divides():
    assert missing(IN_FUNCTION.replace("‸", "store.sa‸"), "ve()") == "save"
    assert missing(IN_FUNCTION.replace("‸", "store.lo‸"), "ad()") == ""


def test_a_keyword_of_a_call_that_was_begun():
    assert missing(IN_FUNCTION.replace("‸", "load(‸)"), "'a', flags=1") == "flags"
    assert missing(IN_FUNCTION.replace("‸", "load(‸)"), "'a', mode=1") == ""
    assert missing(IN_FUNCTION.replace("‸", "load(\n        ‸\n    )"), "flags=1") == "flags"


def test_what_is_replaced_does_not_count():
    drawn = IN_FUNCTION.replace("‸", "store.‸save")
    assert missing(drawn, "load", replaced=4) == ""
    assert missing(drawn, "save", replaced=4) == "save"


METHOD = """from app.store import Base

class Own(Base):
    def first(self):
        self.set = 1

    def second(self):
        ‸
"""


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("self.first()", ""),
        ("self.set", ""),
        ("self.close()", ""),
        ("self.third()", "third"),
        ("self.new = 1\n        self.new", ""),
        ("self.__class__", ""),
        ("Own.first", ""),
        ("Own.third", "third"),
        ("Own().third", "third"),
    ],
)
def test_names_in_the_class_around(text: str, name: str):
    assert missing(METHOD, text) == name


@pytest.mark.parametrize(
    "changed",
    [
        ("(Base)", "(Unknown)"),
        ("(Base)", "(Base, metaclass=Meta)"),
        ("(Base)", "(*bases)"),
        ("class Own", "@register\nclass Own"),
        ("    def first", "    def __getattr__(self, name): ...\n    def first"),
        ("    def first", "    third = 1\n    def first"),
        ("self.set = 1", "setattr(self, name, 1)"),
        ("self.set = 1", "self.__dict__.update(more)"),
        ("self.set = 1", "self.set, self.third = 1, 2"),
        ("def second", "@validator\n    def second"),
        ("def second(self)", "def second(this, self)"),
        ("from app.store import Base", "from app.store import *"),
        ("\n\nclass Own", "\nclass Own(Base): ...\nclass Own"),
        ("\n\nclass Own", "\nOwn.third = 1\n\nclass Own"),
    ],
)
def test_a_doubt_about_the_class_around_keeps_every_name(changed: tuple[str, str]):
    assert missing(METHOD, "self.third()") == "third"
    drawn = METHOD.replace(*changed)
    assert drawn != METHOD
    assert missing(drawn, "self.third()") == ""


def test_a_subclass_may_have_what_a_class_lacks():
    child = "from app.main import Own\nclass Child(Own):\n    def third(self): ...\n"
    assert missing(METHOD, "self.third()", {**FILES, "app/child.py": child}) == ""
    assert missing(METHOD, "self.fourth()", {**FILES, "app/child.py": child}) == "fourth"


@pytest.mark.parametrize(
    "changed",
    [
        {"app/more.py": "from app.store import Leaf\nLeaf.length = 1\n"},
        {"app/more.py": "setattr(leaf, 'length', 1)\n"},
        {"app/more.py": "class More(Leaf):\n    length = 1\n"},
        {"app/store.py": FILES["app/store.py"].replace("class Leaf:", "@register\nclass Leaf:")},
        {"app/store.py": FILES["app/store.py"].replace("class Leaf:", "class Leaf(Unknown):")},
        {"app/store.py": FILES["app/store.py"].replace("class Leaf:", "class Leaf(metaclass=Meta):")},
        {"app/store.py": FILES["app/store.py"] + "if free:\n    class Leaf: ...\n"},
        {"app/store.py": FILES["app/store.py"] + "Leaf = register(Leaf)\n"},
        {"app/store.py": FILES["app/store.py"] + "def f(x, n): setattr(x, n, 1)\n"},
        {"app/store.py": FILES["app/store.py"] + "def broken(:\n"},
        {
            "app/store.py": FILES["app/store.py"].replace(
                "size: int\n", "size: int\n    def __getattr__(self, n): ...\n"
            )
        },
        {"app/store.pyi": "class Leaf: ...\n"},
        {"app/main.py": "class Leaf(Base): ...\n"},
    ],
)
def test_a_doubt_in_another_file_keeps_every_name(changed: dict[str, str]):
    assert missing(IN_FUNCTION, "leaf.length", {**FILES, "app/main.py": ""}) == "length"
    if "app/main.py" not in changed:
        assert missing(IN_FUNCTION, "leaf.length", {**FILES, **changed}) == ""
    else:  # the document's own file counts for nothing
        assert missing(IN_FUNCTION, "leaf.length", {**FILES, **changed}) == "length"


@pytest.mark.parametrize(
    "more",
    [
        "def __getattr__(name): ...\n",
        "globals().update(more)\n",
        "from os import *\n",
        "from unknown import *\n",
        "for save in names: ...\n",
        "try:\n    from a import save\nexcept ImportError:\n    pass\n",
        "if TYPE_CHECKING:\n    save = 1\n",
        "def f():\n    global save\n    save = 1\n",
        "with free as (load, save): ...\n",
        "[save := 1]\n",
        "sys.modules[__name__] = Lazy()\n",
        "match free:\n    case save: ...\n",
    ],
)
def test_a_doubt_about_a_module_keeps_every_name(more: str):
    changed = {**FILES, "app/store.py": FILES["app/store.py"] + more}
    assert missing(IN_FUNCTION, "store.save") == "save"
    assert missing(IN_FUNCTION, "store.save", changed) == ""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("from app import store", "from app import store\nstore = free"),
        ("from app import store", "try:\n    from app import store\nexcept ImportError:\n    store = None"),
        ("from app import store", "from app import store\nfrom os import path as store"),
        ("from app import store", "from app import store as other_name"),
        ("    made", "    store = free\n    made"),
        ("    made", "    global store\n    made"),
        ("free)", "store)"),
    ],
)
def test_a_name_that_is_bound_twice_may_mean_anything(old: str, new: str):
    drawn = IN_FUNCTION.replace(old, new, 1)
    assert drawn != IN_FUNCTION
    assert missing(drawn, "store.save") == ""


def test_a_module_of_the_standard_library_is_never_taken_for_one_of_the_workspace():
    files = {"types.py": "A = 1\n", "kinds.py": "A = 1\n"}
    assert missing("import kinds\nkinds.‸", "B", files, "main.py") == "B"
    assert missing("import types\ntypes.‸", "B", files, "main.py") == ""


def test_a_module_that_another_folder_has_too_may_be_either():
    files = {"one/kinds.py": "A = 1\n", "two/kinds.py": "B = 1\n"}
    assert missing("import kinds\nkinds.‸", "C", files, "one/main.py") == ""


def test_an_import_of_several_lines():
    drawn = "from app.store import (\n    load,\n    ‸,\n    Store,\n)\n"
    assert missing(drawn, "save") == "save"
    assert missing(drawn, "other") == ""


def test_a_class_that_sets_any_attribute_on_itself_leaves_others_alone():
    more = "class Open:\n    def f(self, name):\n        setattr(self, name, 1)\n"
    files = {**FILES, "app/store.py": FILES["app/store.py"] + more}
    assert missing(IN_FUNCTION, "leaf.length", files) == "length"
    drawn = IN_FUNCTION.replace("free)", "free: 'store.Open')")
    assert missing(drawn, "free.length", files) == ""


def test_a_docstring_is_no_code():
    assert missing(f'{IMPORTS}"""\n‸\n"""\n', "store.save") == ""
    assert missing(f"{IMPORTS}‸\n", "store.save") == "save"
