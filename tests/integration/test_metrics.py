"""What ``--metrics`` serves: a real server process, read as Prometheus reads it."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from copilot_server import __version__
from copilot_server.config import CompletionSettings, Settings
from copilot_server.engine.backends.remote.replica import EndpointState
from copilot_server.engine.decoding.schedule import Counters
from copilot_server.errors import ConfigError
from copilot_server.lsp.metrics import Metrics, read_address, serving
from copilot_server.lsp.server import CopilotServer
from tests.support.lsp_client import (
    GHOST_TEXT,
    PATIENCE_S,
    LspClient,
    ResponseError,
    inline_params,
    running_server,
)
from tests.support.lsp_stand_in import StandIn, open_stand_in
from tests.support.paths import REPOSITORY, TESTS

INLINE, MENU = "textDocument/inlineCompletion", "textDocument/completion"
PANEL, STATS = "textDocument/copilotPanelCompletion", "copilotServer/stats"
STAND_IN = (str(TESTS / "support" / "lsp_stand_in.py"),)
DOCUMENTATION = (REPOSITORY / "docs" / "metrics.md").read_text("utf-8")
MARK = "tellnobody"

#: A sample's name with its labels, as ("up", frozenset({("engine", "a:1")})).
Key = tuple[str, frozenset[tuple[str, str]]]


@dataclass(frozen=True)
class Scrape:
    """What was served at one moment. ``prefix``: how our own names begin."""

    text: str
    prefix: str = "copilot_server_"

    @property
    def samples(self) -> dict[Key, float]:
        found: dict[Key, float] = {}
        for family in text_string_to_metric_families(self.text):
            for sample in family.samples:
                key = (sample.name, frozenset(sample.labels.items()))
                assert key not in found
                found[key] = sample.value
        return found

    def value(self, name: str, **labels: str) -> float:
        """Return a sample's value, or 0 if there is none yet."""
        return self.samples.get((self.prefix + name, frozenset(labels.items())), 0.0)

    def values(self, name: str) -> dict[tuple[str, ...], float]:
        """Return the values of a family by those of its labels, in the order of the labels' names."""
        return {
            tuple(value for _, value in sorted(labels)): number
            for (found, labels), number in self.samples.items()
            if found == self.prefix + name
        }

    @property
    def families(self) -> dict[str, tuple[str, set[str]]]:
        """Our own metrics by name: their types, and their labels except those of histograms' buckets."""
        types = re.findall(rf"^# TYPE ({self.prefix}\w+) (\w+)$", self.text, re.MULTILINE)
        return {name: (kind, self._labels(name)) for name, kind in types if not name.endswith("_created")}

    def _labels(self, name: str) -> set[str]:
        found = [labels for sample, labels in self.samples if sample in (name, f"{name}_count")]
        return {label for labels in found for label, _ in labels}


def scrape(url: str) -> Scrape:
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        return Scrape(answer.read().decode())


async def metrics_url(client: LspClient) -> str:
    """The address, once the server has announced it."""
    async with asyncio.timeout(PATIENCE_S):
        while (announced := re.search(rb"metrics on (http://\S+)\n", client.stderr)) is None:
            await asyncio.sleep(0.01)
    return announced[1].decode()


def stand_in(*arguments: str, metrics: str = "0") -> AbstractAsyncContextManager[LspClient]:
    return running_server("--metrics", metrics, *arguments, program=STAND_IN)


@asynccontextmanager
async def session(*arguments: str, capabilities: object = GHOST_TEXT) -> AsyncIterator[tuple[LspClient, str]]:
    """A session with the server and the stand-in for the model, and the URL of its metrics."""
    async with stand_in(*arguments) as client:
        await client.initialize(capabilities)
        yield client, await metrics_url(client)
        assert await client.shut_down() == 0


@pytest.fixture
def server() -> CopilotServer:
    """A server in this process that serves no editor."""
    return CopilotServer(Settings(), {}, open_stand_in)


def metrics_of(server: CopilotServer) -> Metrics:
    metrics = Metrics(Settings())
    metrics.add(server.session)
    return metrics


# What is counted.


