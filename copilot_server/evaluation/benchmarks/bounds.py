"""What stands in for a model, so that a score is read between what nothing and what a perfect answer gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from copilot_server.completion.filters.filters import apply_filters
from copilot_server.completion.scope.scope import situation_at
from copilot_server.context.document import Cursor, Document
from copilot_server.evaluation.results import Checked, Sample, Score
from copilot_server.evaluation.scores import grouped, mean_score
from copilot_server.evaluation.tasks import Task
from copilot_server.sandbox import Sandbox

#: What is put in, and over how many of the code points after the cursor.
Answer = Callable[[Task], tuple[str, int]]


def empty(_: Task) -> tuple[str, int]:
    """Nothing at all."""
    return "", 0


def canonical(task: Task) -> tuple[str, int]:
    """The canonical answer as it is."""
    return task.canonical, 0


def canonical_as_served(task: Task) -> tuple[str, int]:
    """What an editor gets if the model writes the canonical answer: a suggestion may end before that does."""
    cursor = Cursor(Document(task.uri, "python", task.prefix + task.suffix), len(task.prefix))
    draft = apply_filters(task.canonical, situation_at(cursor), "eos")
    return ("", 0) if draft is None else (draft.text, draft.replaced)


def bound(name: str, tasks: Sequence[Task], answer: Answer, sandbox: Sandbox) -> list[Score]:
    """pass@1 of each variant with that answer to every task; equal programs run once."""
    answers = {task.task_id: answer(task) for task in tasks}
    programs = {task.task_id: task.program(*answers[task.task_id]) for task in tasks}
    running = {program: sandbox.submit(program) for program in dict.fromkeys(programs.values())}
    checked = [
        Checked(Sample(name, 0, None, text, replaced=replaced), running[programs[name]].result())
        for name, (text, replaced) in answers.items()
    ]
    cells = grouped(tasks, checked).values()
    return [mean_score(name, groups, lambda group: group.pass_at(1)) for groups in cells]
