"""The command line of bubblewrap."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from copilot_server.sandbox import bubblewrap
from copilot_server.sandbox.interpreter import base_python

ELSEWHERE = Path("/opt/site-packages/numpy")
BELOW_TMP = Path("/tmp/project/site-packages/numpy")


def command(*packages: Path) -> list[str]:
    return bubblewrap.command(Path("bwrap"), "user namespace", 1 << 20, list(packages))


@pytest.fixture(autouse=True)
def python_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter is not below ``/tmp``, wherever these tests run."""
    monkeypatch.setattr(bubblewrap, "base_python", lambda: Path("/usr/bin/python3"))
    monkeypatch.setattr(bubblewrap, "library_folders", list)


@pytest.mark.parametrize(("package", "folder"), [(ELSEWHERE, "/tmp"), (BELOW_TMP, "/scratch")])
def test_programs_write_to_a_folder_that_holds_nothing_else(package: Path, folder: str):
    assert bubblewrap.writable_folder([package]) == folder
    assert ("--tmpfs", folder) in pairwise(command(package))
    assert ("--chdir", folder) in pairwise(command(package))


@pytest.mark.parametrize("package", [ELSEWHERE, BELOW_TMP, Path("/dev/shm/numpy")])
def test_what_is_bound_is_mounted_after_what_could_cover_it(package: Path):
    words = command(package)
    bound = words.index(str(package), words.index("--ro-bind"))
    assert words.index("--tmpfs") < bound < words.index("--remount-ro")
    assert words.index("--dev") < bound


def test_the_command_ends_with_the_interpreter():
    assert command()[-2:] == ["--", "/usr/bin/python3"]
    assert base_python().is_absolute()
