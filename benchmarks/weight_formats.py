"""What each number format of the weights costs and saves on this CPU, for one model in a GGUF file.

Every format computes the same texts of Python's standard library, ``--tokens`` each, with the kernels: after
each token the likeliest next one and the probability of the true one. Compared with ``bfloat16``, into which
transformers unpacks the file, that shows what a format loses: the difference of the mean log-probability of
the text, and how often the likeliest token is another one. Then the formats take turns at reading a text
and at steps of a few tokens after it, of which the medians count; the ratio is to the first format.

It prints a table and a line of JSON.
Usage: python -m benchmarks.weight_formats [--model ID] [--formats int8 gguf] [--texts 3] [--tokens 500]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from benchmarks.bench.corpus import library_texts
from benchmarks.bench.machine import machine
from benchmarks.home import temporary_home
from copilot_server.catalog import resolve
from copilot_server.config import DEFAULT_MODEL
from copilot_server.engine.backends.cpu.layout import Dtype
from copilot_server.engine.backends.cpu.library import INSTRUCTION_SETS, load_library
from copilot_server.engine.backends.cpu.runner import CpuRunner
from copilot_server.engine.backends.cpu.weights import Weights, open_weights
from copilot_server.engine.models.architecture import read_architecture
from copilot_server.engine.models.gguf import described_folder, prepared_folder
from copilot_server.engine.models.tokenizer import load_tokenizer
from copilot_server.engine.runner import Choice, Chunk
from copilot_server.fetch import ensure
from copilot_server.provenance import versions

REFERENCE: Dtype = "bfloat16"
#: The lengths of the steps that are measured after a text: one token, and drafts of one to three.
STEPS = (1, 2, 3, 4)
REPEATS = 5


@dataclass(frozen=True, slots=True)
class Guesses:
    """After each token of all texts: the likeliest next token, and the log-probability of the true one."""

    likeliest: Sequence[int]
    of_true: Sequence[float]


@dataclass(frozen=True, slots=True)
class Speed:
    """Medians: seconds to read the text, and milliseconds of a step by its number of tokens."""

    reading_s: float
    steps_ms: Mapping[int, float]


def weights_of(gguf: Path, dtype: Dtype) -> Weights:
    """Return the packed weights in a format, from the file or from what transformers makes of it."""
    folder = described_folder(gguf) if dtype in ("int8", "gguf") else prepared_folder(gguf)
    architecture = read_architecture(folder) if folder else None
    if folder is None or architecture is None:
        raise SystemExit(f"{gguf.name} is not a Qwen2 model's.")
    return open_weights(folder, architecture, dtype, gguf if dtype in ("int8", "gguf") else None)


def runner_of(weights: Weights, tokens: int) -> CpuRunner:
    """Return a runner with two threads, whatever was tuned."""
    return CpuRunner(weights, threads=2, cache_tokens=tokens + 64, max_sequences=2)


def guess(runner: CpuRunner, texts: Sequence[Sequence[int]]) -> Guesses:
    """Compute every text once for the likeliest tokens and once for the true ones."""
    likeliest: list[int] = []
    of_true: list[float] = []
    for text in texts:
        for choices, take in (
            ([Choice()] * (len(text) - 1), likeliest),
            ([Choice(allowed=[token]) for token in text[1:]], of_true),
        ):
            sequence = runner.open()
            [drawn] = runner.step([Chunk(sequence, list(text[:-1]), choices)])
            runner.close(sequence)
            take.extend(one.token_id if take is likeliest else one.logprob for one in drawn)
    return Guesses(likeliest, of_true)


def read_s(runner: CpuRunner, sequence: int, text: Sequence[int]) -> float:
    """Read a text in the chunks in which the server reads."""
    start = time.perf_counter()
    for at in range(0, len(text), runner.prefill_chunk):
        runner.step([Chunk(sequence, list(text[at : at + runner.prefill_chunk]))])
    return time.perf_counter() - start


def step_ms(runner: CpuRunner, sequence: int, tokens: int, length: int) -> float:
    """Time one step after a text, and forget it again."""
    start = time.perf_counter()
    runner.step([Chunk(sequence, [1] * tokens, [Choice()] * tokens)])
    took = time.perf_counter() - start
    runner.truncate(sequence, length)
    return 1e3 * took


def time_in_turns(runners: Mapping[Dtype, CpuRunner], text: Sequence[int]) -> dict[Dtype, Speed]:
    """Measure all formats in turns, so that what else the machine does meets all of them."""
    reading: dict[Dtype, list[float]] = {dtype: [] for dtype in runners}
    steps: dict[Dtype, dict[int, list[float]]] = {dtype: {n: [] for n in STEPS} for dtype in runners}
    for _ in range(REPEATS):
        for dtype, runner in runners.items():
            sequence = runner.open()
            reading[dtype].append(read_s(runner, sequence, text))
            for tokens in STEPS * 3:
                steps[dtype][tokens].append(step_ms(runner, sequence, tokens, len(text)))
            runner.close(sequence)
    return {
        dtype: Speed(
            statistics.median(reading[dtype]), {n: statistics.median(steps[dtype][n]) for n in STEPS}
        )
        for dtype in runners
    }


def row(
    weights: Weights, guesses: Guesses, reference: Guesses, speed: Speed, tokens: int
) -> dict[str, object]:
    """Return what is reported of one format."""
    same = sum(map(int.__eq__, guesses.likeliest, reference.likeliest)) / len(guesses.likeliest)
    lost = statistics.fmean(reference.of_true) - statistics.fmean(guesses.of_true)
    return {
        "megabytes": round(sum(array.nbytes for array in weights.tensors.values()) / 1e6),
        "nats_lost_per_token": round(lost, 5),
        "same_likeliest_percent": round(100 * same, 2),
        "reading_tok_s": round(tokens / speed.reading_s, 1),
        "step_ms": {n: round(ms, 1) for n, ms in speed.steps_ms.items()},
    }


def measure(options: argparse.Namespace) -> dict[str, dict[str, object]]:
    """Measure each format that was asked for."""
    gguf = ensure(resolve(options.model), offline=True)
    folder = described_folder(gguf)
    tokenizer = load_tokenizer(folder or prepared_folder(gguf))
    encoded = (tokenizer.encode_text(text)[: options.tokens] for text in library_texts(options.seed))
    texts = list(islice((text for text in encoded if len(text) == options.tokens), options.texts))
    weights = {dtype: weights_of(gguf, dtype) for dtype in (REFERENCE, *options.formats)}
    guesses = {dtype: guess(runner_of(one, options.tokens), texts) for dtype, one in weights.items()}
    runners = {dtype: runner_of(weights[dtype], options.tokens) for dtype in options.formats}
    speeds = time_in_turns(runners, texts[0])
    return {
        dtype: row(weights[dtype], guesses[dtype], guesses[REFERENCE], speeds[dtype], options.tokens)
        for dtype in options.formats
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument(
        "--formats", nargs="+", default=["int8", "gguf"], choices=["int8", "gguf", "bfloat16"]
    )
    parser.add_argument("--texts", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--isa", choices=INSTRUCTION_SETS, help="force an instruction set")
    options = parser.parse_args()
    library = load_library()
    if options.isa and not library.decoder_use_isa(options.isa.encode()):
        raise SystemExit(f"This processor has no {options.isa}.")
    with temporary_home():
        rows = measure(options)
    print(
        f"{options.model}, {library.decoder_isa().decode()}, {options.texts} texts of {options.tokens} tokens"
    )
    for dtype, figures in rows.items():
        print(f"{dtype:<9}" + "  ".join(f"{name} {value}" for name, value in figures.items()))
    about = {"options": vars(options), "machine": machine(), "versions": versions()}
    print(json.dumps({"formats": rows, **about}))


if __name__ == "__main__":
    main()
