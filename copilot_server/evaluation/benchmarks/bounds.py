"""Lower and upper bounds of a score: what an empty answer gets, and what a perfect one gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from copilot_server.completion.filters.order import apply_filters
from copilot_server.completion.scope.scope import situation_at
from copilot_server.context.document import Cursor, Document
from copilot_server.evaluation.scores import grouped, mean_score
from copilot_server.evaluation.types import Checked, Sample, Score, Task
from copilot_server.sandbox import Sandbox

#: A completion, and how many code points after the cursor it replaces.
Answer = Callable[[Task], tuple[str, int]]


def empty(_: Task) -> tuple[str, int]:
    """Answer with nothing."""
    return "", 0


def canonical(task: Task) -> tuple[str, int]:
    """Answer with the canonical completion."""
    return task.canonical, 0


def canonical_as_served(task: Task) -> tuple[str, int]:
    """Answer with what an editor gets if the model writes the canonical completion: its beginning."""
    cursor = Cursor(Document(task.uri, "python", task.prefix + task.suffix), len(task.prefix))
    draft = apply_filters(task.canonical, situation_at(cursor), "eos")
    return ("", 0) if draft is None else (draft.text, draft.replaced)


def bound(name: str, tasks: Sequence[Task], answer: Answer, sandbox: Sandbox) -> list[Score]:
    """Return pass@1 of each variant with that answer to every task. Equal programs run once."""
    answers = {task.task_id: answer(task) for task in tasks}
    programs = {task.task_id: task.program(*answers[task.task_id]) for task in tasks}
    running = {program: sandbox.submit(program) for program in dict.fromkeys(programs.values())}
    checked = [
        Checked(Sample(name, 0, None, text, replaced=replaced), running[programs[name]].result())
        for name, (text, replaced) in answers.items()
    ]
    cells = grouped(tasks, checked).values()
    return [mean_score(name, groups, lambda group: group.pass_at(1)) for groups in cells]
