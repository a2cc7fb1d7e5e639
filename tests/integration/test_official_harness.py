"""OpenAI's own harness beside ours: it reads what we write, and agrees with our upstream check."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path

from benchmarks.official_verdicts import differences, official_results
from copilot_server.evaluation.problems import load_problems
from copilot_server.evaluation.run_folder import open_run
from copilot_server.evaluation.types import Sample
from tests.support.patience import PATIENCE_S

#: Bodies with which harnesses are apt to disagree, the right one among them.
TRICKS = (
    None,
    "",
    "    pass\n\nimport sys\nsys.exit(0)\n",
    "    pass\n\nexit()\n",
    "    return input()\n",
    "    import os\n    return os.getcwd()\n",
    "    class Yes:\n        def __eq__(self, other): return True\n    return Yes()\n",
    "    return (\n",
    "    return __name__\n",
    "    import subprocess\n    return subprocess.run(['true'])\n",
    "    open('left-behind', 'w').write('x')\n    return 1\n",
    "    return 1\n\ndef check(candidate):\n    pass\n",
    "    raise KeyboardInterrupt\n",
    "    def f(): return f()\n    return f()\n",
    "    pass\n\nif __name__ == '__main__':\n    raise ValueError\n",
)


def write_run(folder: Path, completions: dict[str, str]) -> Path:
    with open_run(folder, {}) as run:
        run.add(Sample(task_id, 0, 0.0, text, "fim", "stop") for task_id, text in completions.items())
    return folder / "samples_T0.jsonl"


def test_it_reads_what_we_write_and_agrees_with_our_upstream_check(tmp_path: Path):
    problems = load_problems().problems
    completions = {
        problem.task_id: problem.canonical_solution if trick is None else trick
        for problem, trick in zip(problems, cycle(TRICKS), strict=False)
    }
    count, differing = differences(write_run(tmp_path / "tricks", completions), PATIENCE_S)
    assert count == 164
    assert differing == []


def test_what_is_compared_can_differ(tmp_path: Path):
    """The twin: other samples get other verdicts."""
    problems = load_problems().problems
    right = write_run(tmp_path / "right", {one.task_id: one.canonical_solution for one in problems})
    assert sum(result["passed"] is True for result in official_results(right, PATIENCE_S)) == 164
    wrong = write_run(tmp_path / "wrong", {one.task_id: "" for one in problems})
    assert sum(result["passed"] is True for result in official_results(wrong, PATIENCE_S)) == 0
