"""What git says of small repositories, and what in them must not run."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from copilot_server.errors import DataError
from copilot_server.evaluation.repository import git
from tests.support.repositories import commit, run_git, write

CODE = "def first():\n    return 1\n\n\ndef second():\n    return 2\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    commit(folder, {"old.py": CODE, "moved.py": CODE.replace("1", "3"), "café.py": "x = 1\n"}, "2024-01-01")
    commit(folder, {"new.py": CODE.replace("1", "4"), "old.py": CODE + "y = 2\n"}, "2024-05-01")
    return folder


def test_a_folder_is_a_repository_or_not(folder: Path, tmp_path: Path):
    (folder / "sub").mkdir()
    assert git.is_repository(folder)
    assert git.is_repository(folder / "sub")
    assert not git.is_repository(tmp_path)


def test_tracked_and_visible_files(folder: Path):
    write(folder, {"untracked.py": "", "ignored.py": "", ".gitignore": "ignored.py\n"})
    assert set(git.tracked(folder)) == {"old.py", "moved.py", "new.py", "café.py"}
    assert set(git.visible(folder)) == {*git.tracked(folder), "untracked.py", ".gitignore"}


def test_files_come_with_the_age_of_their_last_commit(folder: Path):
    assert git.newest_first(folder) == {"old.py": 0, "new.py": 0, "moved.py": 1, "café.py": 1}


def test_paths_are_relative_to_the_folder(folder: Path):
    commit(folder, {"sub/a.py": "a = 1\n"})
    assert git.newest_first(folder / "sub") == {"a.py": 0}
    assert git.tracked(folder / "sub") == ["a.py"]
    assert git.added_since(folder / "sub", date(2023, 1, 1)) == {"a.py"}


def test_only_added_files_are_new(folder: Path):
    assert git.added_since(folder, date(2024, 3, 1)) == {"new.py"}
    assert git.added_since(folder, date(2023, 3, 1)) == {"old.py", "moved.py", "new.py", "café.py"}
    assert git.added_since(folder, date(2025, 3, 1)) == set()


def test_a_renamed_file_is_not_new(folder: Path):
    run_git(folder, "mv", "moved.py", "renamed.py")
    commit(folder, {}, "2024-06-01")
    assert git.added_since(folder, date(2024, 3, 1)) == {"new.py"}


def test_a_staged_file_is_new(folder: Path):
    write(folder, {"staged.py": "z = 1\n"})
    run_git(folder, "add", "staged.py")
    assert git.added_since(folder, date(2025, 3, 1)) == {"staged.py"}


def test_a_day_begins_at_midnight(folder: Path):
    assert git.added_since(folder, date(2024, 5, 1)) == {"new.py"}
    assert git.added_since(folder, date(2024, 5, 2)) == set()


def test_a_repository_without_a_commit(tmp_path: Path):
    run_git(tmp_path, "init", "-q")
    write(tmp_path, {"a.py": "a = 1\n"})
    run_git(tmp_path, "add", "-A")
    assert git.head(tmp_path) == ""
    assert git.newest_first(tmp_path) == {}
    assert git.added_since(tmp_path, date(2024, 3, 1)) == {"a.py"}


def test_a_damaged_repository_is_an_error(folder: Path):
    (folder / ".git" / "index").write_bytes(b"no index")
    with pytest.raises(DataError, match="ls-files"):
        git.tracked(folder)


class TestHostileConfiguration:
    """A repository from an archive may configure programs. None of them runs."""

    @pytest.fixture
    def trap(self, folder: Path, tmp_path: Path) -> Path:
        program = tmp_path / "program.sh"
        program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\ncat\n")
        program.chmod(0o755)
        for name in ("core.fsmonitor", "core.pager", "diff.external", "filter.x.clean", "diff.x.textconv"):
            run_git(folder, "config", name, str(program))
        run_git(folder, "config", "diff.x.command", str(program))
        write(folder, {".gitattributes": "*.py filter=x diff=x\n"})
        # A file whose time has changed is compared by its content, if at all.
        (folder / "old.py").write_text((folder / "old.py").read_text() + "changed = 1\n")
        return tmp_path / "ran"

    def test_nothing_that_it_names_runs(self, folder: Path, trap: Path):
        git.is_repository(folder)
        git.tracked(folder)
        git.visible(folder)
        git.newest_first(folder)
        git.added_since(folder, date(2024, 3, 1))
        git.head(folder)
        assert not trap.exists()

    def test_with_a_plain_command_it_would(self, folder: Path, trap: Path):
        run_git(folder, "status")
        assert trap.exists()