async def test_what_a_model_did_is_counted(tiny_model_dir: Path) -> None:
    arguments = ("--model", str(tiny_model_dir), "--max-new-tokens", "8", "--metrics", "0")
    async with running_server(*arguments) as client:
        await client.initialize()
        uri, url = client.open("import os\n\nprint(os.path"), await metrics_url(client)
        for invoked in (False, False, True):
            await client.request(INLINE, inline_params(uri, 2, 13, invoked=invoked))
        found, stats = scrape(url), await client.request(STATS)
        assert await client.shut_down() == 0
    sources = {("cache", "automatic"), ("model", "automatic"), ("model", "invoked")}
    assert found.values("requests_total") == dict.fromkeys(sources, 1.0)
    assert (stats["requests"], stats["answers"]) == (3, {"model": 2, "cache": 1})
    assert found.value("model_loaded") == 1
    read, reused = (
        found.value("prompt_tokens_total", how="read"),
        found.value("prompt_tokens_total", how="reused"),
    )
    assert read > 0
    assert reused > 0
    assert found.value("decoding_steps_total") >= 2
    assert found.value("draft_tokens_accepted_total") <= found.value("draft_tokens_total")


async def test_durations_of_requests_are_recorded_by_their_outcome() -> None:
    async with session() as (client, url):
        uri = client.open("x = ")
        for _ in range(3):
            await client.request(INLINE, inline_params(uri, 0, 4))
        found = scrape(url)
    assert found.value("request_duration_seconds_count", source="model") == 3
    assert found.value("request_duration_seconds_sum", source="model") > 0
    bounds = [float(bound) for bound, _ in found.values("request_duration_seconds_bucket")]
    assert (min(bounds), sorted(bounds)[-2]) == (0.001, 60)
    assert found.value("request_duration_seconds_bucket", source="model", le="+Inf") == 3


async def test_requests_are_counted_by_what_became_of_them() -> None:
    async with session() as (client, url):
        uri = client.open("slow\nboom\nx = \nf(x)")
        running = client.begin(INLINE, inline_params(uri, 0, 4))
        waiting = client.begin(INLINE, inline_params(client.open("a = ", "file:///b.py"), 0, 4))
        while (await client.request(STATS))["requests"] < 2:
            await asyncio.sleep(0.01)
        for msg_id in (waiting, running):
            client.notify("$/cancelRequest", {"id": msg_id})
            assert (await client.answer(msg_id))["error"]["code"] == -32800
        with pytest.raises(ResponseError):
            await client.request(INLINE, inline_params(uri, 1, 4))
        await client.request(INLINE, inline_params(uri, 2, 4))
        await client.request(INLINE, inline_params(uri, 3, 1))  # nothing is suggested in the middle of code
        found, stats = scrape(url), await client.request(STATS)
    by_source = {"cancelled": 2.0, "failed": 1.0, "model": 1.0, "none": 1.0}
    assert found.values("requests_total") == {(source, "automatic"): n for source, n in by_source.items()}
    stages = found.values("cancelled_requests_total")
    assert sum(stages.values()) == 2
    assert stages == {("waiting",): stats["cancelledWaiting"], ("running",): stats["cancelledRunning"]}
    assert stages["waiting",] >= 1
    assert (stats["requests"], stats["failed"], stats["answers"]) == (4, 1, {"model": 1})


async def test_panels_and_menus_are_distinguished_from_typing() -> None:
    async with session(capabilities={}) as (client, url):
        params = inline_params(client.open("x = "), 0, 4)
        del params["context"]
        await client.request(MENU, params)
        await client.request(PANEL, params)
        found = scrape(url)
    assert found.values("requests_total") == {("model", "menu"): 1, ("model", "panel"): 2}


async def test_outcomes_of_suggestions_are_counted() -> None:
    async with session() as (client, url):
        for name in ("a", "b"):
            uri = client.open("x = ", f"file:///{name}.py")
            (item,) = (await client.request(INLINE, inline_params(uri, 0, 4)))["items"]
        await client.request("workspace/executeCommand", item["command"])
        found = scrape(url)
    counts = [found.value(f"suggestions_{what}_total") for what in ("offered", "shown", "accepted")]
    assert counts == [2, 1, 1]


async def test_the_build_and_the_process_have_metrics() -> None:
    async with session("--model", "team/model") as (client, url):
        client.open("x = ")
        found = scrape(url)
    assert found.value("build_info", version=__version__, model="team/model") == 1
    for name in ("process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"):
        assert Scrape(found.text, prefix="").value(name) > 0


async def test_model_loaded_is_0_until_a_model_is_loaded() -> None:
    async with session("--model", "missing") as (client, url):
        await client.notification("window/showMessage")
        assert scrape(url).value("model_loaded") == 0
    async with session() as (client, url):
        await client.request(INLINE, inline_params(client.open("x = "), 0, 4))
        assert scrape(url).value("model_loaded") == 1


