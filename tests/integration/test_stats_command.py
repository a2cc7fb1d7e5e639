"""``copilot-server stats`` as a program."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from copilot_server.statistics.schema import database_path
from tests.support.statistics_rows import ROW, write

TAKEN = replace(ROW, shown=True, accepted=True, accepted_characters=20)


def stats(home: Path, *arguments: str, **how: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "copilot_server", "stats", *arguments],
        env=os.environ | {"COPILOT_SERVER_HOME": str(home), "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        **{"stdin": subprocess.DEVNULL, **how},  # type: ignore[arg-type]
    )


class TestCommand:
    @pytest.fixture
    def database(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("COPILOT_SERVER_HOME", str(tmp_path))
        return database_path()

    def test_before_there_is_anything_it_says_what_to_do(self, tmp_path: Path, database: Path):
        result = stats(tmp_path)
        assert result.returncode == 0
        assert "No suggestions are recorded yet" in result.stdout
        assert "`statistics`" in result.stdout
        assert str(database) in result.stdout.replace("\n", "")
        assert not database.exists()

    def test_a_table_for_people_and_json_for_programs(self, tmp_path: Path, database: Path):
        write(database, *(replace(TAKEN, id=number) for number in range(3)))
        result = stats(tmp_path)
        assert (result.returncode, result.stderr) == (0, "")
        assert "3 " in next(line for line in result.stdout.splitlines() if line.startswith("accepted"))
        assert json.loads(stats(tmp_path, "--json").stdout)["totals"]["accepted"] == 3
        assert "Neovim" in stats(tmp_path, "--by", "editor").stdout
        assert "Neovim" not in result.stdout
        assert "python" in stats(tmp_path, "--by", "language").stdout

    def test_eagerness_has_a_table_where_more_than_one_was_used(self, tmp_path: Path, database: Path):
        write(database, replace(TAKEN, id=1), replace(TAKEN, id=2, eagerness=""))
        assert "eagerness" not in stats(tmp_path).stdout
        assert "(unknown)" in stats(tmp_path, "--by", "eagerness").stdout
        write(database, replace(TAKEN, id=3, eagerness="low"))
        assert "eagerness" in stats(tmp_path).stdout
        by_eagerness = json.loads(stats(tmp_path, "--json").stdout)["by_eagerness"]
        assert sorted(one["name"] for one in by_eagerness) == ["", "low", "medium"]

    def test_it_loads_nothing_heavy(self, tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch):
        write(database, ROW)
        monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
        loaded = stats(tmp_path).stderr
        assert " sqlite3\n" in loaded
        for heavy in ("torch", "numpy", "pygls", "huggingface_hub"):
            assert f" {heavy}\n" not in loaded

    def test_a_database_that_cannot_be_read_is_reported(self, tmp_path: Path, database: Path):
        write(database, ROW)
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA user_version = 99")
        result = stats(tmp_path)
        assert result.returncode == 7
        assert result.stderr.startswith(f"error: {database} was written by a newer copilot-server.")
        assert "Traceback" not in result.stderr

    def test_it_deletes_only_after_a_confirmation(self, tmp_path: Path, database: Path):
        write(database, ROW)
        refused = stats(tmp_path, "--forget")
        assert refused.returncode == 1
        assert json.loads(stats(tmp_path, "--json").stdout)["totals"]["offered"] == 1
        answered = stats(tmp_path, "--forget", stdin=None, input="y\n")
        assert answered.returncode == 0
        assert "All statistics are deleted." in answered.stdout
        write(database, ROW)
        assert stats(tmp_path, "--forget", "--yes").stdout == "All statistics are deleted.\n"
        assert "No suggestions are recorded yet" in stats(tmp_path).stdout

    def test_there_may_be_nothing_to_forget(self, tmp_path: Path, database: Path):
        assert stats(tmp_path, "--forget").stdout == "Nothing was counted yet.\n"
        assert not database.parent.exists()

    @pytest.mark.parametrize("flags", [["--days", "0"], ["--by", "colour"]])
    def test_a_wrong_flag_is_reported(self, tmp_path: Path, flags: list[str]):
        result = stats(tmp_path, *flags)
        assert result.returncode == 2
        assert flags[0] in result.stderr
