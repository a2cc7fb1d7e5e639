"""What ``--metrics`` serves to Prometheus: numbers, and nothing of the text that is edited.

Names and units follow https://prometheus.io/docs/practices/naming/; docs/metrics.md says what each means.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
import socket
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from operator import add
from typing import TYPE_CHECKING, Protocol, runtime_checkable
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    make_wsgi_app,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.registry import Collector

from copilot_server import __version__
from copilot_server.config import Settings
from copilot_server.errors import ConfigError
from copilot_server.listening.address import LOCAL_NAMES, format_address
from copilot_server.lsp.session import Outcome, RequestKind, Session
from copilot_server.statistics.names import KEY_BYTES, hashed_name, is_hub_name, read_key
from copilot_server.statistics.schema import database_path
from copilot_server.statistics.types import MAX_NAME

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from copilot_server.engine.backends.remote.replica import EndpointState
    from copilot_server.engine.decoding.schedule import Counters

LOOPBACK = "127.0.0.1"
_PREFIX = "copilot_server"

#: Upper bounds in seconds: from an answer out of the cache to a model that is fetched first.
_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

_ADDRESS = re.compile(r"(?:(?:\[([^][]+)\]|([^][:]+)):)?(\d{1,5})", re.ASCII)
#: How long connecting to this process may take, in seconds.
_WAKE_S = 0.5


@runtime_checkable
class _Remote(Protocol):
    """A remote engine."""

    @property
    def endpoints(self) -> Sequence[EndpointState]: ...


@runtime_checkable
class _Decoding(Protocol):
    """An engine that decodes in this process."""

    @property
    def counters(self) -> Counters: ...


class Metrics:
    """The numbers of one process, over all its sessions. They may be read on any thread."""

    def __init__(self, settings: Settings) -> None:
        """``settings``: those of the process, which name its model while there is no session."""
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._snapshot = _Snapshot(settings)
        self.registry.register(self._snapshot)
        self._requests = Counter(
            f"{_PREFIX}_requests",
            "Requests for suggestions, by their outcome and by what made the editor send them.",
            ("source", "trigger"),
            registry=self.registry,
        )
        self._durations = Histogram(
            f"{_PREFIX}_request_duration_seconds",
            "The time from the arrival of a request to its answer.",
            ("source",),
            registry=self.registry,
            buckets=_BUCKETS_S,
        )

    def add(self, session: Session) -> None:
        """Count what a new session does."""
        self._snapshot.add(session)
        session.on_outcome = self._count

    def remove(self, session: Session) -> None:
        """Keep the counts of a session that has ended, and let go of it."""
        self._snapshot.remove(session)

    def _count(self, kind: RequestKind, outcome: Outcome, duration_s: float) -> None:
        self._requests.labels(outcome, kind).inc()
        self._durations.labels(outcome).observe(duration_s)


@dataclass(frozen=True, slots=True)
class _Totals:
    """What is counted for each session, and summed over them."""

    cancelled_waiting: int = 0
    cancelled_running: int = 0
    prefetches: int = 0
    offered: int = 0
    shown: int = 0
    accepted: int = 0

    @staticmethod
    def of(session: Session) -> _Totals:
        """Read the counts of a session as they are now."""
        counts, suggestions = session.scheduler.counts, session.statistics.counts
        return _Totals(
            counts.cancelled_waiting,
            counts.cancelled_running,
            counts.prefetches,
            suggestions.offered,
            suggestions.shown,
            suggestions.accepted,
        )

    def __add__(self, other: _Totals) -> _Totals:
        return _Totals(*map(add, astuple(self), astuple(other)))


class _Snapshot(Collector):
    """What the sessions count anyway, read when Prometheus asks."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._sessions: list[Session] = []
        self._ended = _Totals()
        #: Without statistics, the hash of a path is another one in each process.
        self._key = secrets.token_bytes(KEY_BYTES)

    def add(self, session: Session) -> None:
        with self._lock:
            self._sessions.append(session)

    def remove(self, session: Session) -> None:
        with self._lock:
            self._sessions.remove(session)
            self._ended += _Totals.of(session)

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            sessions = tuple(self._sessions)
            totals = sum(map(_Totals.of, sessions), self._ended)
        pipelines = [one.scheduler.pipeline for one in sessions if one.scheduler.pipeline is not None]
        yield self._build(sessions)
        yield _gauge("model_loaded", "Whether there is a model that can answer.", bool(pipelines))
        yield from _of_requests(totals)
        yield from _of_suggestions(totals)
        engines: list[object] = _distinct([getattr(one, "engine", None) for one in pipelines])
        remote = [one for one in engines if isinstance(one, _Remote)]
        decoding = [one.counters for one in engines if isinstance(one, _Decoding)]
        if remote:
            yield from _of_endpoints([state for one in remote for state in one.endpoints])
        if decoding:
            yield from _of_decoding(decoding)

    def _build(self, sessions: Sequence[Session]) -> Metric:
        about = "The version and the model that is served. A model given as a path is named by a hash of it."
        found = {_model(one.scheduler.pipeline, one.settings.current) for one in sessions}
        family = InfoMetricFamily(f"{_PREFIX}_build", about, labels=("model",))
        for model in sorted(found or {self._settings.model}):
            family.add_metric([self._shown(model)], {"version": __version__})
        return family

    def _shown(self, model: str) -> str:
        """A model's name; a hash of a path, by the key of the statistics if there is one."""
        if is_hub_name(model):
            return model[:MAX_NAME]
        try:
            key = read_key(database_path())
        except OSError:
            key = None
        return hashed_name(model, key or self._key)