async def test_no_source_and_no_file_name_is_served(tmp_path: Path) -> None:
    model = str(tmp_path / f"{MARK}.gguf")
    async with session("--model", model) as (client, url):
        uri = client.open(f"{MARK} = ", f"file:///{MARK}/{MARK}.py", language="python")
        await client.request(INLINE, inline_params(uri, 0, len(MARK) + 3))
        found = scrape(url)
    assert found.values("requests_total") == {("model", "automatic"): 1}
    assert MARK not in found.text
    async with session("--model", MARK) as (_, url):  # a model's own name is served
        assert MARK in scrape(url).text


# Where it is served.


def listening(client: LspClient) -> set[str]:
    """The addresses on which a server's process listens."""
    connections = psutil.Process(client.process.pid).net_connections("tcp")
    return {one.laddr.ip for one in connections if one.status == psutil.CONN_LISTEN}


@pytest.mark.parametrize(
    ("address", "host"),
    [("0", "127.0.0.1"), ("[::1]:0", "::1"), ("localhost:0", "127.0.0.1"), ("0.0.0.0:0", "0.0.0.0")],
)
async def test_only_a_named_host_is_reachable_beyond_this_machine(address: str, host: str) -> None:
    async with stand_in(metrics=address) as client:
        await client.initialize()
        url = await metrics_url(client)
        assert listening(client) == {host}
        assert scrape(url).value("build_info", version=__version__, model="qwen2.5-coder-0.5b") == 1
        assert await client.shut_down() == 0


def asked_as(url: str, *hosts: str) -> int:
    """The status of an answer to a request that names these hosts."""
    parts = urlsplit(url)
    with closing(HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_S)) as connection:
        connection.putrequest("GET", "/metrics", skip_host=True)
        for host in hosts:
            connection.putheader("Host", host)
        connection.endheaders()
        return connection.getresponse().status


@pytest.mark.parametrize("address", ["0", "localhost:0", "[::1]:0"])
def test_a_page_whose_name_is_said_to_mean_this_machine_reads_nothing(
    server: CopilotServer, capsys: pytest.CaptureFixture[str], address: str
) -> None:
    with serving(metrics_of(server), address):
        url = capsys.readouterr().err.split()[-1]
        for host in (
            "evil.example",
            "evil.example:80",
            "127.0.0.1.evil.example",
            "",
            "localhost.evil.example",
        ):
            assert asked_as(url, host) == 403, host
        port = urlsplit(url).port
        for host in ("localhost", f"LOCALHOST:{port}", f"127.0.0.1:{port}", "[::1]", f"[::1]:{port}"):
            assert asked_as(url, host) == 200, host
        assert asked_as(url) == 200


def test_who_opens_the_metrics_to_a_network_may_call_the_machine_as_it_is_called_there(
    server: CopilotServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(metrics_of(server), "0.0.0.0:0"):
        url = capsys.readouterr().err.split()[-1].replace("0.0.0.0", "127.0.0.1")
        assert asked_as(url, "desk.example:9464") == 200


def test_a_port_in_use_is_reported_before_an_editor_is_served() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "copilot_server", "--metrics", str(port)]
        found = subprocess.run(command, input=b"", capture_output=True, check=False, timeout=PATIENCE_S)
    assert found.returncode == 2
    assert found.stdout == b""
    assert found.stderr.startswith(b"error: Cannot serve metrics on 127.0.0.1:%d: " % port)
    assert b"--metrics" in found.stderr.splitlines()[1]


async def test_it_ends_with_the_server() -> None:
    async with session() as (_, url):
        assert scrape(url).text
    with pytest.raises(OSError, match="refused"):
        scrape(url)


def test_it_ends_by_itself_too(server: CopilotServer, capsys: pytest.CaptureFixture[str]) -> None:
    before = set(threading.enumerate())
    with serving(metrics_of(server), "0"):
        url = capsys.readouterr().err.split()[-1]
        assert scrape(url).value("model_loaded") == 0
        assert set(threading.enumerate()) - before
    assert set(threading.enumerate()) <= before
    with pytest.raises(OSError, match="refused"):
        scrape(url)


def test_two_servers_of_one_process_count_apart(server: CopilotServer) -> None:
    other = CopilotServer(Settings(), {}, open_stand_in)
    metrics, others = metrics_of(server), metrics_of(other)
    server.session.on_outcome("automatic", "model", 0.1)
    labels = {"source": "model", "trigger": "automatic"}
    assert metrics.registry.get_sample_value("copilot_server_requests_total", labels) == 1
    assert others.registry.get_sample_value("copilot_server_requests_total", labels) is None


