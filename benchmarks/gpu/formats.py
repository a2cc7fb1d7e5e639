"""One shape in each number format: a step, verifying drafts, and a suggestion after a warm prefix."""

from __future__ import annotations

import random

from benchmarks.gpu.setup import GREEDY, Bench, read_prompts, token_ids
from copilot_server.engine.backends.torch.kv_cache import bytes_per_token
from copilot_server.engine.backends.torch.runner import TorchRunner
from copilot_server.engine.runner import Chunk

#: The number of draft tokens in each step of a suggestion with drafts.
DRAFTS = 7


def measure_formats(bench: Bench, name: str) -> None:
    """Measure every format of the workload for which there is time."""
    for dtype in bench.workload.formats:
        if bench.is_late:
            print(f"{name}: out of time before {dtype}")
            return
        row = measure_format(bench, bench.make(name, dtype=dtype))
        bench.report(f"{name} {dtype}", row)
        bench.figures.setdefault("formats", {})[dtype] = row


def measure_format(bench: Bench, runner: TorchRunner) -> dict[str, float]:
    """The milliseconds of steps of 1 to 16 tokens, and of a suggestion with and without drafts."""
    workload, decoder = bench.workload, runner.decoder
    prefix = runner.open()
    read_prompts(runner, [prefix], workload.prefix)
    row = {"weights_gb": decoder.weights.bytes_per_step / 1e9}
    for width in (1, 2, 4, 8, 16):
        ids = token_ids(width, decoder.architecture)

        def verify(ids: list[int] = ids) -> None:
            runner.step([Chunk(prefix, ids, [GREEDY] * len(ids))])
            runner.truncate(prefix, workload.prefix)

        row[f"verify_{width}_ms"] = 1e3 * bench.median_s(verify, 15)
    moved = decoder.weights.bytes_per_step
    moved += workload.prefix * bytes_per_token(decoder.architecture, decoder.dtype)
    row["decode_share_of_copy"] = 1e3 * moved / row["verify_1_ms"] / bench.copy_bytes_s
    for label, drafts in (("plain", 0), ("drafts", DRAFTS)):

        def write(drafts: int = drafts) -> None:
            suggest(bench, runner, prefix, drafts)

        row[f"suggestion_{label}_p50_ms"] = 1e3 * bench.median_s(write, workload.suggestions)
    return row


def suggest(bench: Bench, runner: TorchRunner, prefix: int, drafts: int) -> None:
    """Read a few tokens after a prefix in the cache, as after typing, and write a suggestion.

    Text from random weights cannot be guessed, so a draft is right at random, with the probability
    ``--right``; the cost of a step does not depend on which drafts are right.
    """
    workload, shape = bench.workload, runner.decoder.architecture
    coin, left = random.Random(5), workload.suggestion
    sequence = runner.fork(prefix, workload.prefix)
    ids, length = token_ids(workload.typed, shape), workload.prefix + workload.typed
    while left > 0:
        guesses = token_ids(min(drafts, left - 1), shape, seed=left)
        runner.step([Chunk(sequence, [*ids, *guesses], [GREEDY] * (1 + len(guesses)))])
        right = next((i for i in range(len(guesses)) if coin.random() >= bench.right), len(guesses))
        runner.truncate(sequence, length + right)
        ids, length, left = [7], length + right + 1, left - right - 1
    runner.close(sequence)
