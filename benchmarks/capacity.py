"""How many developers an engine can serve: the arithmetic of docs/scale.md.

``python -m benchmarks.capacity benchmarks/results/load.json`` prints its tables from the measurements.

A developer who types makes ``asked_per_s`` requests per second that reach the engine. Each has ``read``
prompt tokens that are not in the engine's cache, and ``written`` tokens of an answer, so its time is

    read / (tokens read per second) + written / (tokens written per second)

The utilization of an engine is kept below ``UTILIZATION``, since requests come in bursts, and a share of
``TYPING`` of the developers type at the same time. The engine can therefore serve this many developers:

    UTILIZATION / (TYPING * asked_per_s * seconds per request)

For GPUs both rates are computed, and none is measured. Reading is limited by arithmetic: two operations for
each token and parameter (Kaplan et al. 2020, arXiv:2001.08361, section 2.1), at a share of ``COMPUTE`` of
the peak. Writing is limited by memory: each step reads all weights once and the KV cache of every stream,
at a share of ``BANDWIDTH`` of the peak. The peaks are NVIDIA's, dense bfloat16 (data sheets of the L4,
L40S, A100 80GB SXM, H100 SXM, H200 SXM).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Assumptions; replace them if you know better.
UTILIZATION, TYPING = 0.6, 0.3
COMPUTE, BANDWIDTH = 0.4, 0.6
STREAMS = 32


@dataclass(frozen=True, slots=True)
class Demand:
    """The requests per second of one developer who types, and the tokens read and written for each."""

    asked_per_s: float
    read: float
    written: float


@dataclass(frozen=True, slots=True)
class Rates:
    """The tokens per second that an engine reads, and that it writes for many streams together."""

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
    """The number of parameters, the bytes of each and of a cached token, and the context in tokens."""

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
    """Return the number of developers that an engine can serve."""
    request_s = demand.read / rates.read + demand.written / rates.written
    return int(UTILIZATION / (TYPING * demand.asked_per_s * request_s))


def computed_rates(gpu: Gpu, model: Model) -> Rates | None:
    """Return the rates of a GPU from its data sheet, or None if 90 % of its memory is not enough."""
    weights = model.parameters * model.weight_bytes
    cache = STREAMS * model.context * model.kv_bytes
    if weights + cache > 0.9 * gpu.memory:
        return None
    step_s = (weights + cache) / (BANDWIDTH * gpu.bandwidth)
    return Rates(gpu.name, COMPUTE * gpu.flops / (2 * model.parameters), STREAMS / step_s)


def tables(measured: dict[str, Any]) -> str:
    """Return the tables of docs/scale.md in Markdown."""
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
            cells.append("does not fit" if rates is None else _cell(rates, developers(rates, demand)))
        yield f"| {gpu.name} | {' | '.join(cells)} |"


def _cell(rates: Rates, served: int) -> str:
    return f"{_round(rates.read):,}, {_round(rates.written):,}; **{_round(served):,}**"


def _round(value: float) -> int:
    """Round to two significant digits."""
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
