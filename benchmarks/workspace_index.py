"""The index of a workspace: how long it takes for many files, what it needs, and how long a key waits for it.

A folder of generated packages, which import each other as real ones do, is indexed by the same process that
serves editors, on one core. Then a branch switch that changes nothing, a saved file, and the snippets for
cursors at lines that were not asked for before, at the next keys of the same lines, and while the index is
being built. Times of snippets are processor times of the thread, which do not depend on what else runs.

It prints a table and a line of JSON. With --check the exit status is 1 if a target is missed: a minute and
150 MB for 10,000 files.
Usage: python -m benchmarks.workspace_index [--files 10000] [--folder FOLDER] [--keys 300] [--check]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from copilot_server.context.document import Cursor, Document
from copilot_server.context.exclusion import Exclusions
from copilot_server.provenance import hardware, versions
from copilot_server.workspace.workspace import Workspace

#: The targets for 10,000 files.
MAX_S, MAX_MB = 60.0, 150.0
FILES_PER_PACKAGE = 50
WAIT_S = 3600.0

_MODULE = '''"""Module {number} of package {package}."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from package{other_package}.module{other} import Record{other}, load{other}
from package{package} import shared

logger = logging.getLogger(__name__)

LIMIT{number} = {number}


@dataclass(frozen=True)
class Record{number}:
    """A record of module {number}."""

    name: str
    path: Path
    size: int = LIMIT{number}

    def total(self, factor: float = 1.0) -> float:
        """Return the size, multiplied."""
        result = self.size * factor
        for part in self.path.parts:
            if part.startswith("."):
                logger.debug("hidden %s", part)
                continue
            result += len(part)
        return result


class Store{number}:
    """Keeps records of module {number}."""

    def __init__(self, folder: Path, other: Record{other} | None = None) -> None:
        self.folder = folder
        self.other = other
        self._records: dict[str, Record{number}] = {{}}

{methods}

def load{number}(path: Path, *, strict: bool = True) -> Store{number}:
    """Load a store."""
    store = Store{number}(path, None)
    for line in path.read_text().splitlines():
        name, _, size = line.partition(" ")
        if strict and not size:
            raise ValueError(name)
        store.put_0(name, Record{number}(name, path, int(size or 0)))
    return store
'''
_METHOD = '''    def put_{method}(self, name: str, one: Record{number}, tries: int) -> Record{other} | None:
        """Keep a record under a name."""
        for attempt in range(tries + 1):
            try:
                self._records[name] = one
                value = one.total(factor={method}.0)
                logger.info("kept %s of %s at %s", name, value, attempt)
            except KeyError:
                continue
            else:
                break
        return self.other
