"""What sharing one engine costs and saves, against an engine in each server's own process.

Four comparisons on one model:

- the time of a suggestion: prompts as somebody types them, each beginning like the one before, greedily, in
  turns by the engine in this process and by the same in a host;
- 32 streams at once: the tokens per second of the engine in this process, and of a host asked over HTTP;
- an editor more: how long its server takes until it is ready, and its memory, with the model loaded already;
- the memory of four editors that share, and of one that does not (on Linux: proportional set sizes, in which
  memory that several processes have counts once).

It prints a table and a line of JSON. Usage: python -m benchmarks.host_overhead [--model ID] [--keys 100]
"""

from __future__ import annotations

import argparse
import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs
import psutil

from benchmarks.bench.corpus import library_texts
from benchmarks.bench.machine import machine
from benchmarks.bench.ours import LspServer
from benchmarks.home import temporary_home
from copilot_server.completion.pipeline import open_engine
from copilot_server.config import DEFAULT_MODEL, Settings
from copilot_server.engine.backends.hosted.starting import running_hosts, stop_host
from copilot_server.engine.base import Engine, GenerationRequest, Prompt, Sampling
from copilot_server.provenance import versions

NEVER = threading.Event()
SEED = 1
#: The length of the first prompt, in characters, and of each answer, in tokens.
CONTEXT, TOKENS = 3000, 16
STREAMS, STREAM_TOKENS = 32, 64
EDITORS = 4


def requests(keys: int) -> list[GenerationRequest]:
    """Prompts that grow by some characters from one to the next."""
    text = next(text for text in library_texts(SEED) if len(text) > CONTEXT + 3 * keys)
    sampling = Sampling(max_new_tokens=TOKENS)
    return [GenerationRequest(Prompt((text[: CONTEXT + 3 * key],)), sampling) for key in range(keys)]


def times_ms(engine: Engine, asked: GenerationRequest) -> float:
    """The time of one answer in milliseconds."""
    start_s = time.perf_counter()
    engine.generate(asked, NEVER)
    return (time.perf_counter() - start_s) * 1000


def compare_latency(own: Engine, shared: Engine, keys: int) -> dict[str, float]:
    """Time the same requests in turns."""
    one, other = [], []
    for engine in (own, shared):
        engine.generate(requests(1)[0], NEVER)
    for asked in requests(keys):
        one.append(times_ms(own, asked))
        other.append(times_ms(shared, asked))
    added = [theirs - ours for ours, theirs in zip(one, other, strict=True)]
    return {
        "own_p50_ms": statistics.median(one),
        "shared_p50_ms": statistics.median(other),
        "own_p99_ms": statistics.quantiles(one, n=100)[98],
        "shared_p99_ms": statistics.quantiles(other, n=100)[98],
        "added_p50_ms": statistics.median(added),
    }


def streams_tok_s(engine: Engine) -> float:
    """The tokens per second of many streams at once."""
    texts = islice(library_texts(SEED), STREAMS)
    sampling = Sampling(max_new_tokens=STREAM_TOKENS, temperature=0.8, seed=1)
    asked = [GenerationRequest(Prompt((one[:600],)), sampling) for one in texts]
    start_s = time.perf_counter()
    answers = engine.generate_batch(asked, NEVER, batch_size=STREAMS)
    return sum(one.tokens for group in answers for one in group) / (time.perf_counter() - start_s)


def pss_mb(pids: Sequence[int]) -> float:
    """The proportional set sizes of processes together."""
    return sum(psutil.Process(pid).memory_full_info().pss for pid in pids) / 1e6


@contextmanager
def server(*arguments: str) -> Iterator[LspServer]:
    """A server that is ready, and ends."""
    running = LspServer(arguments)
    try:
        yield running
    finally:
        running.close()


def compare_editors(model: str, config: Path) -> dict[str, float]:
    """Start one editor alone, and several that share."""
    flags = ("--model", model, "--offline")
    with server(*flags) as alone:
        own_mb, own_ready_s = pss_mb([alone.process.pid]), alone.ready_s
    with ExitStack() as stack:
        editors = [stack.enter_context(server(*flags, "--config", str(config))) for _ in range(EDITORS)]
        (host,) = [about["pid"] for _, about in running_hosts()]
        pids = [editor.process.pid for editor in editors]
        return {
            "own_ready_s": own_ready_s,
            "first_ready_s": editors[0].ready_s,
            "second_ready_s": statistics.median(editor.ready_s for editor in editors[1:]),
            "own_mb": own_mb,
            "second_mb": statistics.median(pss_mb([pid]) for pid in pids[1:]),
            "four_mb": pss_mb([host, *pids]),
        }


def end_hosts() -> None:
    """End the hosts that were started."""
    for path, _ in running_hosts():
        stop_host(path)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What sharing an engine costs and saves.")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--keys", type=int, default=100)
    options = parser.parse_args()
    with temporary_home(), TemporaryDirectory() as folder:
        config = Path(folder) / "config.toml"
        config.write_text("share = true\n")
        try:
            results = compare_editors(options.model, config)
            end_hosts()
            results |= engines(options.model, options.keys)
        finally:
            end_hosts()
    for name, value in results.items():
        print(f"{name:20} {value:10.2f}")
    print(json.dumps({**results, "options": vars(options), "machine": machine(), "versions": versions()}))


def engines(model: str, keys: int) -> dict[str, float]:
    """Compare an engine in this process with a shared one."""
    settings = Settings(model=model, offline=True)
    own, _ = open_engine(settings)
    shared, _ = open_engine(attrs.evolve(settings, share=True))
    try:
        results = compare_latency(own, shared, keys)
        order: list[tuple[str, Callable[[], float]]] = [
            ("own_streams_tok_s", lambda: streams_tok_s(own)),
            ("shared_streams_tok_s", lambda: streams_tok_s(shared)),
        ]
        for name, measure in order:
            results[name] = max(measure() for _ in range(2))
        return results
    finally:
        own.close()
        shared.close()


if __name__ == "__main__":
    main()
