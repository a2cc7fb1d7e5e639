"""HumanEval's 164 problems as they are served, and the same prompts for other engines."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench.prompts import PromptBook
from benchmarks.bench.vllm import Asked
from copilot_server.completion.types import CompletionRequest
from copilot_server.config import CompletionSettings
from copilot_server.context.document import Cursor, Document
from copilot_server.engine.base import Sampling
from copilot_server.evaluation.problems import load_problems
from copilot_server.evaluation.report.json_report import read_report


@dataclass(frozen=True, slots=True)
class SelfTest:
    """One run. ``wall_s`` is the time from the first prompt to the last verdict."""

    wall_s: float
    pass_at_1: float
    completions: tuple[str, ...]


def self_test(model: str, limit: int | None) -> SelfTest:
    """Run ``copilot-server --selftest humaneval`` as a user does.

    Raises:
        subprocess.CalledProcessError: it failed; the reason is on stderr.
    """
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "results.json"
        command = [sys.executable, "-m", "copilot_server", "--selftest", "humaneval", "--model", model]
        command += ["--json", str(path)] + (["--limit", str(limit)] if limit else [])
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        report = read_report(path)
    completions = tuple(one.sample.completion for one in report.samples)
    return SelfTest(report.timing.wall_s, report.scores[0].value, completions)


def same_prompts(book: PromptBook, completions: Sequence[str]) -> list[Asked]:
    """Return the prompts of the first problems, each to be continued by as many tokens as our answer has."""
    sampling = Sampling(max_new_tokens=CompletionSettings().max_new_tokens)
    asked = []
    for problem, completion in zip(load_problems().problems, completions, strict=False):
        cursor = Cursor(Document(problem.task().uri, "python", problem.prompt), len(problem.prompt))
        request = book.served(CompletionRequest(cursor, sampling=sampling))
        tokens = max(1, book.count_tokens(completion))
        asked.append(Asked(book.token_ids(request.prompt), tokens, request.stop))
    return asked
