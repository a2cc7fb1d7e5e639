"""When a stage of ``make test`` fails, the others still run, and the exit code reports the failure."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts import stages
from scripts.stages import Stage


def touching(path: Path, code: int) -> Stage:
    program = f"import pathlib, sys; pathlib.Path({str(path)!r}).touch(); print('a word'); sys.exit({code})"
    return Stage(path.name, (sys.executable, "-c", program), live=path.name == "live")


@pytest.mark.parametrize(
    ("code", "verdict"), [(0, "plan: 1.0 s, all passed"), (3, "plan: 1.0 s, FAILED: first")]
)
def test_every_stage_runs_and_the_summary_names_what_failed(tmp_path: Path, code: int, verdict: str):
    first = touching(tmp_path / "first", code)
    others = [touching(tmp_path / name, 0) for name in ("second", "live", "beside", "last")]
    outcomes = stages.run((((first, *others[:2]), others[2:3]), (others[3:],)))
    assert {path.name for path in tmp_path.iterdir()} == {"first", "second", "live", "beside", "last"}
    assert {outcome.stage.name: outcome.code for outcome in outcomes if outcome.code} == (
        {"first": code} if code else {}
    )
    assert stages.summary("plan", outcomes, 1.0).splitlines()[-1] == verdict


@pytest.mark.parametrize("code", [0, 1])
def test_the_exit_code_reports_failures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], code: int
):
    lane = (touching(tmp_path / "first", code), touching(tmp_path / "second", 0))
    monkeypatch.setitem(stages.PLANS, "mine", ((lane,),))
    assert stages.main(["mine"]) == code
    assert ("a word" in capfd.readouterr().out) == (code != 0)
    assert (tmp_path / "second").exists()


def test_a_plan_that_does_not_exist_is_a_usage_error(capsys: pytest.CaptureFixture[str]):
    assert stages.main(["nothing"]) == 2
    assert "check" in capsys.readouterr().err


def test_every_test_is_in_one_of_the_rounds_of_make_test():
    commands = [stage.command for lanes in stages.PLANS["test"] for lane in lanes for stage in lane]
    marks = [command[command.index("-m") + 1] for command in commands if "-m" in command]
    assert marks == [
        "not long and not editors and not serial",
        "not long and not editors and serial",
        "editors",
    ]
