"""Which files of an environment may be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from copilot_server.workspace.environment.disk import Disk
from copilot_server.workspace.files import MAX_BYTES
from tests.support.environments import make_environment

FILES = {"pkg/__init__.py": "", "pkg/a.py": "", "pkg/b.py": "", "pkg-stubs/b.pyi": "", "one.py": ""}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return make_environment(tmp_path.resolve() / ".venv", FILES)


def source(site: Path, name: str, excluded: str = "none") -> str:
    disk = Disk(str(site), lambda path: excluded in path)
    return disk.source(f"{site}/{name}").removeprefix(f"{site}/")


def test_a_file_that_is_there(site: Path):
    assert source(site, "pkg/a.py") == "pkg/a.py"
    assert source(site, "pkg/absent.py") == ""
    assert source(site, "one.py") == "one.py"


def test_a_package_of_stubs_comes_first(site: Path):
    assert source(site, "pkg/b.pyi") == "pkg-stubs/b.pyi"
    (site / "pkg" / "b.pyi").write_text("")
    assert source(site, "pkg/b.pyi") == "pkg-stubs/b.pyi"
    (site / "pkg-stubs" / "b.pyi").unlink()
    assert source(site, "pkg/b.pyi") == "pkg/b.pyi"


def test_an_excluded_file_is_not_read(site: Path):
    assert source(site, "pkg/a.py", excluded="a.py") == ""
    assert source(site, "pkg/b.pyi", excluded="pkg-stubs") == ""
    assert source(site, "pkg/b.pyi", excluded="a.py") == "pkg-stubs/b.pyi"


def test_a_large_file_is_not_read(site: Path):
    (site / "one.py").write_text("x" * MAX_BYTES)
    assert source(site, "one.py") == "one.py"
    (site / "one.py").write_text("x" * (MAX_BYTES + 1))
    assert source(site, "one.py") == ""


def test_links_are_not_followed(site: Path, tmp_path: Path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.py").write_text("")
    (site / "linked").symlink_to(outside)
    (site / "two.py").symlink_to(outside / "a.py")
    assert [source(site, name) for name in ("linked/a.py", "two.py")] == ["", ""]
    disk = Disk(str(site), lambda _: False)
    assert not disk.has_folder(f"{site}/linked")
    assert not disk.has_folder(f"{site}/absent")
    assert disk.has_folder(f"{site}/pkg")
