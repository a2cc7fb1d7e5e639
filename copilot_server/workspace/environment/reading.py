"""Reads files of an environment in another process, which a file may end."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading

from copilot_server.workspace.summary import FileSummary

logger = logging.getLogger(__name__)

#: How many files may end the process until no more are read.
MAX_CRASHES = 10
_COMMAND = ("-P", "-m", "copilot_server.workspace.environment.reader")


class SummaryReader:
    """Starts the process when it is needed. ``summary`` is called from one thread, ``close`` from any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._crashes = 0
        self._is_closed = False

    def summary(self, path: str) -> FileSummary:
        """Return the summary of a file; an empty one if it cannot be read."""
        try:
            process = self._started()
            if process is None or process.stdin is None or process.stdout is None:
                return FileSummary()
            process.stdin.write(f"{json.dumps(path)}\n".encode())
            process.stdin.flush()
            return FileSummary.from_json(process.stdout.readline().decode("utf-8", "replace"))
        except (OSError, ValueError) as error:
            self._ended(error)
            return FileSummary()

    def rest(self) -> None:
        """End the process until it is needed again."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def close(self) -> None:
        """End the process for good."""
        with self._lock:
            self._is_closed = True
            if self._process is not None:
                self._process.kill()

    def _started(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._is_closed or self._crashes >= MAX_CRASHES:
                return None
            if self._process is None:
                self._process = subprocess.Popen(  # noqa: S603 - this Python and a module of this package
                    [sys.executable, *_COMMAND], stdin=subprocess.PIPE, stdout=subprocess.PIPE
                )
            return self._process

    def _ended(self, error: Exception) -> None:
        self._crashes += 1
        if not self._is_closed:
            logger.warning("A file of the Python environment cannot be read, and is left out: %s", error)
        self.rest()
