"""The files of a report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from copilot_server.errors import ConfigError
from copilot_server.evaluation.options import STDOUT
from copilot_server.evaluation.report.folder import make_report_folder, write_json, write_report
from copilot_server.evaluation.report.json_report import read_report
from tests.support.reports import a_report, humaneval_tasks

REPORT = a_report(humaneval_tasks()[:3])


def test_the_folder_has_json_and_html(tmp_path: Path):
    folder = tmp_path / "new" / "run"
    make_report_folder(folder)
    make_report_folder(folder)
    write_report(REPORT, folder)
    assert sorted(path.name for path in folder.iterdir()) == ["report.html", "report.json"]
    assert read_report(folder / "report.json") == REPORT
    assert (folder / "report.html").read_text("utf-8").startswith("<!DOCTYPE html>")


def test_a_dash_is_stdout(capsys: pytest.CaptureFixture[str]):
    write_json(REPORT, STDOUT)
    assert json.loads(capsys.readouterr().out)["benchmark"] == "humaneval"


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be written to"):
        make_report_folder(tmp_path / "file" / "run")


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path):
    with pytest.raises(ConfigError, match="cannot be written to"):
        write_json(REPORT, tmp_path / "none" / "report.json")
