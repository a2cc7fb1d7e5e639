"""The database of statistics as real processes use it, and what can go wrong with it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from copilot_server.statistics import schema
from tests.support.paths import REPOSITORY
from tests.support.statistics_rows import ROW, write

WRITER = (sys.executable, "-m", "tests.support.statistics_rows")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "statistics" / "suggestions.sqlite3"


def rows(path: Path) -> list[tuple[object, ...]]:
    with closing(schema.open_for_reading(path)) as connection:
        return [tuple(row) for row in connection.execute("SELECT * FROM suggestions ORDER BY id")]


def ids(path: Path) -> list[object]:
    return [row[0] for row in rows(path)]


def check(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchone()[0]


class TestProcesses:
    def test_two_write_at_once(self, path: Path):
        processes = [
            subprocess.Popen(
                [*WRITER, path, str(first), "2000"], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
            )
            for first in (0, 10_000)
        ]
        assert [process.communicate(timeout=300)[0] for process in processes] == ["written\n"] * 2
        assert ids(path) == [*range(2000), *range(10_000, 12_000)]
        assert check(path) == "ok"

    @pytest.mark.parametrize("moment", range(4))
    def test_one_that_is_killed_damages_nothing_and_loses_no_row_in_between(self, path: Path, moment: int):
        process = subprocess.Popen([*WRITER, path, "0", "0"], cwd=REPOSITORY)
        try:
            while not path.exists() or len(seen := ids(path)) < 1 + 500 * moment:
                assert process.poll() is None
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        kept = ids(path)
        assert kept[: len(seen)] == seen
        assert kept == [*range(len(kept))]
        assert check(path) == "ok"
        write(path, replace(ROW, id=10**9))
        assert ids(path) == [*kept, 10**9]


class TestFailures:
    def test_a_full_disk(self, path: Path):
        result = subprocess.run(
            [*WRITER, path, "0", "5000", "--largest-file", str(200 * 1024)],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )
        assert "written" not in result.stdout
        assert result.stderr.count("No statistics are kept until the next start") == 1
        assert "Traceback" not in result.stderr
        assert check(path) == "ok"
        # Once there is room it continues, and the same rows fit where nothing limits them.
        assert write(path, replace(ROW, id=10**9)).failure is None
        assert 10**9 in ids(path)
        twin = [*WRITER, path, "20000", "5000"]
        assert (
            subprocess.run(twin, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
            == "written\n"
        )

    @pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")
    def test_a_file_system_without_room(self, tmp_path: Path):
        script = (
            "mount -t tmpfs -o size=128k tmpfs $0 && "
            "$1 -m tests.support.statistics_rows $0/s/suggestions.sqlite3 0 5000; echo code $?"
        )
        command = ["unshare", "--mount", "--map-root-user", "sh", "-c", script, tmp_path, sys.executable]
        result = subprocess.run(
            command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False
        )
        assert result.stdout == "code 0\n", result.stderr
        assert result.stderr.count("No statistics are kept until the next start") == 1

    def test_a_folder_that_may_not_be_written_to(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            command = [*WRITER, folder / "suggestions.sqlite3", "0", "10"]
            # Root may write anywhere, so another user has to try.
            command += ["--as-nobody"] if os.geteuid() == 0 else []
            folder.chmod(0o555)
            denied = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
            assert denied.stdout == ""
            assert denied.stderr.count("No statistics are kept until the next start") == 1
            folder.chmod(0o777)
            allowed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
            assert (allowed.stdout, allowed.stderr) == ("written\n", "")
