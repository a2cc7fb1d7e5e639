"""How much later a user who asks gets a suggestion that was checked against the function's examples.

Two real servers over stdio, one of which has ``verify`` off, are asked for the panel in the same documents:
HumanEval's prompts that have examples. The time is that from sending the request until the first part of the
answer that has a suggestion. A server gets the next document when it is idle again, so that the sandbox is
warm from the second on; the first is reported apart. Where the first candidate fails an example, the checked
panel holds it back and shows the next one first: these documents are counted apart.

It prints a table and a line of JSON.
Usage: python -m benchmarks.verify_latency [--problems 24] [--model ID]
"""

from __future__ import annotations

import argparse
import json
import queue
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.bench.machine import machine
from benchmarks.bench.ours import LspServer
from benchmarks.home import temporary_home
from copilot_server.completion.examples import read_examples
from copilot_server.config import DEFAULT_MODEL
from copilot_server.evaluation.problems import Problem, load_problems
from copilot_server.provenance import versions

#: The longest wait for a part of an answer, in seconds.
ANSWER_S = 120.0
PANEL = "textDocument/copilotPanelCompletion"


@dataclass(frozen=True, slots=True)
class Asked:
    """How long the first part with a suggestion took, and what the examples say of that suggestion."""

    task_id: str
    first_s: float
    mark: str | None


class PanelServer(LspServer):
    """A server that is asked for panels."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._parts: queue.SimpleQueue[list[dict[str, Any]]] = queue.SimpleQueue()
        super().__init__(arguments)

    def panel(self, problem: Problem) -> Asked:
        """Open a prompt, ask for the panel at its end, and wait for the whole answer."""
        uri = f"file:///{problem.task_id.replace('/', '_')}.py"
        item = {"uri": uri, "languageId": "python", "version": 1, "text": problem.prompt}
        self._notify("textDocument/didOpen", {"textDocument": item})
        lines = problem.prompt.split("\n")
        position = {"line": len(lines) - 1, "character": len(lines[-1])}
        # The editor has reported the cursor, and its prompt is read while nobody types.
        self._notify("copilotServer/didMoveCursor", {"textDocument": {"uri": uri}, "position": position})
        self.settle()
        params = {"textDocument": {"uri": uri}, "position": position, "partialResultToken": "panel"}
        began_s = time.perf_counter()
        reply: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        msg_id = next(self._ids)
        self._replies[msg_id] = reply.put
        self._send({"id": msg_id, "method": PANEL, "params": params})
        while not (items := self._parts.get(timeout=ANSWER_S)):
            pass
        first_s = time.perf_counter() - began_s
        reply.get(timeout=ANSWER_S)
        while not self._parts.empty():
            self._parts.get()
        self._notify("textDocument/didClose", {"textDocument": {"uri": uri}})
        self.settle()
        return Asked(problem.task_id, first_s, items[0].get("examples", {}).get("mark"))

    def _take(self, message: dict[str, Any]) -> None:
        params = message.get("params")
        if isinstance(params, dict) and params.get("token") == "panel":
            self._parts.put(params["value"]["items"])
        else:
            super()._take(message)


def with_examples(count: int) -> list[Problem]:
    """Return ``count`` problems that have examples, spread over all of them."""
    found = [one for one in load_problems().problems if len(read_examples(one.prompt, len(one.prompt)))]
    return found[:: max(1, len(found) // count)][:count]


def measured(problems: Sequence[Problem], model: str) -> tuple[list[Asked], list[Asked]]:
    """Ask both servers in turns; return what was measured without checks, and with them."""
    with temporary_home(), TemporaryDirectory() as folder:
        config = Path(folder) / "config.toml"
        config.write_text('verify = "off"\n', encoding="utf-8")
        common = ["--model", model, "--offline"]
        plain = PanelServer([*common, "--config", str(config)])
        checked = PanelServer(common)
        try:
            pairs = [
                [server.panel(one) for server in ((plain, checked) if index % 2 else (checked, plain))]
                for index, one in enumerate(problems)
            ]
        finally:
            plain.close()
            checked.close()
    ordered = [pair if index % 2 else pair[::-1] for index, pair in enumerate(pairs)]
    return [pair[0] for pair in ordered], [pair[1] for pair in ordered]


def main() -> None:
    """Measure, and print the table and the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--problems", type=int, default=24)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    given = parser.parse_args()
    problems = with_examples(given.problems + 1)
    plain, checked = measured(problems, given.model)
    print(f"first panel, nothing warm: {plain[0].first_s:.2f} s without, {checked[0].first_s:.2f} s checked")
    pairs = list(zip(plain[1:], checked[1:], strict=True))
    passing = [(a.first_s, b.first_s) for a, b in pairs if b.mark == "passed"]
    others = [(a.first_s, b.first_s) for a, b in pairs if b.mark != "passed"]
    ratios = {}
    for name, rows in (("all", [*passing, *others]), ("first one passes", passing), ("others", others)):
        if rows:
            medians = [statistics.median(column) for column in zip(*rows, strict=True)]
            ratios[name] = medians[1] / medians[0]
            extra = statistics.median(b - a for a, b in rows)
            print(
                f"{name:18}{len(rows):4} documents: {medians[0]:.2f} s without, {medians[1]:.2f} s checked, "
                f"ratio of medians {ratios[name]:.2f}, median difference {1000 * extra:.0f} ms"
            )
    rows = {"plain": [asdict(one) for one in plain], "checked": [asdict(one) for one in checked]}
    print(json.dumps({"ratios": ratios, **rows, "machine": machine(), "versions": versions()}))


if __name__ == "__main__":
    main()
