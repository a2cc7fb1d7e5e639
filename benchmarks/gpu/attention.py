"""The attention of one layer in each way to compute it: which of them the runner should use, and why."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn.functional import scaled_dot_product_attention

from benchmarks.gpu.setup import Bench, shape_of
from copilot_server.engine.backends.torch.attention import GridAttention
from copilot_server.engine.backends.torch.cuda_graphs import CudaGraphs, Eager
from copilot_server.engine.backends.torch.inputs import GridInputs
from copilot_server.engine.backends.torch.kv_cache import BLOCK_TOKENS
from copilot_server.engine.backends.torch.limits import limits_of

#: Layers in a row, so that the start of the first hardly counts.
LAYERS = 16


def measure_attention(bench: Bench, name: str) -> None:
    """Microseconds of a layer, for decoding and for verifying drafts at each batch and context."""
    rows = {}
    for context in bench.workload.contexts:
        for batch in bench.workload.batches:
            for width in (1, 8):
                row = _measure(bench, name, batch, width, context)
                title = f"batch {batch} width {width} context {context}"
                bench.report(f"attention {title}", row)
                rows[title] = row
    bench.figures["attention_us"] = rows


def _measure(bench: Bench, name: str, batch: int, width: int, context: int) -> dict[str, float]:
    shape, device = shape_of(name), bench.device
    blocks = -(-context // BLOCK_TOKENS)
    cache = torch.randn(batch * blocks * BLOCK_TOKENS, 2, shape.kv_heads, shape.head_dim, device=device)
    cache = cache.to(bench.number)
    queries = torch.randn(batch * width, shape.heads, shape.head_dim, device=device, dtype=bench.number)
    tables = torch.arange(batch * blocks, device=device).view(batch, blocks)
    positions = torch.arange(context - width, context, device=device).repeat(batch)
    inputs = GridInputs(positions, positions, positions, positions, tables)
    group = shape.heads // shape.kv_heads
    keys, values = cache.view(batch, -1, 2, shape.kv_heads, shape.head_dim).permute(2, 0, 3, 1, 4)
    by_head = queries.view(batch, width, shape.heads, shape.head_dim).transpose(1, 2)

    def grouped() -> torch.Tensor:  # the cost without looking up blocks and without a mask
        return scaled_dot_product_attention(by_head, keys, values, enable_gqa=True)

    ways: dict[str, Callable[[], torch.Tensor]] = {
        "folded": lambda: GridAttention(inputs, group, bench.number)(queries, cache),
        "grouped_without_blocks": grouped,
    }
    if device.type == "cuda":
        from copilot_server.engine.backends.torch.triton_attention import SplitAttention  # noqa: PLC0415 - needs Triton

        processors = torch.cuda.get_device_properties(device).multi_processor_count
        attend = SplitAttention(shape, inputs, bench.number, processors, limits_of(device))
        ways["split"] = lambda: attend(queries, cache)
    return {way: _layer_us(bench, function) for way, function in ways.items()}


def _layer_us(bench: Bench, function: Callable[[], torch.Tensor]) -> float:
    graphs = CudaGraphs() if bench.device.type == "cuda" else Eager()
    layers = LAYERS if bench.device.type == "cuda" else 1

    def run() -> None:
        graphs.run("layers", lambda: [function() for _ in range(layers)])

    return 1e6 * bench.median_s(run, 5) / layers
