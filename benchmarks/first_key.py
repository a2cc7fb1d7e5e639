"""How long the first suggestion in a file takes that the server has not seen, with and without reading ahead.

Two real servers over stdio, one of which has ``speed.ahead`` off, get the same documents: the first 1,000
lines of files of Python's standard library. A document is opened with the cursor on a random line, the editor
reports the cursor, and after a second a key is typed: the next letter of the line, or Enter at the end of the
line before. The time is that from sending the change and the request until the answer
has come; it includes what the model writes. A server gets the next document when it is idle again.

It prints a table and a line of JSON.
Usage: python -m benchmarks.first_key [--files 12] [--pause 1.0] [--max-prompt-tokens auto] [--model ID]
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.bench.corpus import Passage, Position, library_texts
from benchmarks.bench.machine import machine
from benchmarks.bench.ours import LspServer
from benchmarks.home import temporary_home
from copilot_server.completion.gate import is_worthwhile
from copilot_server.config import DEFAULT_MODEL
from copilot_server.context.document import Cursor, Document
from copilot_server.provenance import versions

LINES = 1000
#: The cursor is on one of these lines, so that neither end of the document is near.
CURSOR_LINES = range(300, 900)
#: The longest wait for an answer, in seconds.
ANSWER_S = 120.0

Key = Literal["letter", "enter"]


@dataclass(frozen=True, slots=True)
class FirstKey:
    """A document and its first key: the cursor rests at ``before``, and is at ``after`` when it was typed."""

    key: Key
    before: Position
    after: Position


@dataclass(frozen=True, slots=True)
class Timed:
    """How long the answer to a first key took, and whether the model had to be asked for it."""

    key: Key
    latency_s: float
    by_model: bool


def first_keys(count: int, seed: int) -> Iterator[FirstKey]:
    """Yield ``count`` documents, each of a file of its own, and alternately a letter and Enter."""
    rng = random.Random(seed)
    texts = (text for text in library_texts(seed) if text.count("\n") >= LINES)
    found = 0
    for number, text in enumerate(texts):
        cut = "".join(text.splitlines(keepends=True)[:LINES])
        first = _first_key(f"first_key_{number}", cut, "enter" if found % 2 else "letter", rng)
        if first is not None:
            found += 1
            yield first
        if found == count:
            return


def _first_key(name: str, text: str, key: Key, rng: random.Random) -> FirstKey | None:
    """Choose a line of a function's body and a position in it."""
    lines = text.splitlines(keepends=True)
    starts = [sum(map(len, lines[:index])) for index in range(len(lines))]
    for index in rng.sample(CURSOR_LINES, len(CURSOR_LINES)):
        line = lines[index].rstrip()
        indent = len(line) - len(line.lstrip())
        if len(line) - indent < 12 or indent < 4 or line.lstrip().startswith(("#", '"', "'", "@")):
            continue
        end = starts[index] + len(line)
        if key == "letter":
            start = starts[index] + (indent + len(line)) // 2
            typed = 1
        elif not lines[index - 1].strip():
            continue
        else:
            start = starts[index] - 1
            typed = 1 + indent
        passage = Passage(name, "", text, start, end)
        first = FirstKey(key, Position(passage, 0), Position(passage, typed))
        if all(is_worthwhile(_cursor(one)) for one in (first.before, first.after)):
            return first
    return None


def _cursor(position: Position) -> Cursor:
    return Cursor(Document(position.passage.uri, "python", position.document), position.offset)


def time_first_key(server: LspServer, first: FirstKey, pause_s: float) -> Timed:
    """Open a document, wait as long as a user looks at it, and type."""
    server.settle()
    server.by_model()
    opened_s = time.perf_counter()
    server.open(first.before)
    server.move_cursor(first.before)
    time.sleep(max(0.0, opened_s + pause_s - time.perf_counter()))
    answer = server.ask(first.after).wait(ANSWER_S)
    if answer is None:
        msg = f"There was no answer within {ANSWER_S:.0f} s."
        raise TimeoutError(msg)
    return Timed(first.key, answer.latency_s, bool(server.by_model()))


def start_server(folder: Path, model: str, tokens: str, *, ahead: bool) -> LspServer:
    """Start a server with the settings of one side of the comparison."""
    config = folder / f"{'with' if ahead else 'without'}.toml"
    shown = tokens if tokens.isdecimal() else f'"{tokens}"'
    completion = f"[completion]\nmax_prompt_tokens = {shown}\n"
    config.write_text(f"{completion}[speed]\nahead = {str(ahead).lower()}\n", "utf-8")
    return LspServer(("--model", model, "--config", str(config)))


def summary(timed: Sequence[Timed]) -> dict[str, float]:
    """Return the quantiles of the answers that the model made, in seconds, and their number."""
    times_s = sorted(one.latency_s for one in timed if one.by_model)
    if not times_s:
        return {"n": 0}
    p90 = times_s[min(len(times_s) - 1, int(0.9 * len(times_s)))]
    return {"n": len(times_s), "p50_s": statistics.median(times_s), "p90_s": p90, "max_s": times_s[-1]}


def report(rows: dict[str, dict[str, float]], options: argparse.Namespace) -> None:
    """Print the table and the line of JSON."""
    print(f"the first key after {options.pause:g} s in {LINES} lines, {options.model}; seconds")
    print(f"{'':32}{'n':>5}{'p50':>9}{'p90':>9}{'max':>9}")
    for name, row in rows.items():
        cells = (f"{row[column]:9.2f}" for column in ("p50_s", "p90_s", "max_s") if column in row)
        print(f"{name:32}{row['n']:5}{''.join(cells)}")
    rounded = {name: {key: round(value, 3) for key, value in row.items()} for name, row in rows.items()}
    found = {
        "first_key": rounded,
        "model": options.model,
        "pause_s": options.pause,
        "max_prompt_tokens": options.max_prompt_tokens,
        "seed": options.seed,
        "machine": machine(),
        "versions": versions(),
    }
    print(json.dumps(found))


def measure(options: argparse.Namespace, folder: Path) -> dict[str, dict[str, float]]:
    """Time every document with both servers; return a row for each server and kind of key."""
    sides = {"reading ahead": True, "without": False}
    servers = {
        name: start_server(folder, options.model, options.max_prompt_tokens, ahead=ahead)
        for name, ahead in sides.items()
    }
    timed: dict[str, list[Timed]] = {name: [] for name in sides}
    try:
        for first in first_keys(options.files, options.seed):
            for name, server in servers.items():
                timed[name].append(time_first_key(server, first, options.pause))
    finally:
        for server in servers.values():
            server.close()
    rows = {}
    for name, found in timed.items():
        rows[name] = summary(found)
        for key in ("letter", "enter"):
            rows[f"{name}, {key}"] = summary([one for one in found if one.key == key])
    return rows


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--files", type=int, default=12)
    parser.add_argument("--pause", type=float, default=1.0, help="seconds from opening a file to the key")
    parser.add_argument("--max-prompt-tokens", default="1024", help="completion.max_prompt_tokens")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with temporary_home() as folder:
        report(measure(options, folder), options)


if __name__ == "__main__":
    main()