def _model(pipeline: object, settings: Settings) -> str:
    model: str = getattr(pipeline, "model_id", settings.model)
    return model


def _distinct(objects: Iterable[object]) -> list[object]:
    """Leave out what occurs again: sessions share engines."""
    return list({id(one): one for one in objects}.values())


def _of_requests(totals: _Totals) -> Iterator[Metric]:
    about = "Requests cancelled before the engine began with them, and while it was running for them."
    cancelled = CounterMetricFamily(f"{_PREFIX}_cancelled_requests", about, labels=["stage"])
    cancelled.add_metric(["waiting"], totals.cancelled_waiting)
    cancelled.add_metric(["running"], totals.cancelled_running)
    yield cancelled
    yield _counter("generations_ahead", "Generations begun before they were requested.", totals.prefetches)


def _of_suggestions(totals: _Totals) -> Iterator[Metric]:
    yield _counter("suggestions_offered", "Suggestions sent to the editor.", totals.offered)
    yield _counter("suggestions_shown", "Suggestions that were on the screen.", totals.shown)
    yield _counter("suggestions_accepted", "Suggestions accepted as a whole.", totals.accepted)


def _of_endpoints(endpoints: Sequence[EndpointState]) -> Iterator[Metric]:
    name, labels = f"{_PREFIX}_engine_endpoint", ["engine"]
    up = GaugeMetricFamily(f"{name}_up", "Whether an engine gets requests.", labels=labels)
    pending = GaugeMetricFamily(f"{name}_pending", "Requests that an engine is working on.", labels=labels)
    requests = CounterMetricFamily(f"{name}_requests", "Requests made to an engine.", labels=labels)
    failures = CounterMetricFamily(f"{name}_failures", "Requests that an engine failed.", labels=labels)
    for engine, state in _named(endpoints):
        up.add_metric([engine], state.state == "closed")
        pending.add_metric([engine], state.pending)
        requests.add_metric([engine], state.requests)
        failures.add_metric([engine], state.failures)
    return iter((up, pending, requests, failures))


def _named(endpoints: Sequence[EndpointState]) -> Iterator[tuple[str, EndpointState]]:
    """Name each endpoint by its host, with a number where a host has several: paths may be secret."""
    seen: dict[str, int] = {}
    for state in endpoints:
        seen[state.host] = number = seen.get(state.host, 0) + 1
        yield state.host if number == 1 else f"{state.host} ({number})", state


