"""What the chat for a function's body begins its answer with: the function alone, or all code above it, too.

Tasks are bodies of documented functions that are taken out of repositories, drawn as by ``--selftest
repository``. The pipeline answers as it answers an editor, greedily and without code of other files, with
each beginning. It prints the share of exact first lines, the mean similarity of the first line and of all
lines (``rapidfuzz.fuzz.ratio``) and the mean tokens of the prompt, then how many pairs differ.
Usage: python -m benchmarks.function_bodies TASKS FOLDER... (that many tasks of each repository)
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from attrs import evolve
from rapidfuzz.fuzz import ratio

from benchmarks.home import temporary_home
from copilot_server.catalog import resolve
from copilot_server.completion import plan
from copilot_server.completion.pipeline import Pipeline, open_pipeline
from copilot_server.completion.types import CompletionRequest
from copilot_server.config import Settings
from copilot_server.engine.models.vocabulary import detect_fim
from copilot_server.evaluation.repository.asking import PromptRecorder
from copilot_server.evaluation.repository.files import open_repository
from copilot_server.evaluation.repository.tasks import draw_tasks
from copilot_server.evaluation.repository.types import RepositoryTask

SEED = 7
NEW_TOKENS = 160


class Score(NamedTuple):
    """How near an answer is to the file, and the tokens of its prompt."""

    exact: float
    first_line: float
    all_lines: float
    prompt_tokens: float


def documented(folder: Path, count: int) -> list[RepositoryTask]:
    """Draw bodies that follow a docstring."""
    repository = open_repository(folder, (), since=None, seed=SEED)
    drawn = draw_tasks(repository, ("function-body",), limit=sys.maxsize, seed=SEED)
    return [one for one in drawn if one.where == "after the docstring"][:count]


def ask(pipeline: Pipeline, engine: PromptRecorder, task: RepositoryTask) -> Score:
    """Ask for a body with nothing of it known."""
    completion = pipeline.complete(CompletionRequest(task.cursor), threading.Event())
    written = (completion.sampled[0].text if completion.sampled else "").rstrip()
    wanted = task.removed.rstrip()
    first, wanted_first = (text.partition("\n")[0].strip() for text in (written, wanted))
    return Score(
        float(first == wanted_first),
        ratio(first, wanted_first) / 100,
        ratio(written, wanted) / 100,
        engine.length_of(engine.prompts[-1]),
    )


def main() -> None:
    """Compare both beginnings on the same tasks."""
    count, folders = int(sys.argv[1]), [Path(name) for name in sys.argv[2:]]
    tasks = [task for folder in folders for task in documented(folder, count)]
    settings = Settings()
    engine = PromptRecorder(open_pipeline(settings).engine)
    manifest = detect_fim(resolve(settings.model).manifest, engine)
    engine_and_settings = engine, manifest, evolve(settings.completion, max_new_tokens=NEW_TOKENS)
    alone: list[Score] = []
    whole: list[Score] = []
    for task in tasks:
        alone.append(ask(Pipeline(*engine_and_settings, prefetch=False), engine, task))
        with mock.patch.object(plan, "_answer", return_value=None):
            whole.append(ask(Pipeline(*engine_and_settings, prefetch=False), engine, task))
    print(f"{settings.model}, {engine.dtype}, {len(tasks)} bodies")
    for name, scores in (("all code above", whole), ("the function alone", alone)):
        means = (sum(column) / len(tasks) for column in zip(*scores, strict=True))
        print(name, dict(zip(Score._fields, (round(one, 3) for one in means), strict=True)))
    pairs = list(zip(alone, whole, strict=True))
    print("exact first lines gained:", sum(a.exact > b.exact for a, b in pairs))
    print("exact first lines lost:", sum(a.exact < b.exact for a, b in pairs))
    print("all lines nearer:", sum(a.all_lines > b.all_lines for a, b in pairs))
    print("all lines further:", sum(a.all_lines < b.all_lines for a, b in pairs))


if __name__ == "__main__":
    with temporary_home():
        main()
