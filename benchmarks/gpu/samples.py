"""Samples through the whole decoding loop and the tokenizer: how long those of HumanEval would take."""

from __future__ import annotations

import random
import threading
import time

from tokenizers import Tokenizer as FastTokenizer
from tokenizers import decoders, models, pre_tokenizers

from benchmarks.gpu.setup import Bench, Workload, shape_of
from copilot_server.config import SpeedSettings
from copilot_server.engine.backends.torch.loading import Options
from copilot_server.engine.base import GenerationRequest, Prompt, Sampling
from copilot_server.engine.decoding.engine import DecodingEngine
from copilot_server.engine.models.tokenizer import Tokenizer

#: 164 problems with 200 samples each.
SAMPLES = 32800

NEVER = threading.Event()


def measure_samples(bench: Bench, name: str) -> None:
    """Sample from prompts of random letters."""
    workload = bench.workload
    runner = bench.make(name, options=Options(max_sequences=workload.rows + 32))
    engine = DecodingEngine(
        runner, Tokenizer(_made_up_vocabulary(shape_of(name).vocab_size)), SpeedSettings()
    )
    requests = _requests(workload)
    engine.generate_batch(requests[-2:], NEVER, batch_size=workload.rows)  # warms up
    start = time.perf_counter()
    answers = engine.generate_batch(requests, NEVER, batch_size=workload.rows)
    seconds = time.perf_counter() - start
    samples = [generation for answer in answers for generation in answer]
    written = sum(len(generation.token_ids) for generation in samples)
    row = {
        "samples": len(samples),
        "mean_tokens": written / len(samples),
        "tok_s": written / seconds,
        "seconds": seconds,
        "projected_32800_s": seconds * SAMPLES / len(samples),
    }
    bench.figures["samples"] = row
    bench.report(f"{name} {workload.rows} rows", row)


def _requests(workload: Workload) -> list[GenerationRequest]:
    """Prompts of 150 tokens; answers of lengths like HumanEval's, exponentially distributed."""
    draw = random.Random(11)
    requests = []
    for seed in range(workload.prompts):
        text = "".join(draw.choices("abcdefgh ijklm\n", k=150))
        most = min(253, max(2, round(draw.expovariate(1 / workload.mean_tokens))))
        sampling = Sampling(temperature=0.8, top_p=0.95, seed=seed, n=workload.samples, max_new_tokens=most)
        requests.append(GenerationRequest(Prompt((text,)), sampling))
    return requests


def _made_up_vocabulary(size: int) -> FastTokenizer:
    """A byte-level vocabulary: a text's tokens are its bytes, and the other ids are invented words."""
    words = sorted(pre_tokenizers.ByteLevel.alphabet())
    words += [f"w{number}" for number in range(size - len(words))]
    fast = FastTokenizer(models.BPE({word: number for number, word in enumerate(words)}, []))
    fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    fast.decoder = decoders.ByteLevel()
    return fast
