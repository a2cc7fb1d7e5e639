"""``python -m benchmarks.load URL|llamacpp|vllm|local --editors 50 --keys 150 [--kill] [--json FILE]``."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.bench.corpus import Passage, choose_passages
from benchmarks.bench.machine import machine
from benchmarks.bench.ours import LspServer
from benchmarks.home import temporary_home
from benchmarks.load.engine_tokens import EngineTokens, read_engine_tokens
from benchmarks.load.engines import running_engine
from benchmarks.load.report import figures, table
from benchmarks.load.typing import TypingEditor
from copilot_server.provenance import versions
from tests.support.engines import RunningEngine

#: The number of servers that start at the same time, and the seconds over which editors begin to type.
STARTING, SPREAD_S = 4, 2.0
#: The number of functions that an editor types. The library has some 120, so many editors share some.
FUNCTIONS = 4
#: The mean time of a key in seconds, including pauses to think.
KEY_S = 0.25
#: How long the editors wait for an engine that was killed, in seconds.
LONGEST_S = 900.0


def main() -> None:
    """Run the test in a home folder of its own."""
    with temporary_home():
        run(_arguments())


def run(chosen: argparse.Namespace) -> None:
    """Let the editors type, and print a table and a line of JSON."""
    with running_engine(chosen.engine) as (url, engine), tempfile.TemporaryDirectory() as folder:
        if chosen.kill and engine is None:
            raise SystemExit("--kill needs an engine of its own: llamacpp or vllm.")
        config = Path(folder, "config.toml")
        config.write_text(f"[completion]\nmax_prompt_tokens = {chosen.prompt_tokens}\n", "utf-8")
        where = ["--engine", url] if url else []
        editors = _opened([*where, "--config", str(config)], chosen)
        before = read_engine_tokens(url)
        _type(editors, chosen, engine if chosen.kill else None)
        tokens = None if chosen.kill else _since(before, read_engine_tokens(url))
        if chosen.kill:
            _recover(editors)
        stats = [editor.server.stats() for editor in editors]
        for editor in editors:
            editor.server.close()
    found = {
        "engine_asked": chosen.engine,
        "killed": chosen.kill,
        "max_prompt_tokens": chosen.prompt_tokens,
        "slower": chosen.slower,
        **figures([editor.seen for editor in editors], stats, tokens),
        "machine": machine(),
        "versions": versions(),
    }
    print(table(found))
    print(json.dumps(found))
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("engine", help="the URL of an engine, one to start (llamacpp, vllm), or local")
    parser.add_argument("--editors", type=int, default=50)
    parser.add_argument("--keys", type=int, default=150, help="the number of keys that each editor types")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--slower", type=float, default=1.0, help="a factor for the pauses between keys")
    parser.add_argument("--kill", action="store_true", help="kill the engine half-way, and start it again")
    parser.add_argument("--prompt-tokens", type=int, default=1024, help="completion.max_prompt_tokens")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    return parser.parse_args()


def _opened(arguments: Sequence[str], chosen: argparse.Namespace) -> list[TypingEditor]:
    passages = choose_passages(FUNCTIONS * chosen.editors, chosen.seed)
    with ThreadPoolExecutor(STARTING) as starting:
        servers = list(starting.map(lambda _: LspServer(arguments), range(chosen.editors)))
    return [
        TypingEditor(server, _from(passages, index * FUNCTIONS), chosen.seed + index, chosen.slower)
        for index, server in enumerate(servers)
    ]


def _from(passages: Sequence[Passage], first: int) -> list[Passage]:
    """Return the passages of one editor. After the last one come the first again."""
    return [passages[(first + index) % len(passages)] for index in range(FUNCTIONS)]


def _type(editors: Sequence[TypingEditor], chosen: argparse.Namespace, victim: RunningEngine | None) -> None:
    with ThreadPoolExecutor(len(editors)) as threads:
        begun = [
            threads.submit(editor.type, chosen.keys, SPREAD_S * index / len(editors))
            for index, editor in enumerate(editors)
        ]
        if victim is not None:
            time.sleep(chosen.keys * KEY_S * chosen.slower / 2)
            victim.kill()
            victim.restart()
        for one in begun:
            one.result(LONGEST_S)


def _recover(editors: Sequence[TypingEditor]) -> None:
    with ThreadPoolExecutor(len(editors)) as threads:
        for editor, came_back in zip(editors, threads.map(TypingEditor.comes_back, editors), strict=True):
            editor.seen.recovered = came_back


def _since(before: EngineTokens | None, after: EngineTokens | None) -> EngineTokens | None:
    return None if before is None or after is None else after.since(before)


if __name__ == "__main__":
    main()