def _of_decoding(counters: Sequence[Counters]) -> Iterator[Metric]:
    about = "Tokens of prompts that were read for a request, read before one, and reused from others."
    prompt = CounterMetricFamily(f"{_PREFIX}_prompt_tokens", about, labels=["how"])
    prompt.add_metric(["read"], sum(one.prompt_tokens_read for one in counters))
    prompt.add_metric(["ahead"], sum(one.prompt_tokens_read_ahead for one in counters))
    prompt.add_metric(["reused"], sum(one.prompt_tokens_reused for one in counters))
    yield prompt
    drafted = sum(one.tokens_drafted for one in counters)
    yield _counter("draft_tokens", "Tokens drafted for the model to check.", drafted)
    accepted = sum(one.drafts_accepted for one in counters)
    yield _counter("draft_tokens_accepted", "Drafted tokens that the model accepted.", accepted)
    yield _counter("decoding_steps", "Steps of the model.", sum(one.steps for one in counters))


def _counter(name: str, about: str, value: float) -> Metric:
    return CounterMetricFamily(f"{_PREFIX}_{name}", about, value=value)


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{_PREFIX}_{name}", about, value=value)


@contextmanager
def serving(metrics: Metrics, address: str) -> Iterator[None]:
    """Serve ``metrics`` over HTTP on a thread of its own; stderr says at which URL.

    ``address``: ``PORT`` for this machine alone, or ``HOST:PORT``; port 0 takes any free one.

    Raises:
        ConfigError: the address is invalid, or cannot be listened on.
    """
    host, port = read_address(address)
    try:
        httpd = _listening(host, port, metrics)
    except OSError as error:
        raise ConfigError(
            f"Cannot serve metrics on {format_address(host, port)}: {error.strerror or error}.",
            remedy="Give --metrics another port; 0 takes any that is free.",
        ) from error
    sys.stderr.write(f"copilot-server: metrics on http://{format_address(host, httpd.server_port)}/metrics\n")
    sys.stderr.flush()
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        _stop(httpd, host)
        thread.join()


def _listening(host: str, port: int, metrics: Metrics) -> WSGIServer:
    """Return a server that listens, and answers once its thread runs.

    Raises:
        OSError: the address cannot be listened on.
    """
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    server = type("_Server", (ThreadingWSGIServer,), {"address_family": family})
    app = make_wsgi_app(metrics.registry)
    if ipaddress.ip_address(address[0]).is_loopback:
        app = _only_for_local_names(app, host)
    return make_server(str(address[0]), port, app, server, _Silent)


class _Silent(WSGIRequestHandler):
    """Logs no requests."""

    def log_message(self, *_arguments: object) -> None:
        """See ``BaseHTTPRequestHandler.log_message``."""


def _only_for_local_names(app: WSGIApplication, host: str) -> WSGIApplication:
    """Refuse requests for another name than this machine's own.

    A web page whose name is suddenly said to mean 127.0.0.1 ("DNS rebinding") may read what its name serves,
    but its browser sends that name as ``Host``.
    """
    names = {*LOCAL_NAMES, host.lower(), f"[{host.lower()}]"}

    def guarded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        asked = environ.get("HTTP_HOST")  # programs that speak HTTP/1.0 need not send it; browsers do
        if asked is None or re.sub(r":\d*\Z", "", asked.strip().lower()) in names:
            return app(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"These metrics are served for this machine's own names only.\n"]

    return guarded


def read_address(text: str) -> tuple[str, int]:
    """Read ``PORT``, ``HOST:PORT`` or ``[IPv6]:PORT``.

    Raises:
        ConfigError: ``text`` is none of these.
    """
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found[3]) > 65535:
        raise ConfigError(
            f"--metrics {text[:60]!r} is not an address.",
            remedy="As in 9464, 127.0.0.1:9464 or [::1]:9464; port 0 is any that is free.",
        )
    return found[1] or found[2] or LOOPBACK, int(found[3])


def _stop(httpd: WSGIServer, host: str) -> None:
    """End the HTTP server now. By itself it checks only every half second, and the editor waits for it."""
    ending = threading.Thread(target=httpd.shutdown)
    ending.start()
    with suppress(OSError), socket.create_connection((host, httpd.server_port), _WAKE_S):
        ending.join()
    ending.join()
    httpd.server_close()
