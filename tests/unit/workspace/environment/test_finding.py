"""Which environment counts for a document."""

from __future__ import annotations

from pathlib import Path

import pytest

from copilot_server.workspace.environment.finding import NAMES, site_packages_for
from tests.support.environments import make_environment
from tests.support.workspaces import write


@pytest.fixture
def top(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "work"
    (folder / "part").mkdir(parents=True)
    return folder


def found(top: Path, *others: Path, virtual_env: Path | str = "", document: str = "part/a.py") -> str:
    return site_packages_for(str(top / document), [str(top), *map(str, others)], str(virtual_env))


@pytest.mark.parametrize("name", NAMES)
def test_an_environment_in_the_workspace_folder(top: Path, name: str):
    assert found(top) == ""
    site = make_environment(top / name, {})
    assert found(top) == str(site)


def test_a_folder_without_a_mark_is_no_environment(top: Path):
    site = make_environment(top / ".venv", {})
    (top / ".venv" / "pyvenv.cfg").unlink()
    assert found(top) == ""
    (top / ".venv" / "conda-meta").mkdir()
    assert found(top) == str(site)


def test_the_nearest_environment_counts_but_none_above_the_workspace(top: Path):
    make_environment(top.parent / ".venv", {})
    assert found(top) == ""
    outer = make_environment(top / "venv", {})
    assert found(top) == str(outer)
    inner = make_environment(top / "part" / ".venv", {})
    assert found(top) == str(inner)
    assert found(top, document="b.py") == str(outer)


def test_the_active_environment_counts_in_the_workspace_or_where_there_is_no_other(top: Path):
    active = make_environment(top.parent / "active", {})
    assert found(top, virtual_env=top.parent / "active") == str(active)
    own = make_environment(top / ".venv", {})
    assert found(top, virtual_env=top.parent / "active") == str(own)
    named = make_environment(top / "py311", {})
    assert found(top, virtual_env=top / "py311") == str(named)
    assert found(top, virtual_env=top / "absent") == str(own)


def test_an_environment_of_another_folder_of_the_workspace(top: Path):
    other = top.parent / "other"
    site = make_environment(other / ".venv", {})
    assert found(top) == ""
    assert found(top, other) == str(site)


def test_the_newest_version_counts(top: Path):
    for version in ("3.9", "3.12", "3.11"):
        (top / ".venv" / "lib" / f"python{version}" / "site-packages").mkdir(parents=True)
    write(top, {".venv/pyvenv.cfg": "", ".venv/lib/notes.txt": ""})
    assert found(top).endswith("python3.12/site-packages")


def test_packages_behind_a_link_are_not_found_but_an_environment_may_be_one(top: Path):
    elsewhere = make_environment(top.parent / "elsewhere", {})
    (top / "venv").symlink_to(top.parent / "elsewhere")
    assert found(top) == str(elsewhere)
    (top / "venv").unlink()
    write(top, {"venv/pyvenv.cfg": "", "venv/lib/python3.11/notes.txt": ""})
    (top / "venv" / "lib" / "python3.11" / "site-packages").symlink_to(elsewhere)
    assert found(top) == ""


def test_a_document_outside_of_the_workspace_has_the_active_environment(top: Path):
    active = make_environment(top.parent / "active", {})
    assert site_packages_for("/nowhere/a.py", [str(top)], str(top.parent / "active")) == str(active)
    assert site_packages_for("/nowhere/a.py", [str(top)]) == ""
