"""Rows for the tests of statistics, and a process that writes them until it is stopped.

As a program: ``python -m tests.support.statistics_rows DATABASE FIRST_ID COUNT`` writes rows and says
``written`` when they are on the disk; with a COUNT of 0 it writes without end.
"""

from __future__ import annotations

import argparse
import logging
import os
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path

from copilot_server.statistics.store import Store
from copilot_server.statistics.types import Suggestion

NOW_S = int(time.time())
ROW = Suggestion(
    id=0,
    offered_at_s=NOW_S,
    editor="Neovim",
    language="python",
    model="qwen2.5-coder-0.5b",
    source="model",
    trigger="automatic",
    latency_ms=160.0,
    characters=20,
    lines=1,
    mean_logprob=-0.25,
    eagerness="medium",
)


def write(path: Path, *rows: Suggestion) -> Store:
    """Write rows through a store of their own, and wait until they are written."""
    store = Store(path)
    for row in rows:
        store.add(row)
    assert store.close(60)
    return store


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=Path)
    parser.add_argument("first", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("--largest-file", type=int)
    parser.add_argument("--as-nobody", action="store_true")
    arguments = parser.parse_args()
    logging.basicConfig(level="WARNING", stream=sys.stderr)
    if arguments.largest_file:
        resource.setrlimit(resource.RLIMIT_FSIZE, (arguments.largest_file,) * 2)
    if arguments.as_nobody:
        os.setgid(65534)
        os.setuid(65534)
    write_numbered(arguments.path, arguments.first, arguments.count)


def write_numbered(path: Path, first: int, count: int) -> None:
    store = Store(path, flush_s=0.0)
    number = first
    while not count or number < first + count:
        store.add(replace(ROW, id=number))
        number += 1
        if not count and number % 100 == 0:
            time.sleep(0.01)
    if store.close(60) and store.failure is None:
        sys.stdout.write("written\n")


if __name__ == "__main__":
    main()
