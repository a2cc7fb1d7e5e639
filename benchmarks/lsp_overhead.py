"""The server's overhead: the time from a keystroke to its answer, with an engine that takes no time.

The server is a real process over stdio; only its engine is replaced by one that answers at once. The
document has 10,000 lines of Python's standard library. The edits are incremental and at random positions:
Enter, letters, a suggestion that is typed through, backspaces, a paste, and deleted lines. The client
measures the time from sending the change and the request until it has read the answer. The same messages
then go to a server of pygls that keeps the text and answers with nothing. The row "floor" is the time of
the client and the pipes: a request for two numbers. The processor time of the server (on Linux) does not
depend on what else runs. Half of the time of the first key at a position is spent on counting the tokens of
lines that are new to the tokenizer.

With --workspace the document is in that folder, which the server indexes before the measurement; targets are
3 ms higher then, for what is looked up in the index.

It prints a table and a line of JSON. With --check the exit status is 1 if a target is missed: a p99 of 5
ms, or of 10 ms for suggestions that are typed through.
Usage: python -m benchmarks.lsp_overhead [--bursts 300] [--lines 10000] [--encoding utf-16]
           [--workspace FOLDER] [--check]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from benchmarks.bench.corpus import library_texts
from benchmarks.home import temporary_home
from copilot_server.provenance import hardware, versions

NAME = "long.py"
INLINE, STATS = "textDocument/inlineCompletion", "copilotServer/stats"
#: The targets for p99 in milliseconds, by row of the table.
TARGETS = {"every request": 5.0, "asked the engine": 5.0, "typed through": 10.0, "change alone": 5.0}
#: How much later each may be in milliseconds where the server looks code of other files up.
LOOKUP_MS = 3.0
#: The indexing processes are done when they have used no processor time for so long, in seconds.
IDLE_S = 3.0
#: The number of letters that are typed through in a suggestion.
LETTERS = 12
#: Edits before the measurement: they load modules, fill caches and count tokens for the first time.
WARM_UP_BURSTS = 20

Message = dict[str, Any]


class Server:
    """A server process that one thread talks to: it sends, then reads until the answer is there."""

    def __init__(self, which: str, encoding: str, folder: Path | None = None) -> None:
        self.document = (folder or Path("/bench")).joinpath(NAME).as_uri()
        command = [sys.executable, "-m", "benchmarks.overhead_servers", which]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._last_id = 0
        capabilities = {
            "textDocument": {"inlineCompletion": {}},
            "general": {"positionEncodings": [encoding]},
        }
        folders = [{"uri": folder.as_uri(), "name": folder.name}] if folder is not None else None
        given = {"processId": None, "capabilities": capabilities, "workspaceFolders": folders}
        self.ask("initialize", given)
        self.notify("initialized", {})

    @property
    def cpu_ms(self) -> float:
        """The processor time that it has used, to the nanosecond on Linux; 0 on other systems."""
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e6

    def open(self, text: str) -> None:
        """Open the document."""
        opened = {"uri": self.document, "languageId": "python", "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": opened})

    def wait_for_index(self) -> None:
        """Wait until the processes that index the folder have nothing left to do."""
        used_s, since = -1.0, time.monotonic()
        while time.monotonic() - since < IDLE_S:
            time.sleep(0.2)
            now_s = sum(_cpu_s(child) for child in psutil.Process(self._process.pid).children())
            if now_s != used_s:
                used_s, since = now_s, time.monotonic()

    def notify(self, method: str, params: object) -> None:
        """Send a notification."""
        self._write(_framed({"method": method, "params": params}))

    def ask(self, method: str, params: object, *before: tuple[str, object]) -> tuple[Any, float]:
        """Send the notifications ``before`` and a request; return the result and the time in milliseconds."""
        self._last_id += 1
        request = {"id": self._last_id, "method": method, "params": params}
        framed = [_framed({"method": method, "params": params}) for method, params in before]
        sent = b"".join([*framed, _framed(request)])
        start = time.perf_counter()
        self._write(sent)
        while (body := self._read()) is not None:
            end = time.perf_counter()
            message = json.loads(body)
            if message.get("id") == self._last_id and "method" not in message:
                return message["result"], (end - start) * 1e3
        msg = "The server has gone."
        raise RuntimeError(msg)

    def close(self) -> None:
        """End the session and the process."""
        self.ask("shutdown", None)
        self.notify("exit", None)
        self._process.communicate(timeout=30)

    def _write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def _read(self) -> bytes | None:
        assert self._process.stdout is not None
        length = 0
        while (line := self._process.stdout.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        return self._process.stdout.read(length) if length else None


def _cpu_s(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.NoSuchProcess):
        return sum(process.cpu_times()[:2])
    return 0.0


def _framed(message: Message) -> bytes:
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


@dataclass
class Editor:
    """A document of ASCII lines and its version."""

    uri: str
    lines: list[str]
    version: int = 1

    def put(self, line: int, start: int, text: str, *, end: int | None = None, lines: int = 0) -> Message:
        """Replace the text from ``start`` to ``end``, which is ``lines`` lines below; return the change."""
        end = start if end is None else end
        whole = self.lines[line][:start] + text + self.lines[line + lines][end:]
        self.lines[line : line + lines + 1] = whole.split("\n")
        self.version += 1
        span = {
            "start": {"line": line, "character": start},
            "end": {"line": line + lines, "character": end},
        }
        return {
            "textDocument": {"uri": self.uri, "version": self.version},
            "contentChanges": [{"range": span, "text": text}],
        }


@dataclass
class Session:
    """A session with our server.

    Attributes:
        keys: the messages that were sent.
        times_ms: the times of the answers, by kind.
        cpu_ms: the processor time of the server for each answer, by kind.
    """

    server: Server
    editor: Editor
    rng: random.Random
    keys: list[tuple[Message, Message | None]] = field(default_factory=list)
    times_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    cpu_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _answers: dict[str, int] = field(default_factory=dict)

    def burst(self) -> None:
        """Edit at a random line."""
        line = self.rng.randrange(len(self.editor.lines) - 50)
        self.rng.choice([self._write_line] * 4 + [self._paste, self._delete])(line)

    def _write_line(self, line: int) -> None:
        """Press Enter, type some letters of the suggestion, then two others, and delete one of them."""
        text = self.editor.lines[line]
        indent = text[: len(text) - len(text.lstrip())]
        suggested = self._key(self.editor.put(line, len(text), f"\n{indent}"), line + 1)
        line, at = line + 1, len(indent)
        for letter in suggested[:LETTERS].partition("\n")[0]:
            self._key(self.editor.put(line, at, letter), line)
            at += 1
        for letter in "qz":
            self._key(self.editor.put(line, at, letter), line)
            at += 1
        self._key(self.editor.put(line, at - 1, "", end=at), line)

    def _paste(self, line: int) -> None:
        source = self.rng.randrange(len(self.editor.lines) - 40)
        pasted = "\n".join(self.editor.lines[source : source + 30])
        self._key(self.editor.put(line, len(self.editor.lines[line]), f"\n{pasted}"), line + 30)

    def _delete(self, line: int) -> None:
        """Delete ten lines, then change other lines without a request."""
        text = self.editor.lines[line]
        end = len(self.editor.lines[line + 10])
        self._key(self.editor.put(line, len(text), "", end=end, lines=10), line)
        for _ in range(10):
            other = self.rng.randrange(len(self.editor.lines))
            change = self.editor.put(other, len(self.editor.lines[other]), " ")
            self.keys.append((change, None))
            before_ms = self.server.cpu_ms
            _, taken_ms = self.server.ask(STATS, None, _changed(change))
            self._time("change alone", taken_ms, self.server.cpu_ms - before_ms)

    def _key(self, change: Message, line: int) -> str:
        """Send a change, and request a suggestion at the end of ``line``; return it."""
        position = {"line": line, "character": len(self.editor.lines[line])}
        document = {"uri": self.editor.uri}
        request = {"textDocument": document, "position": position, "context": {"triggerKind": 2}}
        self.keys.append((change, request))
        before_ms = self.server.cpu_ms
        result, taken_ms = self.server.ask(INLINE, request, _changed(change))
        after_ms = self.server.cpu_ms
        answers, floor_ms = self.server.ask(STATS, None)
        self._time("floor", floor_ms, self.server.cpu_ms - after_ms)
        for kind in ("every request", self._kind(answers["answers"], result["items"])):
            self._time(kind, taken_ms, after_ms - before_ms)
        return result["items"][0]["insertText"] if result["items"] else ""

    def _kind(self, answers: dict[str, int], items: list[Message]) -> str:
        before, self._answers = self._answers, answers
        if answers.get("model", 0) > before.get("model", 0):
            return "asked the engine"
        return "typed through" if items else "no model needed"

    def _time(self, kind: str, taken_ms: float, cpu_ms: float) -> None:
        self.times_ms[kind].append(taken_ms)
        self.cpu_ms[kind].append(cpu_ms)


def _changed(change: Message) -> tuple[str, object]:
    return "textDocument/didChange", change


def long_file(lines: int) -> str:
    """Return ``lines`` lines of modules of the standard library."""

    def parts() -> Iterator[str]:
        for text in library_texts(seed=5):
            yield from text.splitlines()

    source = parts()
    return "\n".join(next(source) for _ in range(lines)) + "\n"


def measure(text: str, bursts: int, encoding: str, folder: Path | None) -> Session:
    """Edit a document in ``folder`` with our server, and return the session."""
    server = Server("ours", encoding, folder)
    server.open(text)
    if folder is not None:
        server.wait_for_index()
    session = Session(server, Editor(server.document, text.split("\n")), random.Random(5))
    for _ in range(WARM_UP_BURSTS):
        session.burst()
    session.times_ms.clear()
    session.cpu_ms.clear()
    for _ in range(bursts):
        session.burst()
    server.close()
    return session


def repeat(
    text: str, keys: list[tuple[Message, Message | None]], encoding: str, folder: Path | None
) -> list[float]:
    """Send the same messages to the server of pygls; return the times of its answers in milliseconds."""
    server = Server("pygls", encoding, folder)
    server.open(text)
    times_ms = []
    for change, request in keys:
        if request is None:
            server.notify(*_changed(change))
        else:
            times_ms.append(server.ask(INLINE, request, _changed(change))[1])
    server.close()
    return times_ms


def summary(times_ms: list[float]) -> dict[str, float]:
    """Return the number of times and their quantiles."""
    cuts = {f"p{per_cent}": _quantile(times_ms, per_cent) for per_cent in (50, 90, 99)}
    return {"n": len(times_ms), **cuts, "max": max(times_ms)}


def _quantile(values: list[float], per_cent: int) -> float:
    if len(values) < 2:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[per_cent - 1]


def main() -> None:
    """Measure our server, then that of pygls."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--bursts", type=int, default=300)
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--encoding", default="utf-16", choices=["utf-8", "utf-16", "utf-32"])
    parser.add_argument("--workspace", type=lambda given: Path(given).resolve(), metavar="FOLDER")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    text = long_file(options.lines)
    session = measure(text, options.bursts, options.encoding, options.workspace)
    rows = {
        kind: summary(times) | {"cpu_p50": _quantile(cpu, 50), "cpu_p99": _quantile(cpu, 99)}
        for kind, times, cpu in (
            (kind, session.times_ms[kind], session.cpu_ms[kind]) for kind in sorted(session.times_ms)
        )
    }
    rows["pygls, an empty answer"] = summary(repeat(text, session.keys, options.encoding, options.workspace))
    report(rows, options)
    more_ms = LOOKUP_MS if options.workspace else 0.0
    missed = [
        row for row, limit_ms in TARGETS.items() if row in rows and rows[row]["p99"] >= limit_ms + more_ms
    ]
    if options.check and missed:
        sys.exit(1)


