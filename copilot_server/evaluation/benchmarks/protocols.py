"""The same problems with each prompt protocol, and as they are served."""

from __future__ import annotations

import builtins
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from copilot_server.config import PromptProtocolSetting
from copilot_server.evaluation.benchmarks.variants import (
    Cells,
    as_variant,
    by_temperature,
    difference,
    gained_and_lost,
    p_value,
    pairs,
)
from copilot_server.evaluation.paired import paired_difference
from copilot_server.evaluation.problems import Problem
from copilot_server.evaluation.scores import Group
from copilot_server.evaluation.types import Checked, Score, Task

SERVED = "served"
PROTOCOLS: dict[str, PromptProtocolSetting] = {
    SERVED: "auto",
    "causal": "causal",
    "chat-prefill": "chat-prefill",
    "fim": "fim",
}
#: What each prompt protocol shows the model, and why that can make a difference.
_SHOWN = {
    "causal": "shows only the code before the cursor, so a model that was tuned to follow instructions "
    "gets none",
    "chat-prefill": "shows a chat that asks for the code, and the beginning of the answer; a model without "
    "a chat template was never trained on that",
    "fim": "shows the code before and after the cursor between the model's infilling tokens; here there is "
    "no code after it, which is rare in training",
}


def tasks(problems: Sequence[Problem]) -> list[Task]:
    """Return each problem with each prompt protocol."""
    return [
        replace(as_variant(problem.task(), name), protocol=protocol)
        for name, protocol in PROTOCOLS.items()
        for problem in problems
    ]


def scores(tasks: Sequence[Task], checked: Sequence[Checked]) -> list[Score]:
    """Return pass@1 as served minus that of each prompt protocol, paired over the problems."""
    found = [
        difference("served above it", cells, name, SERVED)
        for _, cells in by_temperature(tasks, checked)
        for name in cells
        if name != SERVED
    ]
    return [score for score in found if score is not None]


def notes(tasks: Sequence[Task], checked: Sequence[Checked]) -> list[str]:
    """Describe each prompt protocol and, where its verdicts differ from the served ones, the differences."""
    sentences = []
    for temperature, cells in by_temperature(tasks, checked):
        at = "" if temperature in (None, 0.0) else f" at temperature {temperature:g}"
        if SERVED in cells:
            sentences.append(f"Served{at}: prompted with {_prompts(cells[SERVED].values())}.")
            sentences += [_compared(name, cells, at) for name in cells if name != SERVED]
    return sentences


def _compared(name: str, cells: Cells, at: str) -> str:
    paired = pairs(cells, name, SERVED)
    if not paired:
        return f"{name}{at} {_SHOWN[name]}; it has no problem in common with what is served."
    if not any(pair.difference for pair in paired):
        return f"{name}{at} {_SHOWN[name]}. Its verdicts equal those of what is served."
    lost = [cells[name][pair.problem_id] for pair in paired if pair.difference > 0]
    why = f" Errors of the lost ones: {_failures(lost)}." if lost else ""
    counted = f"{gained_and_lost(paired)}; {p_value(paired_difference(paired))}"
    return f"{name}{at} {_SHOWN[name]}. Compared with what is served: {counted}.{why}"


def _prompts(groups: Iterable[Group]) -> str:
    counts = Counter(one.sample.protocol or "unknown" for group in groups for one in group.samples)
    return ", ".join(f"{name} ({count})" for name, count in counts.most_common())


def _failures(groups: Sequence[Group]) -> str:
    """Count the samples that failed by the kind of failure. The model's own text does not appear."""
    failed = [one for group in groups for one in group.samples if not one.passed]
    counts = Counter(_kind(one) for one in failed)
    return ", ".join(f"{kind} {count}" for kind, count in counts.most_common())


def _kind(one: Checked) -> str:
    if not one.sample.completion.strip():
        return "empty completion"
    if one.sample.finish_reason == "length":
        return "cut at the token limit"
    name = one.result.error.partition(":")[0]
    if name == "timed out":
        return name
    error = getattr(builtins, name, None)
    return name if isinstance(error, type) and issubclass(error, BaseException) else "other"
