"""``copilot-server --selftest repository``: the stages of a run in order, from its files to its report."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any

import attrs

from copilot_server.catalog import Manifest
from copilot_server.completion.pipeline import open_engine
from copilot_server.config import Settings
from copilot_server.engine.base import Engine
from copilot_server.engine.details import instruction_set
from copilot_server.errors import ConfigError, DataError
from copilot_server.evaluation.options import REPOSITORY, STDOUT, SelftestOptions, check_json_path
from copilot_server.evaluation.report.console import notify
from copilot_server.evaluation.report.folder import REPORT_HTML, REPORT_JSON, make_report_folder, write_text
from copilot_server.evaluation.repository import certainty, scores
from copilot_server.evaluation.repository.asking import Asker, OpenWorkspace
from copilot_server.evaluation.repository.console import TaskBar, print_report
from copilot_server.evaluation.repository.context import contexts_of, open_workspace
from copilot_server.evaluation.repository.copies import with_copies
from copilot_server.evaluation.repository.files import Repository, open_repository
from copilot_server.evaluation.repository.measures import features, outcome
from copilot_server.evaluation.repository.page import render
from copilot_server.evaluation.repository.report import to_json
from copilot_server.evaluation.repository.tasks import MAX_PER_FILE, check_kinds, draw_tasks
from copilot_server.evaluation.repository.types import Context, Done, Kind, RepositoryReport, RepositoryTask
from copilot_server.provenance import command, hardware, versions

#: What a shell reports for a process that SIGINT ended.
EXIT_INTERRUPTED = 130
#: How many tasks of each kind there are, unless ``--limit`` says otherwise.
DEFAULT_LIMIT = 40


def run(settings: Settings, options: SelftestOptions) -> int:
    """Run the benchmark, print its tables, write its files, and return the process's exit status.

    Loading the model is slow, so every other error is found before it.

    Raises:
        ConfigError: an option is wrong, git cannot read the repository, or a file cannot be written.
        DataError: the repository has nothing to draw tasks from.
        ModelError: the model cannot be had.
        EngineError: the model cannot run.
    """
    kinds = check_kinds(options.variants)
    since = _date(options.since)
    check_json_path(options.json_path)
    if options.limit is not None and options.limit < 1:
        raise ConfigError(f"The limit is {options.limit}.", remedy="It must be 1 or more.")
    if options.repository is None:
        remedy = f"Name its folder, as in `--selftest {REPOSITORY} .`"
        raise ConfigError(f"--selftest {REPOSITORY} needs a repository.", remedy=remedy)
    if options.report is not None:
        make_report_folder(options.report)
    try:
        repository = open_repository(options.repository, settings.exclude, since=since, seed=options.seed)
        report = evaluate(settings, options, repository, kinds)
    except KeyboardInterrupt:
        notify("Interrupted.")
        return EXIT_INTERRUPTED
    _publish(report, options)
    return 0


def evaluate(
    settings: Settings, options: SelftestOptions, repository: Repository, kinds: Sequence[Kind]
) -> RepositoryReport:
    """Draw the tasks, ask for each, and return what came of it.

    Raises:
        CopilotServerError: see ``run``.
    """
    started = datetime.now(UTC).isoformat(timespec="seconds")
    limit, contexts = options.limit or DEFAULT_LIMIT, contexts_of(options.with_context)
    tasks = _tasks(repository, kinds, limit, options.seed)
    notes = (*repository.notes, *_missing(tasks, kinds, limit))
    for note in notes:
        notify(note)
    hosts = settings.engine_hosts
    opening = f"Connecting to {hosts}" if hosts else f"Loading {settings.model}"
    notify(f"{len(tasks)} tasks in {len({task.path for task in tasks})} files. {opening} ...")
    start = time.monotonic()
    engine, manifest = open_engine(settings)
    loading_s = time.monotonic() - start
    asker = Asker(engine, manifest, settings.completion, repository.folder, typing=not options.no_typing)
    start = time.monotonic()
    with open_workspace(repository.folder, settings.exclude, contexts) as workspace:
        done = _asked(tasks, asker, {"off": None, "on": workspace}, contexts)
    return RepositoryReport(
        folder=repository.folder.name,
        commit=repository.commit,
        since=options.since,
        seed=options.seed,
        limit=limit,
        contexts=contexts,
        settings=attrs.asdict(asker.settings),
        started=started,
        command=command(),
        hardware=hardware(),
        versions=versions(),
        loading_s=loading_s,
        wall_s=time.monotonic() - start,
        notes=(*notes, *_rankings(done, contexts)),
        **_model_facts(engine, manifest),
        **_results(done, manifest),
    )


def _tasks(repository: Repository, kinds: Sequence[Kind], limit: int, seed: int) -> list[RepositoryTask]:
    tasks = draw_tasks(repository, kinds, limit=limit, seed=seed)
    if not tasks:
        message = f"{repository.folder} has no line of code to take out for {', '.join(kinds)}."
        raise DataError(message, remedy="Name another repository, or another kind with --variant.")
    return with_copies(tasks, repository)


def _asked(
    tasks: Sequence[RepositoryTask],
    asker: Asker,
    workspaces: Mapping[Context, OpenWorkspace | None],
    contexts: Sequence[Context],
) -> list[Done]:
    done = []
    with TaskBar(len(tasks)) as bar:
        for task in tasks:
            answers = [
                (asker.ask(task, workspaces[context], workspaces["on"]), context) for context in contexts
            ]
            outcomes = tuple(outcome(task, answer, context) for answer, context in answers)
            done.append(Done(task, outcomes, features(task)))
            bar.done(done[-1])
    return done


def _model_facts(engine: Engine, manifest: Manifest) -> dict[str, Any]:
    return {
        "model": manifest.id,
        "parameters": manifest.parameters or None,
        "device": engine.device,
        "dtype": engine.dtype,
        "instruction_set": instruction_set(engine),
        "notices": tuple(engine.notices),
    }


def _results(done: Sequence[Done], manifest: Manifest) -> dict[str, Any]:
    return {
        "figures": tuple(scores.figures(done)),
        "differences": tuple(scores.differences(done)),
        "costs": tuple(scores.costs(done)),
        "bins": tuple(certainty.bins(done)),
        "eagerness": tuple(certainty.by_eagerness(done, manifest.gate)),
        "unwanted": scores.unwanted(done),
        "leaks": sum(one.answer.leaked for each in done for one in each.outcomes),
        "done": tuple(done),
    }


def _missing(tasks: Sequence[RepositoryTask], kinds: Sequence[Kind], limit: int) -> Iterator[str]:
    for kind in kinds:
        count = sum(task.kind == kind for task in tasks)
        if count < limit:
            yield f"{kind}: {count} tasks, not {limit}; at most {MAX_PER_FILE} come from one file."


def _rankings(done: Sequence[Done], contexts: Sequence[Context]) -> Iterator[str]:
    for context in contexts:
        share = certainty.withheld_at(done, context)
        if share is not None:
            yield (
                f"Context {context}: the certainty that 90 % of the right suggestions reach would withhold "
                f"{100 * share:.0f} % of the others (on these tasks, where it was chosen)."
            )


def _date(given: str) -> date | None:
    if not given:
        return None
    try:
        return date.fromisoformat(given)
    except ValueError as error:
        raise ConfigError(f"--since {given!r} is no date.", remedy="Write it as in 2024-03-01.") from error


def _publish(report: RepositoryReport, options: SelftestOptions) -> None:
    print_report(report, to_stderr=options.json_path == STDOUT)
    text = json.dumps(to_json(report), indent=1, default=asdict) + "\n"
    if options.report is not None:
        write_text(options.report / REPORT_JSON, text)
        write_text(options.report / REPORT_HTML, render(report))
        notify(f"The report is in {options.report}.")
    if options.json_path == STDOUT:
        sys.stdout.write(text)
    elif options.json_path is not None:
        write_text(options.json_path, text)
