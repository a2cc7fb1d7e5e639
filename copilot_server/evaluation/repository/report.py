"""A run as JSON: a summary for scripts first, then every task with its answers. It can be read to compare.

``jq '.summary[] | select(.kind == "cross-file" and .name == "exact first line")'`` is one row of the table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from copilot_server.errors import DataError
from copilot_server.evaluation.options import REPOSITORY
from copilot_server.evaluation.repository.types import (
    Answer,
    Asked,
    Done,
    Outcome,
    RepositoryReport,
    RepositoryTask,
    Typed,
)

#: The version of the layout.
FORMAT = 1
#: How much of the document is written on each side of the cursor, in code points.
NEAR = 1_000

_REMEDY = "Name a report that `--selftest repository` of this version wrote."


def to_json(report: RepositoryReport) -> dict[str, Any]:
    """Return the report as plain values."""
    fields = {name: getattr(report, name) for name in report.__dataclass_fields__}
    done = fields.pop("done")
    summary = [asdict(one) for one in fields.pop("figures")]
    lists = {
        name: [asdict(one) for one in fields.pop(name)]
        for name in ("differences", "costs", "bins", "eagerness")
    }
    return {
        "format": FORMAT,
        "benchmark": REPOSITORY,
        "model": fields.pop("model"),
        "summary": summary,
        **lists,
        **fields,
        "tasks": [_task(one) for one in done],
    }


def is_repository_report(path: Path) -> bool:
    """Whether a file holds such a report, as far as its first lines tell."""
    try:
        with path.open(encoding="utf-8") as file:
            head = file.read(200)
    except (OSError, UnicodeDecodeError):
        return False
    return f'"benchmark": "{REPOSITORY}"' in head


def read_done(path: Path) -> tuple[str, list[Done]]:
    """Return the model's name and the tasks with their outcomes from a report.

    Raises:
        DataError: it cannot be read, or is no such report.
    """
    try:
        values = json.loads(path.read_text("utf-8"))
        if values["format"] != FORMAT or values["benchmark"] != REPOSITORY:
            raise DataError(f"{path} is not a report of a repository of format {FORMAT}.", remedy=_REMEDY)
        return str(values["model"]), [_done(one) for one in values["tasks"]]
    except OSError as error:
        raise DataError(f"The report {path} cannot be read: {error.strerror}.", remedy=_REMEDY) from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DataError(f"{path} is not a report: {error!r:.200}.", remedy=_REMEDY) from error


def _task(done: Done) -> dict[str, Any]:
    task = done.task
    return {
        "id": task.task_id,
        "kind": task.kind,
        "where": task.where,
        "path": task.path,
        "line": task.line,
        "before": task.prefix[-NEAR:],
        "expected": task.expected,
        "removed": task.removed,
        "kept": task.kept,
        "after": task.suffix[:NEAR],
        "hidden": list(task.hidden),
        "features": dict(done.features),
        "answers": [_outcome(one) for one in done.outcomes],
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    fields = asdict(outcome)
    answer = fields.pop("answer")
    return {**fields, "suggested": answer.pop("text"), **answer}


def _done(values: Mapping[str, Any]) -> Done:
    task = RepositoryTask(
        task_id=str(values["id"]),
        kind=values["kind"],
        where=str(values["where"]),
        path=str(values["path"]),
        uri="",
        language_id="",
        line=int(values["line"]),
        prefix=str(values["before"]),
        removed=str(values["removed"]),
        kept=str(values["kept"]),
        suffix=str(values["after"]),
    )
    return Done(task, tuple(_read_outcome(one) for one in values["answers"]), dict(values["features"]))


def _read_outcome(values: Mapping[str, Any]) -> Outcome:
    own = {name: values[name] for name in Outcome.__dataclass_fields__ if name != "answer"}
    of_answer = {name: values[name] for name in Answer.__dataclass_fields__ if name in values}
    typed = values["typed"]
    answer = Answer(
        **{
            **of_answer,
            "text": values["suggested"],
            "first": Asked(**values["first"]),
            "later": tuple(Asked(**one) for one in values["later"]),
            "typed": None if typed is None else Typed(**typed),
        }
    )
    return Outcome(answer=answer, **own)
