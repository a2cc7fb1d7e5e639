"""Checks candidates against examples in a sandbox that is opened when one is needed, and closed when idle."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from cachetools import LRUCache

from copilot_server.completion.examples import Candidate as Filling
from copilot_server.completion.examples import Examples, Verdicts, check, read_examples
from copilot_server.completion.types import Candidate
from copilot_server.completion.verification.missing_imports import check_with_imports
from copilot_server.context.document import Cursor
from copilot_server.errors import SandboxUnavailableError
from copilot_server.sandbox import Limits, Sandbox, open_sandbox

logger = logging.getLogger(__name__)

#: How long one program may run, and all examples of a candidate may take together, in seconds.
TIMEOUT_S, DEADLINE_S = 2.0, 4.0
#: After how long without a check the sandbox is closed, in seconds.
IDLE_S = 180.0
#: How many positions' examples, and how many candidates' verdicts, are kept.
POSITIONS, VERDICTS = 64, 512
_WORKERS = 2


class ExampleChecker:
    """Reads the examples at a cursor and checks candidates against them. Its methods may be called anywhere.

    Where no sandbox works, ``unavailable`` says why, once one was needed; nothing is run then.
    """

    def __init__(self, idle_s: float = IDLE_S) -> None:
        self.unavailable = ""
        self._idle_s = idle_s
        #: Guards the two caches; ``_opening`` guards the sandbox, and is held while one opens.
        self._lock, self._opening = threading.Lock(), threading.Lock()
        self._sandbox: Sandbox | None = None
        self._used_s = 0.0
        self._stops = 0
        self._timer: threading.Timer | None = None
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="examples")
        self._warmed: tuple[str, str] | None = None
        self._examples: LRUCache[tuple[str, int], Examples] = LRUCache(POSITIONS)
        self._verdicts: LRUCache[Filling, Verdicts] = LRUCache(VERDICTS)

    def examples(self, cursor: Cursor) -> Examples:
        """Return the examples of the function at a cursor; none in a language that has no reader."""
        if not _has_reader(cursor):
            return Examples()
        key = cursor.document.text, cursor.offset
        with self._lock:
            known = self._examples.get(key)
        if known is None:
            known = read_examples(*key)
            with self._lock:
                self._examples[key] = known
        return known

    def warm(self, cursor: Cursor) -> None:
        """Have a sandbox ready, in the background, if there are examples at the cursor.

        Whoever types on in a line pays for the reading of the document once.
        """
        if not _has_reader(cursor):
            return
        around = _around_line(cursor)
        if around != self._warmed:
            self._warmed = around
            self._pool.submit(self._warm, cursor)

    def known(self, cursor: Cursor, candidate: Candidate) -> Verdicts | None:
        """Return the verdicts of a candidate that has been checked at the cursor; None for another one."""
        with self._lock:
            return self._verdicts.get(_filling(cursor, candidate))

    def check(self, cursor: Cursor, candidates: Sequence[Candidate]) -> list[Future[Candidate]]:
        """Check candidates in parallel, each against all examples at the cursor.

        Each comes back with its verdicts, and with the imports that it lacked to pass.
        """
        return [self._pool.submit(self._check, cursor, one) for one in candidates]

    def stop(self) -> None:
        """End the checks that run or wait."""
        with self._lock:
            self._stops += 1
        if (sandbox := self._sandbox) is not None:
            sandbox.stop()

    def close(self) -> None:
        """End all checks and the sandbox, without waiting for their end."""
        self.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)
        threading.Thread(target=self._release, name="examples-end", daemon=True).start()

    def _warm(self, cursor: Cursor) -> None:
        if not self.examples(cursor):
            return
        try:
            self._open()
        except SandboxUnavailableError:
            logger.debug("No sandbox for examples.", exc_info=True)

    def _check(self, cursor: Cursor, candidate: Candidate) -> Candidate:
        drawn = _filling(cursor, candidate)
        filling, verdicts = check_with_imports(partial(self._verdicts_of, cursor, self._stops), drawn)
        if filling is not drawn:
            candidate = replace(candidate, text=filling.text, trace=())
        return replace(candidate, verdicts=verdicts)

    def _verdicts_of(self, cursor: Cursor, stops: int, filling: Filling) -> Verdicts:
        """Check what fills a gap, unless that is known; ``stops``: how often checks had been ended before."""
        with self._lock:
            known = self._verdicts.get(filling)
        examples = self.examples(cursor)
        if known is not None or not examples or stops != self._stops:
            return known or Verdicts(())
        limits, deadline = Limits(timeout_s=TIMEOUT_S), time.monotonic() + DEADLINE_S
        verdicts = check(self._open(), examples, filling, limits=limits, deadline=deadline)
        with self._lock:
            if stops == self._stops:  # otherwise it may not have been checked to its end
                self._verdicts[filling] = verdicts
        return verdicts

    # The sandbox.

    def _open(self) -> Sandbox:
        """Return the sandbox, which stays open until nothing has been checked for a while.

        Raises:
            SandboxUnavailableError: none works here. It is not tried again.
        """
        with self._opening:
            if self.unavailable:
                raise SandboxUnavailableError(self.unavailable)
            if self._sandbox is None:
                try:
                    # Whatever the user's flags: nothing runs unsandboxed from an editor.
                    self._sandbox = open_sandbox(allow_unsandboxed=False, workers=_WORKERS)
                except SandboxUnavailableError as error:
                    self.unavailable = error.message
                    raise
            self._used_s = time.monotonic()
            if self._timer is None:
                self._watch(self._idle_s)
            return self._sandbox

    def _watch(self, after_s: float) -> None:
        self._timer = threading.Timer(after_s, self._close_if_idle)
        self._timer.daemon = True
        self._timer.start()

    def _close_if_idle(self) -> None:
        with self._opening:
            left_s = self._used_s + self._idle_s - time.monotonic()
            if left_s > 0:
                self._watch(left_s)
                return
            sandbox = self._take()
        if sandbox is not None:
            sandbox.close()

    def _release(self) -> None:
        with self._opening:
            sandbox = self._take()
        if sandbox is not None:
            sandbox.close()

    def _take(self) -> Sandbox | None:
        """Take the sandbox, if it is open, so that the next check opens another."""
        sandbox, self._sandbox, self._warmed = self._sandbox, None, None
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        return sandbox


def _has_reader(cursor: Cursor) -> bool:
    return cursor.document.language_id == "python"


def _around_line(cursor: Cursor) -> tuple[str, str]:
    """Return the text above the cursor's line and below it, in which a function's examples are."""
    text = cursor.document.text
    below = text.find("\n", cursor.offset)
    return text[: text.rfind("\n", 0, cursor.offset) + 1], text[below:] if below >= 0 else ""


def _filling(cursor: Cursor, candidate: Candidate) -> Filling:
    return Filling(cursor.document.text, cursor.offset, candidate.text, candidate.replaced)
