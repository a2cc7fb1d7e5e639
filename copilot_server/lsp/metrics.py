"""What ``--metrics`` serves to Prometheus: numbers, and nothing of what is edited.

Names and units follow https://prometheus.io/docs/practices/naming/; docs/metrics.md says what each means.
"""

from __future__ import annotations

import re
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol, runtime_checkable
from wsgiref.simple_server import WSGIServer

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    start_http_server,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from copilot_server import __version__
from copilot_server.completion.scheduling.counts import Counts
from copilot_server.errors import ConfigError
from copilot_server.lsp.session import Outcome, RequestKind, Session
from copilot_server.statistics.types import SuggestionCounts, model_name

if TYPE_CHECKING:
    from copilot_server.engine.backends.remote.replica import EndpointState
    from copilot_server.engine.decoding.schedule import Counters

LOOPBACK = "127.0.0.1"
_PREFIX = "copilot_server"

#: Upper bounds in seconds: from an answer out of the cache to a model that is fetched first.
_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

_ADDRESS = re.compile(r"(?:(?:\[([^][]+)\]|([^][:]+)):)?(\d{1,5})", re.ASCII)
#: How long the way to ourselves may take, in seconds.
_WAKE_S = 0.5


@runtime_checkable
class _Remote(Protocol):
    """An engine that asks others, as ``engine.remote`` has it."""

    @property
    def endpoints(self) -> Sequence[EndpointState]: ...


@runtime_checkable
class _Decoding(Protocol):
    """An engine that decodes in this process with our own loop."""

    @property
    def counters(self) -> Counters: ...


class Metrics:
    """The numbers of one server. They may be read on any thread."""

    def __init__(self, session: Session) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self.registry.register(_Snapshot(session))
        self._requests = Counter(
            f"{_PREFIX}_requests",
            "Requests for suggestions, by what has become of them and by what made the editor ask.",
            ("source", "trigger"),
            registry=self.registry,
        )
        self._durations = Histogram(
            f"{_PREFIX}_request_duration_seconds",
            "From the arrival of a request to its answer.",
            ("source",),
            registry=self.registry,
            buckets=_BUCKETS_S,
        )
        session.on_outcome = self.count

    def count(self, kind: RequestKind, outcome: Outcome, duration_s: float) -> None:
        """Count one request that is over."""
        self._requests.labels(outcome, kind).inc()
        self._durations.labels(outcome).observe(duration_s)


