"""The package holds no import circle, and ``tests/unit`` mirrors it."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

from tests.support.package_modules import imports_of, modules_in_circles, modules_of
from tests.support.paths import REPOSITORY, TESTS

PACKAGE = REPOSITORY / "copilot_server"
UNIT = TESTS / "unit"
TESTED_ELSEWHERE = UNIT / "tested_elsewhere.toml"


def test_no_module_imports_itself_by_way_of_others():
    assert modules_in_circles(imports_of(modules_of(PACKAGE))) == set()


def test_a_circle_is_found_where_one_of_its_imports_is_for_type_checkers_only(tmp_path: Path):
    package = tmp_path / "house"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("from house.b import B\n")
    (package / "b.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from house import a\n"
    )
    (package / "c.py").write_text("import house.a\n")
    assert modules_in_circles(imports_of(modules_of(package))) == {"house.a", "house.b"}


def test_every_module_has_its_test_file_or_names_the_tests_that_reach_it():
    listed = read_list()["modules"]
    missing = {module for module in modules_with_code() if not file_of_tests(module).exists()}
    assert missing - set(listed) == set(), f"write their tests, or list them in {TESTED_ELSEWHERE}"
    assert set(listed) - missing == set(), f"remove them from {TESTED_ELSEWHERE}"


def test_every_test_file_stands_for_a_module_or_says_what_it_tests():
    listed = read_list()["files"]
    of_modules = {file_of_tests(module) for module in modules_with_code()}
    others = {path.relative_to(UNIT).as_posix() for path in set(UNIT.rglob("test_*.py")) - of_modules}
    assert others == set(listed)


def test_the_tests_that_the_list_names_exist():
    for module, (named, *_reason) in read_list()["modules"].items():
        assert (TESTS / named).is_file(), f"{module}: there is no {named}"


def read_list() -> dict[str, dict[str, list[str]]]:
    listed: dict[str, dict[str, list[str]]] = tomllib.loads(TESTED_ELSEWHERE.read_text("utf-8"))
    return listed


def modules_with_code() -> set[str]:
    """Return the paths of modules that define a function or a class."""
    return {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if any(
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
        )
    }


def file_of_tests(module: str) -> Path:
    """Return ``a/test_b.py`` for the module ``a/b.py``, and ``test_a.py`` for ``a/__init__.py``."""
    path = UNIT / module
    if path.name == "__init__.py":
        path = path.parent.with_suffix(".py")
    return path.with_name(f"test_{path.name}")
