"""How many developers an engine carries: the arithmetic of docs/scale.md.

``python -m benchmarks.capacity benchmarks/results/load.json`` prints its tables from what was measured.

A developer who types makes ``asked_per_s`` requests a second that reach the engine. Each has ``read``
tokens of a prompt that the engine has not in its cache, and ``written`` tokens of an answer, and so takes

    read / (tokens read a second) + written / (tokens written a second)

of the engine's time. An engine is kept below ``UTILIZATION`` of it, for requests come in bursts, and of the
developers at work ``TYPING`` type at once. So many does it carry:

    UTILIZATION / (TYPING * asked_per_s * seconds a request)

For GPUs both rates are computed, none is measured. Reading is bound by arithmetic, two operations a token
and parameter (Kaplan et al. 2020, arXiv:2001.08361, section 2.1), of which ``COMPUTE`` is reached. Writing
is bound by memory: each step reads all weights once and every stream's KV cache, at ``BANDWIDTH`` of the
peak. The peaks are NVIDIA's, dense bfloat16 (data sheets of the L4, L40S, A100 80GB SXM, H100 SXM, H200 SXM).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Assumptions; whoever knows better puts in their own.
UTILIZATION, TYPING = 0.6, 0.3
COMPUTE, BANDWIDTH = 0.4, 0.6
STREAMS = 32


@dataclass(frozen=True, slots=True)
class Demand:
    """What one developer asks while typing: requests a second, and tokens read and written for each."""

    asked_per_s: float
    read: float
    written: float


@dataclass(frozen=True, slots=True)
class Rates:
    """Tokens a second that an engine reads, and that it writes for many streams together."""

    name: str
    read: float
    written: float


@dataclass(frozen=True, slots=True)
class Gpu:
    """Peak arithmetic in FLOP/s, peak bandwidth in bytes/s, memory in bytes."""

    name: str
    flops: float
    bandwidth: float
    memory: float


@dataclass(frozen=True, slots=True)
class Model:
    """Parameters, bytes of each and of a token of KV cache; ``context``: tokens of prompt and answer."""

    name: str
    parameters: float
    weight_bytes: float
    kv_bytes: float
    context: float = 1300.0


GPUS = (
    Gpu("L4", 121e12, 300e9, 24e9),
    Gpu("L40S", 362e12, 864e9, 48e9),
    Gpu("A100 80GB", 312e12, 2039e9, 80e9),
    Gpu("H100", 989e12, 3350e9, 80e9),
    Gpu("H200", 989e12, 4800e9, 141e9),
)
#: KV bytes: 2 * layers * KV heads * head size * 2 (config.json of each model).
MODELS = (
    Model("Qwen2.5-Coder-1.5B", 1.54e9, 2, 2 * 28 * 2 * 128 * 2),
    Model("Qwen2.5-Coder-7B", 7.62e9, 2, 2 * 28 * 4 * 128 * 2),
    Model("Qwen2.5-Coder-14B", 14.8e9, 2, 2 * 48 * 8 * 128 * 2),
)


def developers(rates: Rates, demand: Demand) -> int:
    """How many developers at work an engine carries."""
    request_s = demand.read / rates.read + demand.written / rates.written
    return int(UTILIZATION / (TYPING * demand.asked_per_s * request_s))


def computed_rates(gpu: Gpu, model: Model) -> Rates | None:
    """A GPU by its data sheet; None where model and streams do not fit in nine tenths of its memory."""
    weights = model.parameters * model.weight_bytes
    cache = STREAMS * model.context * model.kv_bytes
    if weights + cache > 0.9 * gpu.memory:
        return None
    step_s = (weights + cache) / (BANDWIDTH * gpu.bandwidth)
    return Rates(gpu.name, COMPUTE * gpu.flops / (2 * model.parameters), STREAMS / step_s)


def tables(measured: dict[str, Any]) -> str:
    """The tables of docs/scale.md, in Markdown."""
    demand = Demand(
        **{name: measured["demand"][name]["value"] for name in ("asked_per_s", "read", "written")}
    )
    engines = [Rates(one["name"], one["read"], one["written"]) for one in measured["engines"]]
    return "\n".join([*_inputs(measured), "", *_measured(engines, demand), "", *_computed(demand)])


def _inputs(measured: dict[str, Any]) -> Iterator[str]:
    yield from _heading("measured input", "value", "by")
    for one in (*measured["demand"].values(), *measured["shares"].values()):
        yield f"| {one['what']} | {one['value']:g} | `{one['command']}` |"
    for one in measured["engines"]:
        rates = f"{one['read']:g} read, {one['written']:g} written"
        yield f"| {one['name']}: tokens a second | {rates} | `{one['command']}` |"


def _measured(engines: Sequence[Rates], demand: Demand) -> Iterator[str]:
    yield from _heading("engine (rates measured)", "seconds a request", "developers")
    for rates in engines:
        request_s = demand.read / rates.read + demand.written / rates.written
        yield f"| {rates.name} | {request_s:.2f} | {developers(rates, demand)} |"


def _computed(demand: Demand) -> Iterator[str]:
    yield from _heading(
        "GPU (rates computed)", *(f"{model.name}: tokens/s read, written; developers" for model in MODELS)
    )
    for gpu in GPUS:
        cells = []
        for model in MODELS:
            rates = computed_rates(gpu, model)
            told = "does not fit" if rates is None else _told(rates, developers(rates, demand))
            cells.append(told)
        yield f"| {gpu.name} | {' | '.join(cells)} |"


def _told(rates: Rates, carried: int) -> str:
    return f"{_round(rates.read):,}, {_round(rates.written):,}; **{_round(carried):,}**"


def _round(value: float) -> int:
    """Two digits that mean something."""
    digits = max(len(str(int(value))) - 2, 0)
    return round(value / 10**digits) * 10**digits


def _heading(*columns: str) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"


def main() -> None:
    """Print the tables."""
    print(tables(json.loads(Path(sys.argv[1]).read_text("utf-8"))))


if __name__ == "__main__":
    main()
