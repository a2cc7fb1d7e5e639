"""The same problems asked in each way: as served, and by each prompt protocol there is."""

from __future__ import annotations

import builtins
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from copilot_server.config import Protocol
from copilot_server.evaluation.benchmarks.variants import (
    Cells,
    as_variant,
    by_temperature,
    difference,
    p_value,
    pairs,
    told,
)
from copilot_server.evaluation.paired import paired_difference
from copilot_server.evaluation.problems import Problem
from copilot_server.evaluation.results import Checked, Score
from copilot_server.evaluation.scores import Group
from copilot_server.evaluation.tasks import Task

SERVED = "served"
PROTOCOLS: dict[str, Protocol] = {
    SERVED: "auto",
    "causal": "causal",
    "chat-prefill": "chat-prefill",
    "fim": "fim",
}
#: What the model sees, and why that can make a difference.
_SHOWN = {
    "causal": "shows the code before the cursor and nothing else, so a model that was tuned to follow "
    "instructions is given none",
    "chat-prefill": "shows a chat that asks for the code and an answer begun with it, which a model without "
    "a chat template was never trained on",
    "fim": "shows the code before and after the cursor between the model's infilling tokens; here nothing "
    "comes after it, which training had seldom",
}


def tasks(problems: Sequence[Problem]) -> list[Task]:
    """Each problem once by each protocol."""
    return [
        replace(as_variant(problem.task(), name), protocol=protocol)
        for name, protocol in PROTOCOLS.items()
        for problem in problems
    ]


def scores(tasks: Sequence[Task], checked: Sequence[Checked]) -> list[Score]:
    """What pass@1 of each protocol is above what is served, paired over the problems."""
    found = [
        difference("served above it", cells, name, SERVED)
        for _, cells in by_temperature(tasks, checked)
        for name in cells
        if name != SERVED
    ]
    return [score for score in found if score is not None]


def notes(tasks: Sequence[Task], checked: Sequence[Checked]) -> list[str]:
    """What each protocol shows the model and, where verdicts differ from the served ones, how they do."""
    sentences = []
    for temperature, cells in by_temperature(tasks, checked):
        at = "" if temperature in (None, 0.0) else f" at temperature {temperature:g}"
        if SERVED in cells:
            sentences.append(f"Served{at}: asked by {_asked(cells[SERVED].values())}.")
            sentences += [_compared(name, cells, at) for name in cells if name != SERVED]
    return sentences


def _compared(name: str, cells: Cells, at: str) -> str:
    paired = pairs(cells, name, SERVED)
    if not paired:
        return f"{name}{at} {_SHOWN[name]}; it shares no problem with what is served."
    if not any(pair.difference for pair in paired):
        return f"{name}{at} {_SHOWN[name]}. Its verdicts are those of what is served."
    lost = [cells[name][pair.problem_id] for pair in paired if pair.difference > 0]
    why = f" What failed on those lost: {_failures(lost)}." if lost else ""
    counted = f"{told(paired)}; {p_value(paired_difference(paired))}"
    return f"{name}{at} {_SHOWN[name]}. Beside what is served: {counted}.{why}"


def _asked(groups: Iterable[Group]) -> str:
    counts = Counter(one.sample.protocol or "unknown" for group in groups for one in group.samples)
    return ", ".join(f"{name} ({count})" for name, count in counts.most_common())


def _failures(groups: Sequence[Group]) -> str:
    """How often samples failed in which way, without a word of the model's."""
    failed = [one for group in groups for one in group.samples if not one.passed]
    counts = Counter(_kind(one) for one in failed)
    return ", ".join(f"{kind} {count}" for kind, count in counts.most_common())


def _kind(one: Checked) -> str:
    if not one.sample.completion.strip():
        return "nothing written"
    if one.sample.finish_reason == "length":
        return "cut at the token limit"
    name = one.result.error.partition(":")[0]
    if name == "timed out":
        return name
    error = getattr(builtins, name, None)
    return name if isinstance(error, type) and issubclass(error, BaseException) else "other"
