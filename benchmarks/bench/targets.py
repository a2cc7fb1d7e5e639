"""What the figures of a run should be, by model and instruction set."""

from __future__ import annotations

from collections.abc import Mapping

from copilot_server.config import DEFAULT_MODEL

#: Those of the default model that hold on every machine.
DEFAULT = {
    "decode_drafts_x_llamacpp": ">= 1.8",
    "keystroke_p50_x_llamacpp": "<= 0.4",
    "humaneval_x_vllm": "<= 0.7",
    "streams_x_vllm": ">= 1.5",
    "rss_mb": "<= 1300",
    "ready_s": "<= 5",
    "ready_first_s": "<= 8",
}
#: Those that differ: with AVX2, and with AVX-512.
DEFAULT_BY_ISA = {
    "prefill_x_llamacpp": (">= 4", ">= 5.5"),
    "decode_x_llamacpp": (">= 1.5", ">= 1.6"),
    "keystroke_model_p50_x_llamacpp_completion": ("<= 0.6", "<= 0.5"),
    "first_token_ms": ("<= 2200", "<= 1200"),
    "humaneval_wall_s": ("<= 170", "<= 80"),
}
#: Those of the model with 1.5 * 10^9 parameters.
LARGER = {"rss_mb": "<= 1700"}
LARGER_BY_ISA = {"prefill_x_llamacpp": (">= 3", ">= 4"), "decode_x_llamacpp": (">= 1.4", ">= 1.5")}


def targets(model: str, isa: str) -> Mapping[str, str]:
    """Return the targets by the name of the figure, such as ``>= 4``; none for a model without any."""
    alike, by_isa = {
        DEFAULT_MODEL: (DEFAULT, DEFAULT_BY_ISA),
        "qwen2.5-coder-1.5b": (LARGER, LARGER_BY_ISA),
    }.get(model, ({}, {}))
    column = 1 if isa in ("amx", "avx512") else 0
    return alike | {name: wanted[column] for name, wanted in by_isa.items()}
