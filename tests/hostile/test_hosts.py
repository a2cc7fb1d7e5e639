"""Hostile clients of an engine host: whatever one sends, the host stays, and serves the next one.

All of them speak to one process that holds a tiny model.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from copilot_server.host.body import MOST_BYTES
from copilot_server.host.connections import MOST_CONNECTIONS
from tests.support.hosts import PATIENCE_S, Host, running_host
from tests.support.plain_user import plain_user

ASK = {"prompt": "x = ", "max_tokens": 4}
#: How much more memory a client may cost, in bytes; each attempt to fill it sends more.
MOST_MEMORY = 128 << 20


@pytest.fixture(scope="module")
def host(tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with running_host([str(tiny_model_dir)], tmp_path_factory.mktemp("host")) as host:
        yield host
        assert host.post("/v1/completions", ASK)["choices"], "it still serves"
        assert host.process.poll() is None


def asked(host: Host, headers: dict[str, str]) -> int:
    """Ask with these headers instead of the right ones; return the status."""
    with httpx.Client(base_url=host.url, timeout=PATIENCE_S) as client:
        return client.post("/v1/completions", json=ASK, headers=headers).status_code


def connected(host: Host) -> socket.socket:
    address = urlsplit(host.url)
    connection = socket.create_connection((address.hostname, address.port))
    connection.settimeout(PATIENCE_S)
    return connection


def answer(host: Host, sent: bytes) -> bytes:
    """Send bytes on a connection of their own; return all that comes until it is closed."""
    with connected(host) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))
    return b""


# Who has no token.

WRONG_TOKENS = {
    "none": {},
    "an empty one": {"Authorization": "Bearer"},
    "another one": {"Authorization": "Bearer " + "x" * 32},
    "the right one in another scheme": {"Authorization": "Basic {token}"},
    "one that ends early": {"Authorization": "Bearer {short}"},
    "two": {"Authorization": "Bearer x {token}"},
    "one in the URL's place": {"X-Api-Key": "{token}"},
}


@pytest.mark.parametrize("attempt", WRONG_TOKENS)
def test_hostile_token_is_not_served(host: Host, attempt: str) -> None:
    names = {"token": host.token, "short": host.token[:-1]}
    headers = {key: value.format(**names) for key, value in WRONG_TOKENS[attempt].items()}
    assert asked(host, headers) == 401


@pytest.mark.parametrize("path", ["/v1/models", "/props", "/slots", "/metrics", "/tokenize", "/infill", "/x"])
def test_hostile_request_without_token_learns_nothing(host: Host, path: str) -> None:
    with httpx.Client(base_url=host.url) as client:
        assert client.get(path).status_code == 401


def test_benign_token_is_served(host: Host) -> None:
    assert asked(host, {"Authorization": f"Bearer {host.token}"}) == 200


# Web pages.

PAGES = {
    "another site": {"Origin": "https://evil.example"},
    "a sandboxed frame": {"Origin": "null"},
    "a page of this machine": {"Origin": "http://127.0.0.1:3000"},
    "a name that was bound to this machine": {"Host": "evil.example"},
    "the same with the port": {"Host": "evil.example:{port}"},
    "a name that begins like ours": {"Host": "localhost.evil.example"},
    "a name that ends like ours": {"Host": "evil.localhost.example:80"},
    "an address in another form": {"Host": "2130706433"},
}


@pytest.mark.parametrize("attempt", PAGES)
def test_hostile_page_is_not_served_even_with_the_token(host: Host, attempt: str) -> None:
    port = str(urlsplit(host.url).port)
    headers = {key: value.format(port=port) for key, value in PAGES[attempt].items()}
    assert asked(host, headers | {"Authorization": f"Bearer {host.token}"}) == 403


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST:1"])
def test_benign_names_of_this_machine_are_served(host: Host, name: str) -> None:
    assert asked(host, {"Host": name, "Authorization": f"Bearer {host.token}"}) == 200


# Bodies.


def test_hostile_huge_body_is_refused_and_takes_no_memory(host: Host) -> None:
    before = psutil.Process(host.process.pid).memory_info().rss
    with httpx.Client(base_url=host.url, timeout=PATIENCE_S) as client, contextlib.suppress(httpx.HTTPError):
        reply = client.post(
            "/v1/completions",
            content=(b" " * (1 << 20) for _ in range(300)),
            headers={"Authorization": f"Bearer {host.token}"},
        )
        assert reply.status_code == 413
    assert psutil.Process(host.process.pid).memory_info().rss - before < MOST_MEMORY


def test_benign_large_body_is_read(host: Host) -> None:
    body = json.dumps(ASK | {"unknown": "x" * (MOST_BYTES - 1000)})
    assert host.client.post("/v1/completions", content=body).status_code == 200


def test_hostile_slow_body_ends_with_the_connection(host: Host) -> None:
    head = f"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {host.token}\r\n"
    with connected(host) as connection:
        connection.sendall(head.encode() + b"Content-Length: 1000\r\n\r\n{")
        assert b"408" in connection.recv(65536)


def test_hostile_slow_head_ends_with_the_connection(host: Host) -> None:
    with connected(host) as connection:
        connection.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(65536) == b""


GREETINGS = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00",
    "an endless head": b"GET / HTTP/1.1\r\nX: " + b"x" * 1_000_000,
    "zeros": b"\0" * 600,
    "two lengths": b"POST /infill HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    "a length and chunks": b"POST /infill HTTP/1.1\r\nHost: evil\r\nContent-Length: 1\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no host": b"GET /v1/models HTTP/1.1\r\n\r\n",
    "a path outside": b"GET /../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "an upgrade": b"GET / HTTP/1.1\r\nHost: evil\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
}


@pytest.mark.parametrize("sent", GREETINGS.values(), ids=GREETINGS)
def test_hostile_greeting_gets_no_success(host: Host, sent: bytes) -> None:
    reply = answer(host, sent)
    assert b" 200 " not in reply.partition(b"\r\n")[0]


def test_hostile_crowd_of_connections_keeps_no_one_out_for_ever(host: Host) -> None:
    """Ten thousand connections, as many at a time as this process may open, most of which say nothing."""
    opened = 0
    for _ in range(20):
        with contextlib.ExitStack() as stack:
            for _ in range(500):
                with contextlib.suppress(OSError):
                    stack.enter_context(connected(host))
                    opened += 1
    assert opened > MOST_CONNECTIONS
    assert asked_again(host) == 200


def asked_again(host: Host) -> int:
    """Ask until the host lets one in: it still closes the connections of the crowd."""
    while True:
        with contextlib.suppress(httpx.TransportError):
            return asked(host, {"Authorization": f"Bearer {host.token}"})


def test_hostile_fuzzed_bodies_never_fail_the_host(host: Host) -> None:
    draw = random.Random(19)
    statuses = set()
    for _ in range(400):
        path = draw.choice(["/v1/completions", "/completion", "/infill", "/tokenize"])
        reply = host.client.post(path, content=fuzzed(draw))
        statuses.add(reply.status_code)
        assert reply.status_code in (200, 400, 404), (reply.status_code, reply.text)
    assert {200, 400} <= statuses


FIELDS = (
    *(
        "prompt",
        "suffix",
        "stop",
        "n",
        "max_tokens",
        "temperature",
        "top_p",
        "seed",
        "logprobs",
        "echo",
        "stream",
    ),
    *(
        "input_prefix",
        "input_suffix",
        "input_extra",
        "n_predict",
        "content",
        "copilot_server",
        "model",
        "top_k",
    ),
)


def fuzzed(draw: random.Random) -> bytes:
    """Return a body with fields that exist and values of every kind; sometimes damaged."""
    fields = {name: value(draw, 2) for name in draw.sample(FIELDS, draw.randrange(6))}
    data = bytearray(json.dumps({"max_tokens": 2, "n_predict": 2, **fields}).encode())
    if draw.random() < 0.2:
        data[draw.randrange(len(data))] = draw.randrange(256)
    return bytes(data)


def value(draw: random.Random, depth: int) -> object:
    simple = [None, True, -1, 0, 1, 2**70, 1e308, float("nan"), "", "x = ", "\ud800", "\0", "<|fim_middle|>"]
    if depth == 0 or draw.random() < 0.7:
        return draw.choice([*simple, "".join(draw.choices(string.printable, k=20))])
    inner = [value(draw, depth - 1) for _ in range(draw.randrange(4))]
    return inner if draw.random() < 0.5 else {draw.choice(FIELDS): one for one in inner}


# Other users.

CONNECT = """
import socket
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect({path!r})
    connection.sendall(b"GET /v1/models HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
    print(connection.recv(4096).partition(b"\\r\\n")[0].decode())
"""


def test_hostile_user_cannot_connect_to_the_socket(
    tiny_model_dir: Path, record_property: pytest.RecordProperty
) -> None:
    """Another user is refused by the socket's mode; its owner, the twin, is served without a token."""
    with plain_user() as other:
        path = other.folder / "host.sock"
        code = CONNECT.format(path=str(path))
        with running_host([str(tiny_model_dir)], other.folder, "--socket", str(path)):
            own = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
            assert own.stdout.strip() == "HTTP/1.1 200 OK"
            assert path.stat().st_mode & 0o077 == 0
            if other.uid != os.geteuid():
                refused = other.run(code)
                record_property("met", refused.stderr.strip().rpartition("\n")[2])
                assert "Permission denied" in refused.stderr
        assert not path.exists()
