"""Numbers of a host for Prometheus, and nothing of the text that it was asked about."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from copilot_server.host.hosted import HostedModel, HostedModels

_PREFIX = "copilot_server_host"


async def metrics(request: Request) -> Response:
    """Answer ``GET /metrics``."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(_Numbers(request.app.state.models))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class _Numbers(Collector):
    def __init__(self, models: HostedModels) -> None:
        self._models = models

    def collect(self) -> Iterator[Metric]:
        """See ``Collector.collect``."""
        labels = ["model"]
        ready = GaugeMetricFamily(f"{_PREFIX}_model_ready", "Whether a model can be asked.", labels=labels)
        pending = GaugeMetricFamily(
            f"{_PREFIX}_requests_pending", "Requests not answered yet.", labels=labels
        )
        for one in self._models.all:
            ready.add_metric([one.id], one.is_ready)
            pending.add_metric([one.id], one.requests)
        yield ready
        yield pending
        yield from _decoded([one for one in self._models.all if one.is_ready])


def _decoded(models: list[HostedModel]) -> Iterator[Metric]:
    about = "Tokens of prompts that were read for a request, read before one, and reused."
    prompt = CounterMetricFamily(f"{_PREFIX}_prompt_tokens", about, labels=["model", "how"])
    steps = CounterMetricFamily(f"{_PREFIX}_decoding_steps", "Steps of a model.", labels=["model"])
    for one in models:
        counters = one.opened()[0].engine.counters
        prompt.add_metric([one.id, "read"], counters.prompt_tokens_read)
        prompt.add_metric([one.id, "ahead"], counters.prompt_tokens_read_ahead)
        prompt.add_metric([one.id, "reused"], counters.prompt_tokens_reused)
        steps.add_metric([one.id], counters.steps)
    yield prompt
    yield steps
