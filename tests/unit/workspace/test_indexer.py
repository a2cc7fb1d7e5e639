"""Jobs of the indexer, done in this process."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from copilot_server.workspace import indexer
from copilot_server.workspace.indexer import BATCH, Job, Outcome, index
from copilot_server.workspace.store import Reader
from tests.support.workspaces import repository, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = repository(tmp_path / "work", {"pkg/__init__.py": "", "pkg/a.py": "x = 1", "b.py": "y = 1"})
    make_old(folder)
    return folder


@pytest.fixture
def job(tmp_path: Path, folder: Path) -> Job:
    return Job(str(tmp_path / "cache" / "index.sqlite3"), (str(folder),))


def make_old(folder: Path) -> None:
    """Let no file look as if it were still being written."""
    for path in folder.rglob("*.py"):
        os.utime(path, ns=(10**18, 10**18))


def only(job: Job, *paths: Path) -> Job:
    return Job(job.database, job.folders, job.patterns, tuple(map(str, paths)))


def summary(job: Job, path: Path) -> str | None:
    with closing(Reader(Path(job.database))) as reader:
        return reader.summary(str(path))


def test_only_what_has_changed_is_read_again(job: Job, folder: Path):
    assert index(job) == Outcome(files=3, read=3, removed=0)
    assert index(job) == Outcome(files=3, read=0, removed=0)
    write(folder, {"b.py": "z = 1\n"})
    (folder / "pkg" / "a.py").unlink()
    assert index(job) == Outcome(files=2, read=1, removed=1)
    assert "z = 1" in (summary(job, folder / "b.py") or "")
    assert summary(job, folder / "pkg" / "a.py") is None


def test_a_file_that_may_still_be_written_is_read_again(
    job: Job, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(indexer, "RACE_NS", 10**17)
    write(folder, {"b.py": "z = 1\n"})
    assert index(job).read == 3
    assert index(job).read == 1


def test_named_files_are_the_only_ones_that_are_looked_at(job: Job, folder: Path):
    index(job)
    write(folder, {"b.py": "z = 1\n", "c.py": "c = 1", "d.py": "d = 1"})
    (folder / "pkg" / "a.py").unlink()
    assert index(only(job, folder / "c.py", folder / "none.py", Path("/elsewhere.py"))) == Outcome(4, 1, 0)
    assert "y = 1" in (summary(job, folder / "b.py") or "")
    assert summary(job, folder / "d.py") is None
    assert index(only(job, folder / "pkg" / "a.py")) == Outcome(3, 0, 1)


def test_a_damaged_database_is_built_again_in_full(job: Job, folder: Path):
    index(job)
    Path(job.database).write_bytes(b"damage" * 2000)
    assert index(only(job, folder / "b.py")).files == 1  # the rest is read when everything is looked at
    assert index(job).files == 3


def test_more_files_than_are_saved_at_once(job: Job, folder: Path):
    write(folder, {f"m{number}.py": f"x = {number}" for number in range(BATCH + 1)})
    assert index(job).files == BATCH + 4
    assert summary(job, folder / f"m{BATCH}.py") is not None


def test_indexes_of_workspaces_that_nobody_opens_any_more_are_deleted(job: Job):
    folder = Path(job.database).parent
    write(folder, dict.fromkeys(("old.sqlite3", "old.sqlite3-wal", "old.lock", "new.sqlite3"), ""))
    os.utime(folder / "old.sqlite3", (0, 0))
    index(job)
    names = {path.name for path in folder.iterdir()}
    assert names >= {"new.sqlite3", Path(job.database).name}
    assert not any(name.startswith("old") for name in names)


def test_an_old_index_stays_while_it_is_used(job: Job):
    index(job)
    os.utime(job.database, (0, 0))
    assert index(job).read == 0


def test_a_careful_job_does_the_same(job: Job, folder: Path):
    assert index(replace(job, is_careful=True, file_cpu_s=600.0)) == Outcome(files=3, read=3, removed=0)
    assert "y = 1" in (summary(job, folder / "b.py") or "")
    assert index(job) == Outcome(files=3, read=0, removed=0)


def test_a_job_is_one_line():
    careful = Job("/d", (), (), ("/é.py",), 1.5, is_careful=True)
    for job in (Job("/d", ("/a", "/b\n"), ("*.x",), None), careful):
        line = job.to_json()
        assert "\n" not in line
        assert Job.from_json(line) == job


def test_a_pipe_that_takes_the_place_of_a_listed_file_is_not_waited_for(
    job: Job, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    list_files = indexer.list_files

    def listed(*arguments: object) -> list[object]:
        found = list(list_files(*arguments))  # type: ignore[arg-type]
        (folder / "b.py").unlink()
        os.mkfifo(folder / "b.py")
        return found

    monkeypatch.setattr(indexer, "list_files", listed)
    assert index(job).read == 3
    assert "x = 1" in (summary(job, folder / "pkg" / "a.py") or "")
    assert "y = 1" not in (summary(job, folder / "b.py") or "")
