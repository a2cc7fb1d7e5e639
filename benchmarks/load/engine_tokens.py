"""The tokens that an engine has read and written, from its metrics for Prometheus."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families

#: The names of the metrics of vLLM (docs.vllm.ai, "Production Metrics") and of llama.cpp (the README of its
#: server).
_READ = ("vllm:prompt_tokens_total", "llamacpp:prompt_tokens_total")
_REUSED = ("vllm:prefix_cache_hits_total",)
_WRITTEN = ("vllm:generation_tokens_total", "llamacpp:tokens_predicted_total")
_FINISHED = ("vllm:request_success_total",)


@dataclass(frozen=True, slots=True)
class EngineTokens:
    """Numbers of tokens and requests. ``read`` of vLLM includes the tokens found in its cache."""

    read: float = 0.0
    reused: float = 0.0
    written: float = 0.0
    finished: float = 0.0

    def since(self, before: EngineTokens) -> EngineTokens:
        """Return the difference to an earlier count."""
        return EngineTokens(
            self.read - before.read,
            self.reused - before.reused,
            self.written - before.written,
            self.finished - before.finished,
        )


def read_engine_tokens(url: str) -> EngineTokens | None:
    """Return the counters of the engine, or None if it has none or there is no engine."""
    if not url:
        return None
    try:
        response = httpx.get(f"{url}/metrics", timeout=30)
    except httpx.HTTPError:
        return None
    if response.status_code != httpx.codes.OK:
        return None
    totals: dict[str, float] = {}
    for family in text_string_to_metric_families(response.text):
        for sample in family.samples:
            totals[sample.name] = totals.get(sample.name, 0.0) + sample.value
    return EngineTokens(*(_sum(totals, names) for names in (_READ, _REUSED, _WRITTEN, _FINISHED)))


def _sum(totals: dict[str, float], names: tuple[str, ...]) -> float:
    return sum(totals.get(name, 0.0) for name in names)
