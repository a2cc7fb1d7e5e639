"""Chained blocks: the canonical solutions pass in the sandbox, and every block of a chain matters."""

from __future__ import annotations

from copilot_server.evaluation.benchmarks import chained
from copilot_server.sandbox import Limits, open_sandbox
from tests.support.patience import PROGRAM_S

ALL = chained.tasks()


def test_canonical_solutions_pass_and_shorter_ones_do_not():
    with open_sandbox(limits=Limits(timeout_s=PROGRAM_S)) as sandbox:
        whole = [
            sandbox.submit(task.program(task.canonical), check=check)
            for check in ("strict", "upstream")
            for task in ALL
        ]
        # A solution without any one of its blocks fails.
        lines = [(task, task.canonical.splitlines(keepends=True)) for task in ALL[::4]]
        shorter = [
            sandbox.submit(task.program("".join(kept[:i] + kept[i + 1 :])))
            for task, kept in lines
            for i in range(len(kept) - 1)
        ]
        assert [one.result().error for one in whole if not one.result().passed] == []
        assert [one for one in shorter if one.result().passed] == []
