"""``copilot-server compare A.json B.json`` for two runs over a repository, over the tasks that both have.

Each context of the second run is compared with the same context of the first or, where that was not asked,
with the one that was: a run from before there was any context is compared with both.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from copilot_server.errors import DataError
from copilot_server.evaluation.report.console import console_on, notify, shown
from copilot_server.evaluation.repository.console import difference_table
from copilot_server.evaluation.repository.report import read_done
from copilot_server.evaluation.repository.scores import EXACT, contexts_of, paired_differences
from copilot_server.evaluation.repository.types import Context, Difference, Done

#: The same as for a score below its threshold.
EXIT_WORSE = 10


def run(a: Path, b: Path, *, as_json: bool, fail_if_worse: bool = False) -> int:
    """Print how the second run compares with the first, and return the process's exit status.

    Raises:
        DataError: a file is not a report of a repository, or the runs have no task in common.
    """
    (model_a, done_a), (model_b, done_b) = read_done(a), read_done(b)
    common = _common(done_a, done_b)
    if not common:
        raise DataError(
            "The two runs have no task in common.",
            remedy="Compare runs over the same commit with the same --seed.",
        )
    left_out = len(done_a) + len(done_b) - 2 * len(common)
    if left_out:
        notify(f"{left_out} tasks are only in one of the runs, and do not count.")
    found = {context: differences_in(common, context) for context in contexts_of(done_b)}
    is_worse = any(one.name == EXACT and one.high < 0 for rows in found.values() for one in rows)
    if as_json:
        rows = [{"context": context, **asdict(one)} for context, rows in found.items() for one in rows]
        values = {"a": str(a), "b": str(b), "worse": is_worse, "rows": rows}
        sys.stdout.write(json.dumps(values, indent=2) + "\n")
    else:
        _print(found, (("A", model_a, a), ("B", model_b, b)))
    return EXIT_WORSE if fail_if_worse and is_worse else 0


def differences_in(common: Sequence[tuple[Done, Done]], context: Context) -> list[Difference]:
    """Return the second runs' figures in a context minus the first runs' in the same or in their only one."""
    pairs = []
    for one, other in common:
        seconds = [outcome for outcome in other.outcomes if outcome.context == context]
        firsts = [outcome for outcome in one.outcomes if outcome.context == context] or one.outcomes[-1:]
        pairs += [(one, first, other, second) for first, second in zip(firsts, seconds, strict=False)]
    return paired_differences(pairs)


def _print(found: Mapping[Context, Sequence[Difference]], runs: Sequence[tuple[str, str, Path]]) -> None:
    console = console_on(sys.stdout)
    for name, model, path in runs:
        console.print(shown(f"{name}: {model} ({path})"), soft_wrap=True)
    for context, differences in found.items():
        console.print(difference_table(differences, f"B, context {context}, minus A, in points"))
    console.print("intervals: bootstrap over files; p: exact sign-flip test over files", soft_wrap=True)


def _common(a: list[Done], b: list[Done]) -> list[tuple[Done, Done]]:
    """Return the tasks that both runs have, and for which the same text is expected."""
    others = {(one.task.task_id, one.task.removed): one for one in b}
    found = [(one, others.get((one.task.task_id, one.task.removed))) for one in a]
    return [(one, other) for one, other in found if other is not None]