'''


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured. Times of snippets are in ms; memory is the indexer's peak, in MB."""

    files: int
    source_mb: float
    index_s: float
    index_cpu_s: float
    memory_mb: float
    database_mb: float
    nothing_changed_s: float
    one_changed_s: float
    new_line_p50_ms: float
    new_line_p99_ms: float
    same_line_p50_ms: float
    same_line_p99_ms: float
    while_indexing_p99_ms: float


def generate(folder: Path, files: int) -> None:
    """Write packages of modules that import each other."""
    chosen = random.Random(0)
    for number in range(files):
        package, other = number // FILES_PER_PACKAGE, chosen.randrange(files)
        path = folder / f"package{package}" / f"module{number}.py"
        if number % FILES_PER_PACKAGE == 0:
            path.parent.mkdir(parents=True)
            (path.parent / "__init__.py").write_text(f"from .module{number} import Store{number} as shared\n")
        methods = "\n".join(_METHOD.format(number=number, other=other, method=one) for one in range(6))
        values = {"number": number, "package": package, "other": other, "methods": methods}
        path.write_text(_MODULE.format(**values, other_package=other // FILES_PER_PACKAGE))


def cursors(folder: Path, count: int) -> Iterator[tuple[Cursor, Cursor]]:
    """Yield cursors in the middle of lines of the folder's files, each with the one after the next key."""
    chosen = random.Random(1)
    paths = sorted(folder.rglob("*.py"))
    for _ in range(count):
        path = chosen.choice(paths)
        text = path.read_text("utf-8", "replace")
        starts = [at + 1 for at, character in enumerate(text[:-1]) if character == "\n" != text[at + 1]]
        if not starts:
            continue
        start = chosen.choice(starts)
        end = text.index("\n", start) if "\n" in text[start:] else len(text)
        at = chosen.randrange(start, end) if end > start else start
        yield tuple(  # type: ignore[misc]
            Cursor(Document(path.as_uri(), "python", text[:upto] + text[end:]), upto) for upto in (at, at + 1)
        )


def timed(workspace: Workspace, cursor: Cursor) -> float:
    """Return how long the thread is busy with the snippets for a cursor, in ms."""
    begun_s = time.thread_time()
    workspace.snippets(cursor)
    return (time.thread_time() - begun_s) * 1e3


def keep_asking(workspace: Workspace, folder: Path, stop: threading.Event, times_ms: list[float]) -> None:
    """Ask for snippets until ``stop`` is set, some ten times a second."""
    for first, _ in cursors(folder, 100_000):
        times_ms.append(timed(workspace, first))
        if stop.wait(0.1):
            return


def measure(folder: Path, cache: Path, keys: int) -> Figures:
    """Index a folder, and ask for snippets in it."""
    workspace = Workspace([folder], Exclusions((), [folder.as_uri()]), cache)
    stop, meanwhile_ms = threading.Event(), list[float]()
    asking = threading.Thread(target=keep_asking, args=(workspace, folder, stop, meanwhile_ms))
    begun_s = time.perf_counter()
    workspace.start()
    asking.start()
    if not workspace.wait(WAIT_S) or workspace.outcome is None:
        raise SystemExit("The folder could not be indexed.")
    index_s = time.perf_counter() - begun_s
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    stop.set()
    asking.join()
    files = workspace.outcome.files
    nothing_s = refreshed(workspace, None)
    changed = next(path for path in sorted(folder.rglob("*.py")) if path.name != "__init__.py")
    changed.touch()
    one_s = refreshed(workspace, changed)
    both = [(timed(workspace, first), timed(workspace, then)) for first, then in cursors(folder, keys)]
    workspace.close()
    new, same = [one for one, _ in both], [one for _, one in both]
    return Figures(
        files=files,
        source_mb=round(sum(path.stat().st_size for path in folder.rglob("*.py")) / 1e6, 1),
        index_s=round(index_s, 1),
        index_cpu_s=round(used.ru_utime + used.ru_stime, 1),
        memory_mb=round(used.ru_maxrss / (1 << 10 if sys.platform == "linux" else 1 << 20), 1),
        database_mb=round(sum(path.stat().st_size for path in cache.glob("*.sqlite3*")) / 1e6, 1),
        nothing_changed_s=round(nothing_s, 2),
        one_changed_s=round(one_s, 2),
        new_line_p50_ms=round(statistics.median(new), 2),
        new_line_p99_ms=round(quantile(new, 0.99), 2),
        same_line_p50_ms=round(statistics.median(same), 2),
        same_line_p99_ms=round(quantile(same, 0.99), 2),
        while_indexing_p99_ms=round(quantile(meanwhile_ms, 0.99), 2),
    )


def refreshed(workspace: Workspace, path: Path | None) -> float:
    """Return how long it takes until a change is in the index, in seconds."""
    begun_s = time.perf_counter()
    workspace.refresh(None if path is None else [path])
    workspace.wait(WAIT_S)
    return time.perf_counter() - begun_s


def quantile(values: list[float], share: float) -> float:
    """Return the value below which ``share`` of the values lie."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def main() -> int:
    """Measure, and print a table and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, help="index this folder instead of a generated one")
    parser.add_argument("--keys", type=int, default=300)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory(prefix="copilot-server-index-") as name:
        folder = options.folder.resolve() if options.folder else Path(name).resolve() / "work"
        if not options.folder:
            generate(folder, options.files)
        figures = measure(folder, Path(name) / "cache", options.keys)
    for field, value in asdict(figures).items():
        print(f"{field:22}{value:>10}")
    load = os.getloadavg()[0]
    print(json.dumps(asdict(figures) | {"hardware": hardware(), "load_1min": load, "versions": versions()}))
    return int(options.check and (figures.index_s > MAX_S or figures.memory_mb > MAX_MB))


if __name__ == "__main__":
    raise SystemExit(main())