def report(rows: dict[str, dict[str, float]], options: argparse.Namespace) -> None:
    """Print the table and the line of JSON."""
    print(f"{options.lines} lines, {options.encoding}, load {os.getloadavg()[0]:.2f}; milliseconds")
    columns = ("p50", "p90", "p99", "max", "cpu_p50", "cpu_p99")
    print(f"{'':24}{'n':>6}" + "".join(f"{column:>9}" for column in columns) + f"{'target':>9}")
    for name, row in rows.items():
        cells = (f"{row[column]:9.2f}" if column in row else " " * 9 for column in columns)
        target = f"{TARGETS[name]:9.0f}" if name in TARGETS else ""
        print(f"{name:24}{row['n']:6}{''.join(cells)}{target}")
    ratio = rows["every request"]["p50"] / rows["pygls, an empty answer"]["p50"]
    print(f"every request, to pygls: {ratio:.2f}")
    found = {
        "times_ms": {
            name: {key: round(value, 3) for key, value in row.items()} for name, row in rows.items()
        },
        "ratio_to_pygls_p50": round(ratio, 3),
        "lines": options.lines,
        "encoding": options.encoding,
        "hardware": hardware(),
        "load_1min": os.getloadavg()[0],
        "versions": versions() | {name: metadata.version(name) for name in ("pygls", "lsprotocol")},
    }
    print(json.dumps(found))


if __name__ == "__main__":
    with temporary_home():
        main()