class _Snapshot(Collector):
    """What the server counts anyway, read when Prometheus asks."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def collect(self) -> Iterator[Metric]:
        session = self._session
        pipeline = session.scheduler.pipeline
        model: str = getattr(pipeline, "model_id", session.settings.current.model)
        about = "What is served; a model that is a path goes by a hash of it."
        build = {"version": __version__, "model": model_name(model)}
        yield InfoMetricFamily(f"{_PREFIX}_build", about, build)
        yield _gauge("model_loaded", "Whether there is a model that can answer.", pipeline is not None)
        yield from _of_requests(session.scheduler.counts.copy())
        yield from _of_suggestions(session.statistics.counts)
        engine: object = getattr(pipeline, "engine", None)
        if isinstance(engine, _Remote):
            yield from _of_endpoints(engine.endpoints)
        if isinstance(engine, _Decoding):
            yield from _of_decoding(engine.counters)


def _of_requests(counts: Counts) -> Iterator[Metric]:
    about = "Requests given up before the engine was asked, and while it was at work for them."
    cancelled = CounterMetricFamily(f"{_PREFIX}_cancelled_requests", about, labels=["stage"])
    cancelled.add_metric(["waiting"], counts.cancelled_waiting)
    cancelled.add_metric(["running"], counts.cancelled_running)
    yield cancelled
    yield _counter("generations_ahead", "Generations begun before anybody asked.", counts.prefetches)


def _of_suggestions(counts: SuggestionCounts) -> Iterator[Metric]:
    yield _counter("suggestions_offered", "Suggestions sent to the editor.", counts.offered)
    yield _counter("suggestions_shown", "Suggestions that were on the screen.", counts.shown)
    yield _counter("suggestions_accepted", "Suggestions accepted as a whole.", counts.accepted)


def _of_endpoints(endpoints: Sequence[EndpointState]) -> Iterator[Metric]:
    name, labels = f"{_PREFIX}_engine_endpoint", ["engine"]
    up = GaugeMetricFamily(f"{name}_up", "Whether requests are sent to an engine.", labels=labels)
    pending = GaugeMetricFamily(f"{name}_pending", "Requests that an engine works at.", labels=labels)
    requests = CounterMetricFamily(f"{name}_requests", "Requests made to an engine.", labels=labels)
    failures = CounterMetricFamily(f"{name}_failures", "Requests that an engine failed.", labels=labels)
    for engine, state in _named(endpoints):
        up.add_metric([engine], state.state == "closed")
        pending.add_metric([engine], state.pending)
        requests.add_metric([engine], state.requests)
        failures.add_metric([engine], state.failures)
    return iter((up, pending, requests, failures))


def _named(endpoints: Sequence[EndpointState]) -> Iterator[tuple[str, EndpointState]]:
    """Give each a name of its own: a host may have several, at paths that are not told."""
    seen: dict[str, int] = {}
    for state in endpoints:
        seen[state.host] = number = seen.get(state.host, 0) + 1
        yield state.host if number == 1 else f"{state.host} ({number})", state


def _of_decoding(counters: Counters) -> Iterator[Metric]:
    about = "Tokens of prompts that were read, and those that were found read already."
    prompt = CounterMetricFamily(f"{_PREFIX}_prompt_tokens", about, labels=["how"])
    prompt.add_metric(["read"], counters.prompt_tokens_read)
    prompt.add_metric(["reused"], counters.prompt_tokens_reused)
    yield prompt
    yield _counter("draft_tokens", "Tokens guessed ahead of the model.", counters.tokens_drafted)
    yield _counter("draft_tokens_accepted", "Guesses that the model agreed with.", counters.drafts_accepted)
    yield _counter("decoding_steps", "Steps of the model.", counters.steps)


def _counter(name: str, about: str, value: float) -> Metric:
    return CounterMetricFamily(f"{_PREFIX}_{name}", about, value=value)


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{_PREFIX}_{name}", about, value=value)


@contextmanager
def serving(metrics: Metrics, address: str) -> Iterator[None]:
    """Serve ``metrics`` over HTTP on a thread of its own; the address is told on stderr.

    ``address``: ``PORT`` on this machine alone, or ``HOST:PORT``; port 0 is any free one.

    Raises:
        ConfigError: there is no such address, or it cannot be had.
    """
    host, port = read_address(address)
    try:
        httpd, thread = start_http_server(port, host, metrics.registry)
    except OSError as error:
        raise ConfigError(
            f"Cannot serve metrics on {_shown(host, port)}: {error.strerror or error}.",
            remedy="Give --metrics another port; 0 takes any that is free.",
        ) from error
    sys.stderr.write(f"copilot-server: metrics on http://{_shown(host, httpd.server_port)}/metrics\n")
    sys.stderr.flush()
    try:
        yield
    finally:
        _stop(httpd, host)
        thread.join()


def read_address(text: str) -> tuple[str, int]:
    """Read ``PORT``, ``HOST:PORT`` or ``[IPv6]:PORT``.

    Raises:
        ConfigError: it is none of these.
    """
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found[3]) > 65535:
        raise ConfigError(
            f"--metrics {text[:60]!r} is no address.",
            remedy="As in 9464, 127.0.0.1:9464 or [::1]:9464; port 0 is any that is free.",
        )
    return found[1] or found[2] or LOOPBACK, int(found[3])


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _stop(httpd: WSGIServer, host: str) -> None:
    """End it now: left alone it looks every half second whether it should, and an editor waits for us."""
    ending = threading.Thread(target=httpd.shutdown)
    ending.start()
    with suppress(OSError), socket.create_connection((host, httpd.server_port), _WAKE_S):
        ending.join()
    ending.join()
    httpd.server_close()
