"""Keeps the index up to date: a process of low priority indexes files, a thread reads open documents."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from copilot_server.context.exclusion import Exclusions
from copilot_server.workspace.indexer import Job, Outcome
from copilot_server.workspace.overlay import Overlay

logger = logging.getLogger(__name__)

#: More changed files than this are found by looking at all.
MAX_PATHS = 100
#: How long changes are collected before the process starts: a branch switch reports many.
COLLECT_S = 0.1
#: How much processor time a file may take. A large one takes a quarter of a second.
FILE_CPU_S = 20.0
#: How many files may end the process until the workspace is left as it is.
MAX_CRASHES = 10
_COMMAND = ("-P", "-m", "copilot_server.workspace.indexer")


class Indexing:
    """Runs the indexer whenever something may have changed.

    ``indexed`` is called after each run, on the thread that ran it.
    """

    def __init__(
        self,
        database: Path,
        folders: Sequence[str],
        exclusions: Exclusions,
        overlay: Overlay,
        indexed: Callable[[], None],
    ) -> None:
        patterns, added = exclusions.patterns, exclusions.added
        self._job = Job(str(database), tuple(folders), patterns, added=added, file_cpu_s=FILE_CPU_S)
        self._overlay = overlay
        self._indexed = indexed
        self._changed = threading.Condition()
        self._pending: set[str] = set()
        self._all_pending = False
        self._running = False
        self._closed = False
        self._process: subprocess.Popen[str] | None = None
        self._exit_code = 0
        self._threads: list[threading.Thread] = []
        self.outcome: Outcome | None = None

    def start(self) -> None:
        """Begin with a look at all files."""
        if self._threads:
            return
        for target in (self._run, self._read_documents):
            self._threads.append(threading.Thread(target=target, name="workspace", daemon=True))
        self.refresh(None)
        for thread in self._threads:
            thread.start()

    def refresh(self, paths: Iterable[str] | None) -> None:
        """Look at these files soon, or at all."""
        with self._changed:
            if paths is None:
                self._all_pending = True
            else:
                self._pending.update(paths)
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> bool:
        """Wait until nothing is pending; return whether everything is indexed."""
        deadline_s = time.monotonic() + timeout_s
        with self._changed:
            while not self._is_idle:
                left_s = deadline_s - time.monotonic()
                if left_s <= 0 or self._closed:
                    return False
                self._changed.wait(left_s)
            return self.outcome is not None

    def close(self) -> None:
        """End the process and the threads."""
        with self._changed:
            self._closed = True
            process = self._process
            self._changed.notify_all()
        if process is not None:
            process.kill()
        self._overlay.wake()
        for thread in self._threads:
            thread.join()

    @property
    def is_up_to_date(self) -> bool:
        """Whether the files are indexed as they are, as far as anybody has said that they have changed."""
        return self.outcome is not None and not (self._running or self._pending or self._all_pending)

    @property
    def _is_idle(self) -> bool:
        return not (self._running or self._pending or self._all_pending) and self._overlay.is_current

    def _run(self) -> None:
        while (job := self._next_job()) is not None:
            outcome = self._index_carefully(job)
            self._indexed()
            with self._changed:
                self.outcome = outcome
                self._running = False
                self._changed.notify_all()

    def _next_job(self) -> Job | None:
        """Wait for something to do; None at the end."""
        with self._changed:
            while not (self._pending or self._all_pending or self._closed):
                self._changed.wait()
            if self.outcome is not None and not self._closed:
                self._changed.wait_for(lambda: self._closed, COLLECT_S)
            if self._closed:
                return None
            is_all = self._all_pending or len(self._pending) > MAX_PATHS
            paths = None if is_all else tuple(sorted(self._pending))
            self._pending.clear()
            self._all_pending = False
            self._running = True
            return replace(self._job, paths=paths)

    def _index_carefully(self, job: Job) -> Outcome | None:
        """Run the indexer, and again without the file that has ended it, if one has."""
        outcome = self._index(job)
        for _ in range(MAX_CRASHES):
            if self._exit_code >= 0 or self._closed:
                break
            logger.warning("A file has ended the indexer (signal %d); it is left out", -self._exit_code)
            outcome = self._index(replace(job, is_careful=True))
        return outcome

    def _index(self, job: Job) -> Outcome | None:
        """Run the indexer; None if it failed, which it has reported."""
        folder = Path(job.database).parent
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with subprocess.Popen(  # noqa: S603 - this Python and a module of this package
                [sys.executable, *_COMMAND],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                cwd=folder,
            ) as process:
                return self._talk(process, job)
        except (OSError, ValueError, TypeError) as error:
            if not self._closed:
                logger.warning("The workspace is not indexed: %s", error)
            return None

    def _talk(self, process: subprocess.Popen[str], job: Job) -> Outcome | None:
        with self._changed:
            self._process = process
            if self._closed:
                process.kill()
        if process.stdin is None or process.stdout is None:
            return None
        try:
            # The process ends when its standard input is closed, so that stays open meanwhile.
            process.stdin.write(job.to_json() + "\n")
            process.stdin.flush()
            answer = process.stdout.read()
            self._exit_code = process.wait()
            return None if self._exit_code else Outcome(**json.loads(answer))
        finally:
            process.kill()
            with self._changed:
                self._process = None

    def _read_documents(self) -> None:
        while not self._closed:
            self._overlay.wait_for_work()
            self._overlay.catch_up()
            with self._changed:
                self._changed.notify_all()
