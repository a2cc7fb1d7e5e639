"""Two runs over a repository, compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from copilot_server.errors import DataError
from copilot_server.evaluation.repository.comparison import EXIT_WORSE, differences_in, run
from copilot_server.evaluation.repository.report import to_json
from copilot_server.evaluation.repository.types import Done
from tests.support.repositories import a_report, an_outcome, done


def tasks(exact: int, first: int = 0) -> list[Done]:
    return [done(f"{n}.py", an_outcome(exact=n < exact, keys=5)) for n in range(first, 20)]


def written(path: Path, tasks: list[Done]) -> Path:
    path.write_text(json.dumps(to_json(a_report(*tasks)), indent=1))
    return path


def test_the_second_run_minus_the_first_over_common_tasks(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    a, b = written(tmp_path / "a", tasks(10)), written(tmp_path / "b", tasks(18, first=4))
    assert run(a, b, as_json=True) == 0
    captured = capsys.readouterr()
    exact = json.loads(captured.out)["rows"][0]
    assert exact["value"] == pytest.approx(8 / 16)
    assert "4 tasks are only in one of the runs" in captured.err


def test_a_worse_run_has_its_exit_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    a, b = written(tmp_path / "a", tasks(18)), written(tmp_path / "b", tasks(2))
    assert run(a, b, as_json=False, fail_if_worse=True) == EXIT_WORSE
    assert run(b, a, as_json=False, fail_if_worse=True) == 0
    assert "exact first line" in capsys.readouterr().out


def test_each_context_is_compared_with_the_same_or_the_only_one():
    before = done("a.py", an_outcome())
    after = done("a.py", an_outcome(), an_outcome(context="on", exact=True))
    assert differences_in([(before, after)], "off")[0].value == 0
    assert differences_in([(before, after)], "on")[0].value == 1
    assert differences_in([(after, after)], "on")[0].value == 0


def test_runs_without_a_common_task_are_refused(tmp_path: Path):
    a, b = written(tmp_path / "a", tasks(1)), written(tmp_path / "b", [done("other.py", an_outcome())])
    with pytest.raises(DataError, match="no task in common"):
        run(a, b, as_json=False)
