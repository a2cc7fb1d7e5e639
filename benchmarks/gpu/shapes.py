"""Prefill and decoding of each shape, as shares of the ceilings and beside ``transformers.generate``."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

import torch

from benchmarks.gpu.setup import GREEDY, Bench, read_prompts, shape_of, token_ids
from copilot_server.engine.backends.torch.kv_cache import bytes_per_token
from copilot_server.engine.backends.torch.runner import TorchRunner
from copilot_server.engine.models.architecture import Architecture
from copilot_server.engine.runner import Chunk


def measure_shape(bench: Bench, name: str) -> None:
    """Measure the peer, then our runner on the same weights; the peer's are freed in between."""
    peers, runner = _peers_and_runner(bench, name)
    rows = []
    for batch, context in _cases(bench, name):
        if bench.is_late:
            print(f"{name}: out of time before batch {batch}, context {context}")
            break
        row = measure_case(bench, runner, batch, context)
        if (batch, context) in peers:
            peer = peers[batch, context]
            row |= {
                f"{key}_x_transformers": row[key] / peer[key] for key in ("prefill_tok_s", "decode_tok_s")
            }
        bench.report(f"{name} batch {batch} context {context}", row)
        rows.append({"batch": batch, "context": context, **row})
    tuner = getattr(runner.decoder.kernels, "tuner", None)
    ways = {} if tuner is None else {str(key): index for key, index in tuner.chosen.items()}
    bench.figures.setdefault("shapes", {})[name] = {"rows": rows, "ways_chosen": ways}


def _cases(bench: Bench, name: str) -> list[tuple[int, int]]:
    workload = bench.workload
    cases = [(batch, context) for context in workload.contexts for batch in workload.batches]
    if name == workload.shapes[0]:
        cases += [(batch, workload.contexts[0]) for batch in workload.wide_batches]
    return cases


def measure_case(bench: Bench, runner: TorchRunner, batch: int, context: int) -> dict[str, float]:
    """Prefill and decoding, in tokens/s and as shares of the ceilings.

    A prompt and the tokens decoded after it fill the context.
    """
    prompt = context - bench.workload.steps

    def prefill() -> list[int]:
        sequences = [runner.open() for _ in range(batch)]
        read_prompts(runner, sequences, prompt)
        return sequences

    def prefill_and_close() -> None:
        for sequence in prefill():
            runner.close(sequence)

    prefill_s = bench.median_s(prefill_and_close, bench.workload.runs)
    _decode_step_s(bench, runner, prefill())  # captures
    step_s = _decode_step_s(bench, runner, prefill())
    moved = runner.decoder.weights.bytes_per_step
    moved += batch * context * bytes_per_token(runner.decoder.architecture, runner.decoder.dtype)
    flop = batch * prefill_flop(runner.decoder.architecture, prompt)
    return {
        "prefill_tok_s": batch * prompt / prefill_s,
        "prefill_share_of_matmul": flop / prefill_s / bench.matmul_flop_s,
        "decode_tok_s": batch / step_s,
        "decode_step_ms": 1e3 * step_s,
        "decode_share_of_copy": moved / step_s / bench.copy_bytes_s,
    }


def prefill_flop(shape: Architecture, tokens: int) -> float:
    """Two FLOP for each weight and token, and attention over half of all pairs of tokens."""
    attention = shape.hidden * shape.head_dim * (2 * shape.heads + 2 * shape.kv_heads)
    weights = shape.layers * (attention + 3 * shape.hidden * shape.intermediate)
    return 2.0 * tokens * weights + 2.0 * tokens**2 * shape.layers * shape.heads * shape.head_dim


def _decode_step_s(bench: Bench, runner: TorchRunner, sequences: Sequence[int]) -> float:
    """Median seconds of a step that takes one token of each sequence; closes them."""
    ids, times = [7] * len(sequences), []
    for _ in range(bench.workload.steps):
        start = time.perf_counter()
        drawn = runner.step([Chunk(s, [one], (GREEDY,)) for s, one in zip(sequences, ids, strict=True)])
        times.append(time.perf_counter() - start)
        ids = [one.token_id for [one] in drawn]
    for sequence in sequences:
        runner.close(sequence)
    return statistics.median(times)


Peers = dict[tuple[int, int], dict[str, float]]


def _peers_and_runner(bench: Bench, name: str) -> tuple[Peers, TorchRunner]:
    """Transformers' figures in each case, if it is installed, and our runner with the same weights."""
    shape, workload = shape_of(name), bench.workload
    model = _peer_model(bench, shape)
    if model is None:
        print("transformers is not installed: no peer")
        return {}, bench.make(name)
    peers: Peers = {}
    for context in workload.contexts:
        for batch in workload.batches:
            if not bench.is_late:
                peers[batch, context] = _measure_peer(bench, model, shape, batch, context)
    return peers, bench.make(name, model.state_dict().get)


def _peer_model(bench: Bench, shape: Architecture) -> Any:  # noqa: ANN401 - a model of transformers, or None
    try:
        from transformers import AutoModelForCausalLM, Qwen2Config  # noqa: PLC0415 - not everywhere
    except ModuleNotFoundError:
        return None
    config = Qwen2Config(
        vocab_size=shape.vocab_size,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        max_position_embeddings=shape.context_length,
        rms_norm_eps=shape.rms_eps,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta},
        tie_word_embeddings=shape.tied,
    )
    with torch.device(bench.device):
        return AutoModelForCausalLM.from_config(config, dtype=bench.number).eval()


def _measure_peer(
    bench: Bench,
    model: Any,  # noqa: ANN401 - of transformers
    shape: Architecture,
    batch: int,
    context: int,
) -> dict[str, float]:
    """Tokens/s of ``transformers.generate``: the first token is prefill, the others are decoding."""
    steps, runs = bench.workload.steps, bench.workload.runs
    prompt = context - steps
    ids = torch.tensor([token_ids(prompt, shape, seed=row) for row in range(batch)], device=bench.device)

    def generate(count: int) -> None:
        model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            min_new_tokens=count,
            max_new_tokens=count,
            eos_token_id=None,
            pad_token_id=0,
        )

    first_s = bench.median_s(lambda: generate(1), runs)
    decode_s = max(1e-9, bench.median_s(lambda: generate(steps), runs) - first_s)
    return {"prefill_tok_s": batch * prompt / first_s, "decode_tok_s": batch * (steps - 1) / decode_s}