# The flag.


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("9464", ("127.0.0.1", 9464)),
        ("0", ("127.0.0.1", 0)),
        ("localhost:65535", ("localhost", 65535)),
        ("10.0.0.5:1", ("10.0.0.5", 1)),
        ("[::1]:9464", ("::1", 9464)),
    ],
)
def test_an_address_is_a_port_with_or_without_a_host(text: str, address: tuple[str, int]) -> None:
    assert read_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "x", ":9464", "65536", "-1", "::1:9464", "a:b:1", "host:", "1 ", "٣", "[]:1"]
)
def test_an_invalid_address_is_reported(text: str) -> None:
    with pytest.raises(ConfigError, match="is not an address") as caught:
        read_address(text)
    assert "9464" in caught.value.remedy


def test_a_self_test_serves_no_metrics() -> None:
    command = [sys.executable, "-m", "copilot_server", "--selftest", "humaneval", "--metrics", "0"]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert (found.returncode, found.stdout) == (2, "")
    assert "--metrics is not for --selftest" in found.stderr


def test_without_metrics_the_library_is_not_imported() -> None:
    program = "import sys, copilot_server.lsp.server; print('prometheus_client' in sys.modules)"
    for module, loaded in (("copilot_server.lsp.server", "False"), ("copilot_server.lsp.metrics", "True")):
        text = program.replace("copilot_server.lsp.server", module)
        found = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
        assert found.stdout == f"{loaded}\n"


# Engines, and what the documentation says.


class Engines:
    """An engine's own counters: the state of remote endpoints, and what was decoded here."""

    def __init__(self, *endpoints: EndpointState) -> None:
        self.endpoints = endpoints
        self.counters = Counters()


class Pipeline(StandIn):
    def __init__(self, engine: Engines) -> None:
        super().__init__(CompletionSettings())
        self.engine = engine


@pytest.fixture
async def metrics(server: CopilotServer) -> AsyncIterator[Metrics]:
    yield metrics_of(server)
    assert server.session.scheduler.close(PATIENCE_S)


def read(metrics: Metrics) -> Scrape:
    return Scrape(generate_latest(metrics.registry).decode())


async def test_each_remote_engine_has_its_metrics(server: CopilotServer, metrics: Metrics) -> None:
    engine = Engines(
        EndpointState("a:1", "closed", pending=2, requests=10, failures=1, problem=""),
        EndpointState("b", "open", pending=0, requests=3, failures=3, problem="cannot be reached"),
        EndpointState("b", "half-open", pending=1, requests=4, failures=0, problem="is not well"),
    )
    await server.session.scheduler.load(lambda: Pipeline(engine))
    found = read(metrics)
    assert found.values("engine_endpoint_up") == {("a:1",): 1, ("b",): 0, ("b (2)",): 0}
    assert found.values("engine_endpoint_pending") == {("a:1",): 2, ("b",): 0, ("b (2)",): 1}
    assert found.values("engine_endpoint_requests_total") == {("a:1",): 10, ("b",): 3, ("b (2)",): 4}
    assert found.values("engine_endpoint_failures_total") == {("a:1",): 1, ("b",): 3, ("b (2)",): 0}


@pytest.mark.model
async def test_a_real_remote_engine_has_its_metrics(engine_url: str) -> None:
    async with running_server("--engine", engine_url, "--metrics", "0") as client:
        await client.initialize()
        await client.request(INLINE, inline_params(client.open("import os\n\nprint(os.pa"), 2, 11))
        found = scrape(await metrics_url(client))
        assert await client.shut_down() == 0
    host = (urlsplit(engine_url).netloc,)
    assert found.values("engine_endpoint_up") == {host: 1}
    assert found.values("engine_endpoint_failures_total") == {host: 0}
    assert found.values("engine_endpoint_requests_total")[host] >= 1
    assert found.value("build_info", version=__version__, model="qwen2.5-coder-0.5b") == 1


async def test_what_is_documented_is_what_is_served(server: CopilotServer, metrics: Metrics) -> None:
    engine = Engines(EndpointState("a:1", "closed", pending=0, requests=0, failures=0, problem=""))
    await server.session.scheduler.load(lambda: Pipeline(engine))
    server.session.on_outcome("automatic", "model", 0.1)
    row = re.compile(r"^\| `(copilot_server_\w+)` \| (\w+) \|([^|]*)\|", re.MULTILINE)
    documented = {
        name: (kind, set(re.findall(r"\w+", labels))) for name, kind, labels in row.findall(DOCUMENTATION)
    }
    assert documented == read(metrics).families
