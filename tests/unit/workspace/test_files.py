"""Which files of a folder are listed, with git and without."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from copilot_server.context.exclusion import Exclusions
from copilot_server.workspace import files
from copilot_server.workspace.files import MAX_BYTES, list_files
from tests.support.workspaces import git, repository, write


def names(folder: Path, *patterns: str, only: tuple[str, ...] = ()) -> set[str]:
    exclusions = Exclusions(patterns, [folder.as_uri()])
    paths = [str(folder / name) for name in only]
    return {os.path.relpath(one.path, folder) for one in list_files(folder, exclusions, paths)}


FILES = {
    "a.py": "",
    "b.pyi": "",
    "c.txt": "",
    "in/d.py": "",
    "in/.gitignore": "!kept.py\n",
    "in/kept.py": "",
    "in/ignored.py": "",
    ".gitignore": "ignored.py\nkept.py\nbuild/\n",
    "build/e.py": "",
    "odd name\n.py": "",
}
EXPECTED = {"a.py", "b.pyi", "in/d.py", "in/kept.py", "odd name\n.py"}


@pytest.fixture(params=["git", "walk"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    write(folder, FILES)
    if request.param == "git":
        git(folder, "init", "-q")
    return folder


def test_sources_are_listed_that_nothing_ignores(folder: Path):
    assert names(folder) == EXPECTED


def test_excluded_files_are_left_out(folder: Path):
    write(folder, {".copilotignore": "in/\n"})
    assert names(folder, "b.*") == {"a.py", "odd name\n.py"}


def test_only_named_files_are_listed(folder: Path):
    assert names(folder, only=("a.py", "in/ignored.py", "none.py")) == {"a.py"}
    assert names(folder, only=("../a.py",)) == set()


def test_links_large_files_and_other_kinds_are_left_out(folder: Path, tmp_path: Path):
    write(tmp_path, {"outside/f.py": ""})
    (folder / "link.py").symlink_to(tmp_path / "outside" / "f.py")
    (folder / "links").symlink_to(tmp_path / "outside")
    (folder / "loop").symlink_to(folder)
    (folder / "large.py").write_text("#" * (MAX_BYTES + 1))
    (folder / "largest.py").write_text("#" * MAX_BYTES)
    (folder / "folder.py").mkdir()
    os.mkfifo(folder / "pipe.py")
    assert names(folder) == EXPECTED | {"largest.py"}


def test_names_that_are_not_text_are_left_out(folder: Path):
    os.close(os.open(os.fsencode(folder) + b"/\xff.py", os.O_CREAT))
    assert names(folder) == EXPECTED


def test_repositories_within_the_folder_are_entered(folder: Path):
    repository(folder / "nested", {"g.py": "", ".gitignore": "h.py"})
    write(folder / "nested", {"h.py": ""})
    assert names(folder) == EXPECTED | {"nested/g.py"}
    assert names(folder, only=("nested/g.py",)) == {"nested/g.py"}


def test_at_most_so_many_files_are_listed(folder: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        assert len(list(list_files(folder, Exclusions(), (), 3))) == 3
    assert "Only 3 files" in caplog.text


def test_a_list_of_git_that_is_too_long_is_cut_at_a_whole_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = repository(tmp_path / "work", {f"file{number}.py": "" for number in range(9)})
    monkeypatch.setattr(files, "MAX_LISTED_BYTES", 3 * len("file0.py\0") + 4)
    assert names(folder) == {"file0.py", "file1.py", "file2.py"}


def test_a_git_that_takes_too_long_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path, {"bin/git": "#!/bin/sh\nexec sleep 600\n", "work/a.py": ""})
    (tmp_path / "bin" / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr(files, "GIT_TIMEOUT_S", 0.01)
    assert names(tmp_path / "work") == {"a.py"}


def test_a_machine_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path, {"work/a.py": ""})
    monkeypatch.setenv("PATH", str(tmp_path))
    assert names(tmp_path / "work") == {"a.py"}


def test_a_walk_ends_after_so_many_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    write(tmp_path, {f"{number}.py": "" for number in range(9)})
    monkeypatch.setattr(files, "MAX_ENTRIES", 4)
    with caplog.at_level(logging.WARNING):
        assert len(names(tmp_path)) == 4
    assert "too many files" in caplog.text


def test_tracked_files_that_are_gone_are_left_out(tmp_path: Path):
    folder = repository(tmp_path / "work", FILES)
    (folder / "a.py").unlink()
    assert names(folder) == EXPECTED - {"a.py"}


def test_without_git_hidden_folders_and_environments_are_skipped(tmp_path: Path):
    skipped = [".hidden/a.py", "venv/a.py", "node_modules/a.py", "__pycache__/a.py", "own/a.py"]
    write(tmp_path, dict.fromkeys([*skipped, "own/pyvenv.cfg", "b.py"], ""))
    assert names(tmp_path) == {"b.py"}


def test_an_ignore_file_that_cannot_be_read_leaves_its_folder_out(tmp_path: Path):
    write(tmp_path, {"a/b.py": "", "a/.gitignore": "#" * (MAX_BYTES + 1), "c.py": ""})
    assert names(tmp_path) == {"c.py"}


def test_a_part_of_a_repository(tmp_path: Path):
    folder = repository(tmp_path / "work", FILES)
    assert names(folder / "in") == {"d.py", "kept.py"}


def test_a_folder_that_is_not_there(tmp_path: Path):
    assert names(tmp_path / "none") == set()


def test_variables_for_git_do_not_lead_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = repository(tmp_path / "work", FILES)
    monkeypatch.setenv("GIT_DIR", str(repository(tmp_path / "other", {"x.py": ""}) / ".git"))
    assert names(folder) == EXPECTED


def as_if_it_were(regular: Path, pipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a pipe look like a regular file to who looks before opening it, as if it had replaced one."""
    os.mkfifo(pipe)
    found, lstat = regular.stat(), os.lstat
    monkeypatch.setattr(os, "lstat", lambda path: found if str(path) == str(pipe) else lstat(path))


def test_a_pipe_that_takes_the_place_of_an_ignore_file_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"a.py": "", "in/b.py": ""})
    assert names(tmp_path) == {"a.py", "in/b.py"}
    as_if_it_were(tmp_path / "a.py", tmp_path / "in" / ".gitignore", monkeypatch)
    assert names(tmp_path) == {"a.py"}  # what it leaves out is not known
