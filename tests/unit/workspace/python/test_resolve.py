"""Names followed to their definitions, as Python's imports do it."""

from __future__ import annotations

import pytest

from copilot_server.workspace.python.heads import summarize
from copilot_server.workspace.python.resolve import Module, Resolver, Target
from tests.support.memory_files import MemoryFiles


def where(files: dict[str, str], document: str, text: str, name: str) -> str:
    """Return ``path:head`` of what ``name`` means in a document with this text; "" if it is not found."""
    resolver = Resolver(MemoryFiles(files), f"/w/{document}", summarize(text))
    found = resolver.dotted(f"/w/{document}", name)
    if isinstance(found, Target):
        return f"{found.path.removeprefix('/w/')}:{found.definition.head}"
    if isinstance(found, Module):
        return ",".join(path.removeprefix("/w/") for path in resolver.files_of(found))
    return ""


CASES = {
    "another name": (
        {"a.py": "from b import f\ng: Final = f\nh = g", "b.py": "def f(): ..."},
        "m.py",
        "from a import h",
        "h",
        "b.py:def f():",
    ),
    "absolute": (
        {"pkg/__init__.py": "", "pkg/a.py": "def f(): ..."},
        "m.py",
        "from pkg.a import f",
        "f",
        "pkg/a.py:def f():",
    ),
    "alias": (
        {"pkg/__init__.py": "", "pkg/a.py": "def f(): ..."},
        "m.py",
        "from pkg.a import f as g",
        "g",
        "pkg/a.py:def f():",
    ),
    "relative": (
        {"pkg/__init__.py": "", "pkg/a.py": "def f(): ..."},
        "pkg/m.py",
        "from .a import f",
        "f",
        "pkg/a.py:def f():",
    ),
    "two dots": (
        {"pkg/__init__.py": "", "pkg/a.py": "def f(): ...", "pkg/in/__init__.py": ""},
        "pkg/in/m.py",
        "from ..a import f",
        "f",
        "pkg/a.py:def f():",
    ),
    "from the package itself": (
        {"pkg/__init__.py": "def f(): ...", "pkg/m.py": ""},
        "pkg/m.py",
        "from . import f",
        "f",
        "pkg/__init__.py:def f():",
    ),
    "module": (
        {"pkg/__init__.py": "", "pkg/a.py": "def f(): ..."},
        "m.py",
        "from pkg import a",
        "a.f",
        "pkg/a.py:def f():",
    ),
    "dotted module": (
        {"pkg/__init__.py": "", "pkg/a.py": "def f(): ..."},
        "m.py",
        "import pkg.a",
        "pkg.a.f",
        "pkg/a.py:def f():",
    ),
    "module alias": (
        {"pkg/__init__.py": "", "pkg/a.py": "def f(): ..."},
        "m.py",
        "import pkg.a as b",
        "b.f",
        "pkg/a.py:def f():",
    ),
    "src layout": (
        {"src/pkg/__init__.py": "", "src/pkg/a.py": "def f(): ..."},
        "tests/m.py",
        "from pkg.a import f",
        "f",
        "src/pkg/a.py:def f():",
    ),
    "layout of several projects": (
        {"one/lib/pkg/__init__.py": "", "one/lib/pkg/a.py": "def f(): ..."},
        "one/m.py",
        "from pkg.a import f",
        "f",
        "one/lib/pkg/a.py:def f():",
    ),
    "beside a script": (
        {"scripts/a.py": "def f(): ..."},
        "scripts/m.py",
        "from a import f",
        "f",
        "scripts/a.py:def f():",
    ),
    "namespace package": (
        {"ns/sub/a.py": "def f(): ..."},
        "m.py",
        "import ns.sub.a",
        "ns.sub.a.f",
        "ns/sub/a.py:def f():",
    ),
    "re-export": (
        {
            "pkg/__init__.py": "from .b import f",
            "pkg/b.py": "from pkg.c import g as f",
            "pkg/c.py": "def g(): ...",
        },
        "m.py",
        "from pkg import f",
        "f",
        "pkg/c.py:def g():",
    ),
    "re-export of the same name as its module": (
        {"pkg/__init__.py": "from .f import f", "pkg/f.py": "def f(): ..."},
        "m.py",
        "from pkg import f",
        "f",
        "pkg/f.py:def f():",
    ),
    "star": (
        {"pkg/__init__.py": "from .a import *", "pkg/a.py": "def f(): ..."},
        "m.py",
        "from pkg import *",
        "f",
        "pkg/a.py:def f():",
    ),
    "star with __all__": (
        {"a.py": "__all__ = ['_f']\ndef _f(): ..."},
        "m.py",
        "from a import *",
        "_f",
        "a.py:def _f():",
    ),
    "for type checkers": (
        {"a.py": "def f(): ..."},
        "m.py",
        "if TYPE_CHECKING:\n    from a import f",
        "f",
        "a.py:def f():",
    ),
    "stub": (
        {"a.py": "def f(x): ...", "a.pyi": "def f(x: int): ..."},
        "m.py",
        "from a import f",
        "f",
        "a.pyi:def f(x: int):",
    ),
    "missing in the stub": (
        {"a.py": "def f(x): ...", "a.pyi": "def g(): ..."},
        "m.py",
        "from a import f",
        "f",
        "a.py:def f(x):",
    ),
    "nearest of two": (
        {"x/pkg/__init__.py": "def f(x): ...", "y/pkg/__init__.py": "def f(y): ..."},
        "y/m.py",
        "from pkg import f",
        "f",
        "y/pkg/__init__.py:def f(y):",
    ),
    "member": (
        {"a.py": "class A:\n    def f(self): ..."},
        "m.py",
        "from a import A",
        "A.f",
        "a.py:def f(self):",
    ),
    "inherited member": (
        {"a.py": "from b import B\nclass A(B): ...", "b.py": "class B:\n    def f(self): ..."},
        "m.py",
        "from a import A",
        "A.f",
        "b.py:def f(self):",
    ),
    "of an annotated variable": (
        {"a.py": "from b import B\none: B | None = None", "b.py": "class B:\n    def f(self): ..."},
        "m.py",
        "from a import one",
        "one.f",
        "b.py:def f(self):",
    ),
    "of a constructed variable": (
        {"a.py": "import b\none = b.B(1)", "b.py": "class B:\n    def f(self): ..."},
        "m.py",
        "from a import one",
        "one.f",
        "b.py:def f(self):",
    ),
    "of what a function returns": (
        {
            "a.py": "from b import make\none = make()",
            "b.py": "class B:\n    def f(self): ...\ndef make() -> 'B': ...",
        },
        "m.py",
        "from a import one",
        "one.f",
        "b.py:def f(self):",
    ),
    "of what a class method returns": (
        {
            "a.py": "from b import B\none = B.make()",
            "b.py": "class B:\n    def f(self): ...\n    @classmethod\n    def make(cls) -> Self: ...",
        },
        "m.py",
        "from a import one",
        "one.f",
        "b.py:def f(self):",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_name_is_followed_to_its_definition(case: str):
    *question, expected = CASES[case]
    assert where(*question) == expected


NOT_FOUND = {
    "a name of itself": ({"a.py": "f = g\ng = f"}, "m.py", "from a import f", "f.x"),
    "private names are not in a star": ({"a.py": "def _f(): ..."}, "m.py", "from a import *", "_f"),
    "names missing in __all__": ({"a.py": "__all__ = []\ndef f(): ..."}, "m.py", "from a import *", "f"),
    "a circle": ({"a.py": "from b import f", "b.py": "from a import f"}, "m.py", "from a import f", "f"),
    "a circle of stars": (
        {"a.py": "from b import *", "b.py": "from a import *"},
        "m.py",
        "from a import *",
        "f",
    ),
    "a circle of bases": (
        {"a.py": "from b import B\nclass A(B): ...", "b.py": "from a import A\nclass B(A): ..."},
        "m.py",
        "from a import A",
        "A.f",
    ),
    "too many dots": ({"a.py": "def f(): ..."}, "m.py", "from ....a import f", "f"),
    "another library": ({"a.py": "def f(): ..."}, "m.py", "from numpy import f", "f"),
    "a union is not certain": (
        {"a.py": "class A:\n    def f(self): ...\nclass B: ...\none: A | B"},
        "m.py",
        "from a import one",
        "one.f",
    ),
    "a list is not its items": (
        {"a.py": "class A:\n    def f(self): ...\none: list[A]"},
        "m.py",
        "from a import one",
        "one.f",
    ),
}


@pytest.mark.parametrize("case", NOT_FOUND)
def test_what_is_not_certain_is_not_found(case: str):
    assert where(*NOT_FOUND[case]) == ""


def test_a_module_is_its_stub_and_its_source():
    files = {"pkg/__init__.py": "", "pkg/a.py": "", "pkg/a.pyi": ""}
    assert where(files, "m.py", "from pkg import a", "a") == "pkg/a.pyi,pkg/a.py"


@pytest.mark.parametrize("copy", ["pkg/m.py", "pkg/m.pyi"])
def test_the_documents_own_file_and_its_stub_are_never_looked_into(copy: str):
    files = {"pkg/__init__.py": "from .m import f", copy: "def f(): ..."}
    assert where(files, "pkg/m.py", "from pkg import f", "f") == ""
    assert where(files, "pkg/other.py", "from pkg import f", "f") == f"{copy}:def f():"


def test_the_document_itself_has_the_text_that_is_given():
    files = {"m.py": "class A:\n    def old(self): ...", "a.py": "class B:\n    def f(self): ..."}
    text = "from a import B\nclass A(B): ..."
    assert where(files, "m.py", text, "A.f") == "a.py:def f(self):"
    assert where(files, "m.py", text, "A.old") == ""
