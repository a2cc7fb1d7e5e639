"""The self-test over a repository as a whole: a real repository, the real command line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.patience import PATIENCE_S
from tests.support.repositories import commit

COMMAND = [str(Path(sys.executable).with_name("copilot-server"))]
LIBRARY = '''"""Shapes."""


class Circle:
    """A circle."""

    def __init__(self, radius: float) -> None:
        self.radius = radius


def area(circle: Circle, unit: int = 1) -> float:
    """Return the area of a circle."""
    return 3 * circle.radius * circle.radius * unit
'''
USER = '''"""Reports over shapes."""

from shapes import Circle, area


def total(circles: list[Circle], unit: int) -> float:
    """Add up the areas of all circles."""
    result = 0.0
    for circle in circles:
        result += area(circle, unit=unit)
    return result


def largest(circles: list[Circle]) -> float:
    """Return the largest area."""
    areas = [area(circle, unit=1) for circle in circles]
    if not areas:
        raise ValueError("There are no circles.")
    return max(areas)
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    commit(folder, {"shapes.py": LIBRARY}, "2024-01-01")
    commit(folder, {"report.py": USER}, "2024-06-01")
    return folder


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False)


def selftest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run("--selftest", "repository", str(folder), "--offline", *arguments)


@pytest.fixture
def tiny(tiny_model_dir: Path) -> tuple[str, ...]:
    return ("--model", str(tiny_model_dir), "--max-new-tokens", "8")


class TestCommandLine:
    """With a tiny random model, whose suggestions are noise: everything but the scores is real."""

    def test_prints_tables_and_writes_files(self, folder: Path, tiny: tuple[str, ...], tmp_path: Path):
        done = selftest(folder, *tiny, "--limit", "2", "--report", str(tmp_path / "out"))
        assert done.returncode == 0, done.stderr
        assert "exact first line" in done.stdout
        assert "8 tasks in 2 files" in done.stderr
        report = json.loads((tmp_path / "out" / "report.json").read_text())
        assert report["leaks"] == 0
        assert report["limit"] == 2
        assert len(report["tasks"]) == 8
        assert (tmp_path / "out" / "report.html").read_text().startswith("<!DOCTYPE html>")
        # The files still have what was taken out of the documents.
        assert (folder / "report.py").read_text() == USER

    def test_stdout_has_nothing_but_the_json(self, folder: Path, tiny: tuple[str, ...]):
        done = selftest(folder, *tiny, "--limit", "1", "--variant", "block", "--no-typing", "--json", "-")
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert [one["kind"] for one in report["tasks"]] == ["block"]
        assert {one["name"] for one in report["summary"]}.isdisjoint({"keystrokes saved"})

    def test_since_takes_new_files_only(self, folder: Path, tiny: tuple[str, ...]):
        flags = ("--since", "2024-03-01", "--limit", "3", "--no-typing", "--json", "-")
        report = json.loads(selftest(folder, *tiny, *flags).stdout)
        assert {one["path"] for one in report["tasks"]} == {"report.py"}

    def test_two_runs_are_compared(self, folder: Path, tiny: tuple[str, ...], tmp_path: Path):
        for name in ("a.json", "b.json"):
            done = selftest(folder, *tiny, "--limit", "2", "--no-typing", "--json", str(tmp_path / name))
            assert done.returncode == 0, done.stderr
        done = run("compare", str(tmp_path / "a.json"), str(tmp_path / "b.json"), "--fail-if-worse", "--json")
        assert done.returncode == 0, done.stderr
        assert {row["value"] for row in json.loads(done.stdout)["rows"]} == {0.0}

    def test_interrupt_ends_cleanly(self, folder: Path, tiny: tuple[str, ...]):
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            # More tokens than a line has, so that it does not end by itself before it is interrupted.
            flags = ("--selftest", "repository", str(folder), "--offline", *tiny, "--max-new-tokens", "200")
            with psutil.Popen(
                [*COMMAND, *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            ) as process:
                while "exact" not in (line := process.stderr.readline()):
                    assert line, "it ended before it was interrupted"
                process.send_signal(signal.SIGINT)
                _, err = process.communicate(timeout=PATIENCE_S)
        finally:
            signal.signal(signal.SIGINT, before)
        assert process.returncode == 130, err
        assert "Interrupted." in err
        assert "Traceback" not in err


class TestRefusal:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ("repository", "needs a repository"),
            ("repository /no/such/folder", "is not there"),
            ("repository {folder}/report.py", "is no folder"),
            ("repository {folder} --variant word", "no variant 'word'"),
            ("repository {folder} --since yesterday", "is no date"),
            ("repository {folder} --json /no/such/folder/out.json", "does not exist"),
            ("repository {folder} --raw", "--raw has no effect on --selftest repository"),
            ("repository {folder} --samples 5", "--samples has no effect"),
            ("repository {folder} --temperature 0.5", "--temperature has no effect"),
            ("repository {folder} --k 1", "--k has no effect"),
            ("repository {folder} --check upstream", "--check has no effect"),
            ("repository {folder} --timeout 2", "--timeout has no effect"),
            ("repository {folder} --data x", "--data has no effect"),
            ("repository {folder} --samples-file x", "--samples-file has no effect"),
            ("repository {folder} --min-pass-at-1 0.5", "--min-pass-at-1 has no effect"),
            ("humaneval --since 2024-01-01", "--since needs --selftest repository"),
            ("humaneval --repository {folder}", "--repository needs --selftest repository"),
            ("humaneval --no-typing", "--no-typing needs --selftest repository"),
        ],
    )
    def test_wrong_flags_are_refused_before_anything_loads(self, folder: Path, arguments: str, said: str):
        flags = arguments.format(folder=folder).split()
        done = run("--model", "no/such/model", "--offline", "--selftest", *flags)
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith("error: ")
        assert said in done.stderr

    def test_a_repository_without_source_files_is_refused(self, tmp_path: Path):
        commit(tmp_path / "empty", {"README.md": "# Nothing\n"})
        done = selftest(tmp_path / "empty", "--model", "no/such/model")
        assert done.returncode == 6
        assert "no source file to draw tasks from" in done.stderr


@pytest.mark.model
def test_the_real_model_completes_a_small_repository(folder: Path, tmp_path: Path):
    done = selftest(folder, "--device", "cpu", "--limit", "2", "--json", str(tmp_path / "out.json"))
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads((tmp_path / "out.json").read_text())
    assert report["model"] == "qwen2.5-coder-0.5b"
    assert report["leaks"] == 0
    answers = [answer for task in report["tasks"] for answer in task["answers"]]
    assert any(answer["exact"] for answer in answers)
    assert all(answer["first"]["new_tokens"] == answer["first"]["prompt_tokens"] for answer in answers)
