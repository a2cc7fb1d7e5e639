"""The tasks of a run: texts taken out of files, drawn with a seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice

from copilot_server.errors import ConfigError
from copilot_server.evaluation.benchmarks.seeding import seeded
from copilot_server.evaluation.repository.closers import kept_closers, state_before_line
from copilot_server.evaluation.repository.files import Repository, plain
from copilot_server.evaluation.repository.imports import Modules
from copilot_server.evaluation.repository.python import python_holes
from copilot_server.evaluation.repository.types import KINDS, Hole, Kind, RepositoryTask, SourceFile

#: The most tasks of a kind from one file. An interval over files says little if one file has most of them.
MAX_PER_FILE = 5
#: What is to be written has at least so many characters other than blanks.
MIN_WRITTEN = 3

#: Finds where a text can be taken out of a file, by the file's language.
FINDERS: Mapping[str, Callable[[SourceFile, Modules], list[Hole]]] = {"python": python_holes}


def check_kinds(names: Sequence[str]) -> tuple[Kind, ...]:
    """Return the kinds of these names; without names, all of them.

    Raises:
        ConfigError: there is no such kind.
    """
    for name in names:
        if name not in KINDS:
            raise ConfigError(f"repository has no variant {name!r}.", remedy=f"Known: {', '.join(KINDS)}.")
    return tuple(kind for kind in KINDS if not names or kind in names)


def draw_tasks(
    repository: Repository, kinds: Sequence[Kind], *, limit: int, seed: int
) -> list[RepositoryTask]:
    """Return up to ``limit`` tasks of each kind: one from each file in order, then a second from each, ...

    What is drawn from a file depends only on the seed and on that file, and a larger limit adds tasks at
    the end of a kind.
    """
    modules = Modules(repository.visible, repository.read)

    @cache
    def drawn_from(path: str) -> Mapping[Kind, list[RepositoryTask]]:
        file = repository.source(path)
        holes = [] if file is None else FINDERS[file.language_id](file, modules)
        of_kinds = {kind: [hole for hole in holes if hole.kind == kind] for kind in kinds}
        return {kind: _drawn_from(file, found, seed) for kind, found in of_kinds.items() if file and found}

    def of_kind(kind: Kind) -> Iterator[RepositoryTask]:
        for turn in range(MAX_PER_FILE):
            for path in repository.drawn:
                yield from drawn_from(path).get(kind, [])[turn : turn + 1]

    return [task for kind in kinds for task in islice(of_kind(kind), limit)]


def make_task(file: SourceFile, hole: Hole) -> RepositoryTask:
    """Take a text out of a file."""
    prefix, removed = file.text[: hole.start], file.text[hole.start : hole.end]
    begun = prefix[prefix.rfind("\n") + 1 :]
    line = prefix.count("\n") + 1
    kept = ""
    if "\n" not in removed:
        state = state_before_line(prefix, file.language_id)
        kept = kept_closers(begun, removed, state, file.language_id)
    return RepositoryTask(
        task_id=f"{file.path}:{line}:{len(begun)} {hole.kind}",
        kind=hole.kind,
        where=hole.where,
        path=file.path,
        uri=file.uri,
        language_id=file.language_id,
        line=line,
        prefix=prefix,
        removed=removed,
        kept=kept,
        suffix=file.text[hole.end :],
    )


def _drawn_from(file: SourceFile, holes: Sequence[Hole], seed: int) -> list[RepositoryTask]:
    """Return some tasks of one kind from a file, on different lines, each way to get there alike often."""
    random = seeded(seed, plain(file.path), holes[0].kind)
    by_way: defaultdict[str, list[Hole]] = defaultdict(list)
    for hole in holes:
        by_way[hole.where].append(hole)
    ways = sorted(by_way)
    for way in ways:
        random.shuffle(by_way[way])
    random.shuffle(ways)
    tasks: list[RepositoryTask] = []
    for hole in _in_turns([by_way[way] for way in ways]):
        task = make_task(file, hole)
        if not _is_trivial(task) and not _overlaps(task, tasks):
            tasks.append(task)
        if len(tasks) == MAX_PER_FILE:
            break
    return tasks


def _in_turns(groups: Sequence[list[Hole]]) -> Iterator[Hole]:
    longest = max(map(len, groups))
    for index in range(longest):
        yield from (group[index] for group in groups if index < len(group))


def _is_trivial(task: RepositoryTask) -> bool:
    return len("".join(task.expected.split())) < MIN_WRITTEN


def _overlaps(task: RepositoryTask, others: Sequence[RepositoryTask]) -> bool:
    """Whether the lines that are taken out are also taken out by another task of the kind."""
    first, last = _lines(task)
    return any(first <= end and start <= last for start, end in map(_lines, others))


def _lines(task: RepositoryTask) -> tuple[int, int]:
    return task.line, task.line + task.removed.count("\n")
