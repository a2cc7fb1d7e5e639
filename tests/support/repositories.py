"""Small git repositories that tests make."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from copilot_server.catalog import Gate
from copilot_server.evaluation.repository.types import (
    Answer,
    Asked,
    Context,
    Done,
    Kind,
    Outcome,
    RepositoryReport,
    RepositoryTask,
    SourceFile,
    Typed,
)

_OWN = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.com",
}


def run_git(folder: Path, *arguments: str, day: str = "2024-01-01") -> str:
    """Run git in ``folder``, with commits made on a day; return what it prints."""
    date = f"{day}T12:00:00+0000"
    environment = os.environ | _OWN | {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write files below ``folder``."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")


def commit(folder: Path, files: Mapping[str, str], day: str = "2024-01-01") -> None:
    """Write files and commit everything that has changed; the first time, make the repository."""
    if not (folder / ".git").exists():
        folder.mkdir(parents=True, exist_ok=True)
        run_git(folder, "init", "-q", "-b", "main")
    write(folder, files)
    run_git(folder, "add", "-A")
    run_git(folder, "commit", "-q", "--allow-empty", "-m", "a commit", day=day)


def source(text: str, path: str = "a.py") -> SourceFile:
    """Return a Python file that is on no disk."""
    return SourceFile(path, f"file:///project/{path}", "python", text)


def task_at(
    text: str, removed: str, *, kept: str = "", kind: Kind = "any-line", path: str = "a.py"
) -> RepositoryTask:
    """Return the task whose cursor is drawn in ``text``, and where ``removed`` was taken out."""
    prefix, suffix = text.split("‸")
    line = prefix.count("\n") + 1
    return RepositoryTask(
        task_id=f"{path}:{line} {kind}",
        kind=kind,
        where="after a word",
        path=path,
        uri=f"file:///project/{path}",
        language_id="python",
        line=line,
        prefix=prefix,
        removed=removed,
        kept=kept,
        suffix=suffix,
    )


def an_outcome(
    *,
    context: Context = "off",
    exact: bool = False,
    shown: bool = True,
    similarity: float = 0.5,
    logprob: float = -0.3,
    keys: int | None = None,
    text: str = "text",
) -> Outcome:
    """Return an outcome, typed with so many keys for ten characters if ``keys`` says so."""
    typed = None if keys is None else Typed(10, keys, 0, 0)
    answer = Answer(
        shown=shown,
        text=text,
        replaced=0,
        mean_logprob=logprob,
        tokens=4,
        protocol="fim",
        finish_reason="stop",
        first=Asked(1.0, "model", 100, 100),
        later=(Asked(0.25, "model", 101, 5), Asked(0.0, "cache")),
        typed=typed,
        confidence={"mean_logprob": logprob} if text else {},
        offered=bool(text),
    )
    return Outcome(context, answer, exact and shown, exact, similarity, similarity, False, False)


def done(path: str, *outcomes: Outcome, kind: Kind = "any-line") -> Done:
    """Return a task of a file with outcomes."""
    task = task_at("x = 1\ny = ‸\n", "x + 1", kind=kind, path=path)
    return Done(task, outcomes, {"scope": "line"})


def a_report(*tasks: Done, gate: Gate | None = None) -> RepositoryReport:
    """Return the report of a run over ``tasks``."""
    from copilot_server.evaluation.repository import certainty, scores  # noqa: PLC0415

    return RepositoryReport(
        folder="project",
        commit="0" * 40,
        since="",
        seed=0,
        limit=10,
        contexts=scores.contexts_of(tasks),
        model="tiny",
        parameters=None,
        device="cpu",
        dtype="int8",
        instruction_set="avx2",
        settings={"max_prompt_tokens": 1024},
        started="2026-01-01T00:00:00+00:00",
        command="copilot-server --selftest repository .",
        hardware="a machine",
        versions={"python": "3.11"},
        loading_s=1.0,
        wall_s=2.0,
        figures=tuple(scores.figures(tasks)),
        differences=tuple(scores.differences(tasks)),
        costs=tuple(scores.costs(tasks)),
        bins=tuple(certainty.bins(tasks)),
        eagerness=tuple(certainty.by_eagerness(tasks, gate)),
        unwanted=scores.unwanted(tasks),
        leaks=0,
        done=tasks,
    )
