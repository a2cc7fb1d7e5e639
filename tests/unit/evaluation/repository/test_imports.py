"""Which names of a file other files of the repository define."""

from __future__ import annotations

import pytest

from copilot_server.evaluation.repository.imports import Modules, dotted, parse

FILES = {
    "src/pkg/__init__.py": "from .shapes import Circle\nfrom .other import *\nVERSION = 1\n",
    "src/pkg/shapes.py": "class Circle: ...\ndef area(shape): ...\nimport numpy as np\n",
    "src/pkg/other.py": "def helper(): ...\n",
    "src/pkg/sub/__init__.py": "",
    "src/pkg/sub/deep.py": "DEPTH = 3\n",
    "tests/tools.py": "def make(): ...\n",
    "scripts/json.py": "def dumps(): ...\n",
    "plain.py": "LIMIT = 1\ntry:\n    import fast\n    SPEED = 2\nexcept ImportError:\n    SPEED = 1\n",
}


def names(text: str, path: str = "src/pkg/user.py") -> dict[str, str]:
    files = {**FILES, path: text}
    tree = parse(text)
    assert tree is not None
    return Modules(files, files.get).foreign_names(path, tree)


@pytest.mark.parametrize(
    ("text", "name", "origin"),
    [
        ("from .shapes import Circle", "Circle", "src/pkg/shapes.py"),
        ("from . import shapes", "shapes", "src/pkg/shapes.py"),
        ("from pkg.shapes import area as a", "a", "src/pkg/shapes.py"),
        ("from src.pkg.shapes import area", "area", "src/pkg/shapes.py"),
        ("import pkg.shapes", "pkg.shapes", "src/pkg/shapes.py"),
        ("import pkg.shapes as s", "s", "src/pkg/shapes.py"),
        ("from pkg import Circle", "Circle", "src/pkg/shapes.py"),  # re-exported
        ("from pkg import VERSION", "VERSION", "src/pkg/__init__.py"),
        ("from pkg.sub import deep", "deep", "src/pkg/sub/deep.py"),
        ("from plain import SPEED", "SPEED", "plain.py"),
        ("if True:\n    from tools import make", "make", "tests/tools.py"),
    ],
)
def test_names_that_another_file_defines(text: str, name: str, origin: str):
    assert names(text + "\n") == {name: origin}


@pytest.mark.parametrize(
    "text",
    [
        "from .shapes import np",  # of another package
        "from .shapes import missing",
        "from .other import *",
        "from pkg import helper",  # by a star import only
        "import json",  # the standard library's
        "import numpy",
        "from ....far import x",
        "from .shapes import Circle\nCircle = make()",
        "from .shapes import area\ndef use(area): ...",
        "from .user import x",
    ],
)
def test_other_names_do_not_count(text: str):
    assert names(text + "\n") == {}


def test_relative_imports_go_up():
    assert names("from ..shapes import area\n", "src/pkg/sub/user.py") == {"area": "src/pkg/shapes.py"}
    assert names("from .. import other\n", "src/pkg/sub/user.py") == {"other": "src/pkg/other.py"}


def test_re_exports_in_a_circle_end():
    files = {"a.py": "from b import x\n", "b.py": "from a import x\n", "c.py": "from a import x\n"}
    tree = parse(files["c.py"])
    assert tree is not None
    assert Modules(files, files.get).foreign_names("c.py", tree) == {}


def test_dotted_names():
    tree = parse("a.b.c\nf().x\n")
    assert tree is not None
    assert [dotted(node.value) for node in tree.body] == ["a.b.c", ""]  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", ["def (:\n", "x = '\0'\n", "(" * 500])
def test_what_is_not_python_has_no_tree(text: str):
    assert parse(text) is None


def test_an_invalid_escape_warns_nobody():
    assert parse('x = "\\d"\n') is not None
