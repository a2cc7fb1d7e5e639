"""``copilot-server compare A.json B.json`` for two runs over a repository, over the tasks that both have.

The last context of each run counts: that with code of other files, if it was asked.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from copilot_server.errors import DataError
from copilot_server.evaluation.report.console import console_on, notify, shown
from copilot_server.evaluation.repository.console import difference_table
from copilot_server.evaluation.repository.report import read_done
from copilot_server.evaluation.repository.scores import EXACT, paired_differences
from copilot_server.evaluation.repository.types import Difference, Done

#: The same as for a score below its threshold.
EXIT_WORSE = 10


def run(a: Path, b: Path, *, as_json: bool, fail_if_worse: bool = False) -> int:
    """Print how the second run compares with the first, and return the process's exit status.

    Raises:
        DataError: a file is not a report of a repository, or the runs have no task in common.
    """
    (model_a, done_a), (model_b, done_b) = read_done(a), read_done(b)
    differences = compare(done_a, done_b)
    left_out = len(done_a) + len(done_b) - 2 * len(_common(done_a, done_b))
    if left_out:
        notify(f"{left_out} tasks are only in one of the runs, and do not count.")
    is_worse = any(one.name == EXACT and one.high < 0 for one in differences)
    if as_json:
        rows = [asdict(one) for one in differences]
        values = {"a": str(a), "b": str(b), "worse": is_worse, "rows": rows}
        sys.stdout.write(json.dumps(values, indent=2) + "\n")
    else:
        console = console_on(sys.stdout)
        for name, model, path in (("A", model_a, a), ("B", model_b, b)):
            console.print(shown(f"{name}: {model} ({path})"), soft_wrap=True)
        console.print(difference_table(differences, "B minus A, in points"))
        console.print("intervals: bootstrap over files; p: exact sign-flip test over files", soft_wrap=True)
    return EXIT_WORSE if fail_if_worse and is_worse else 0


def compare(a: list[Done], b: list[Done]) -> list[Difference]:
    """Return the differences between two runs, by kind, over the tasks that both have.

    Raises:
        DataError: there are no such tasks.
    """
    common = _common(a, b)
    if not common:
        raise DataError(
            "The two runs have no task in common.",
            remedy="Compare runs over the same commit with the same --seed.",
        )
    return paired_differences([(one, one.outcomes[-1], other, other.outcomes[-1]) for one, other in common])


def _common(a: list[Done], b: list[Done]) -> list[tuple[Done, Done]]:
    """Return the tasks that both runs have, and for which the same text is expected."""
    others = {(one.task.task_id, one.task.removed): one for one in b}
    found = [(one, others.get((one.task.task_id, one.task.removed))) for one in a]
    return [(one, other) for one, other in found if other is not None]
