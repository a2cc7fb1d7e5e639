"""``python -m benchmarks.load URL|llamacpp|vllm|local --editors 50 --keys 150 [--kill] [--json FILE]``."""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from benchmarks.bench.corpus import choose_passages
from benchmarks.bench.machine import machine
from benchmarks.bench.ours import LspServer
from benchmarks.load.engine_tokens import EngineTokens, read_engine_tokens
from benchmarks.load.report import figures, table
from benchmarks.load.typing import TypingEditor
from copilot_server.humaneval.provenance import versions
from tests.support.engines import RunningEngine, llamacpp_engine, vllm_engine

#: Servers that start at a time, and how far apart editors begin to type, in seconds together.
STARTING, SPREAD_S = 4, 2.0
#: Functions that an editor has to type, so that none runs out.
FUNCTIONS = 6
#: How long the engine may be away when it is killed, in seconds, before all stop waiting.
LONGEST_S = 900.0


def main() -> None:
    """Run it, print the table and one line of JSON."""
    chosen = _arguments()
    with _engine(chosen.engine) as (url, engine), tempfile.TemporaryDirectory() as folder:
        if chosen.kill and engine is None:
            raise SystemExit("--kill needs an engine of its own: llamacpp or vllm.")
        config = Path(folder, "config.toml")
        config.write_text(f"[completion]\nmax_prompt_tokens = {chosen.prompt_tokens}\n", "utf-8")
        where = ["--engine", url] if url else []
        editors = _opened([*where, "--config", str(config)], chosen)
        before = read_engine_tokens(url)
        _type(editors, chosen.keys, engine if chosen.kill else None)
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
    parser.add_argument("--keys", type=int, default=150, help="of each editor")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kill", action="store_true", help="kill the engine half-way, and start it again")
    parser.add_argument("--prompt-tokens", type=int, default=1024, help="completion.max_prompt_tokens")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    return parser.parse_args()


@contextmanager
def _engine(name: str) -> Iterator[tuple[str, RunningEngine | None]]:
    start = {"llamacpp": llamacpp_engine, "vllm": vllm_engine}.get(name)
    if start is None:
        yield ("" if name == "local" else name), None
        return
    with start() as engine:
        yield engine.url, engine


def _opened(arguments: Sequence[str], chosen: argparse.Namespace) -> list[TypingEditor]:
    passages = choose_passages(FUNCTIONS * chosen.editors, chosen.seed)
    with ThreadPoolExecutor(STARTING) as starting:
        servers = list(starting.map(lambda _: LspServer(arguments), range(chosen.editors)))
    return [
        TypingEditor(server, passages[place * FUNCTIONS : (place + 1) * FUNCTIONS], chosen.seed)
        for place, server in enumerate(servers)
    ]


def _type(editors: Sequence[TypingEditor], keys: int, victim: RunningEngine | None) -> None:
    stop = threading.Event()
    with ThreadPoolExecutor(len(editors) + 1) as threads:
        begun = [
            threads.submit(editor.type, keys, SPREAD_S * place / len(editors), stop)
            for place, editor in enumerate(editors)
        ]
        if victim is not None:
            time.sleep(keys * 0.25 / 2)  # half-way: a key takes a quarter of a second, thinking included
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
