"""Which engine gets the API key: real connections to real servers, which refuse whatever they are asked."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import trustme

from copilot_server.config import RemoteSettings, Settings
from copilot_server.engine.backends.remote.api_key import VARIABLE
from copilot_server.engine.backends.remote.connecting import connect
from copilot_server.errors import ConfigError, CopilotServerError, EngineUnavailableError

KEY = "sk-very-secret"


@dataclass
class Asked:
    """A server, and the authorizations that it was sent."""

    port: int
    authorizations: list[str | None] = field(default_factory=list)


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[Asked]:
    class Engine(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.authorizations.append(self.headers.get("Authorization"))
            self.send_response(401)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Engine)
    asked = Asked(server.server_port)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def plain() -> Iterator[Asked]:
    with serving() as asked:
        yield asked


@pytest.fixture
def encrypted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Asked, Asked]]:
    """Two engines, whose certificates are good for 127.0.0.1 and for localhost."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    with serving(context) as first, serving(context) as second:
        yield first, second


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, KEY)


def ask(*urls: str, remote: RemoteSettings | None = None) -> CopilotServerError:
    """Connect, which fails in any case."""
    with pytest.raises((ConfigError, EngineUnavailableError)) as raised:
        connect(Settings(engine=urls, remote=remote or RemoteSettings()))
    return raised.value


def keys_of(asked: Asked) -> set[str | None]:
    return set(asked.authorizations)


def test_no_key_is_sent_unencrypted_unless_the_user_says_so(plain: Asked) -> None:
    error = ask(f"http://127.0.0.1:{plain.port}")
    assert keys_of(plain) == {None}
    assert "remote.api_key_over_http" in str(error)
    ask(f"http://127.0.0.1:{plain.port}", remote=RemoteSettings(api_key_over_http=True))
    assert keys_of(plain) == {None, f"Bearer {KEY}"}


def test_the_only_host_that_is_encrypted_gets_the_key(plain: Asked, encrypted: tuple[Asked, Asked]) -> None:
    first, second = encrypted
    urls = (f"https://127.0.0.1:{first.port}", f"https://127.0.0.1:{second.port}")
    ask(*urls, f"http://127.0.0.1:{plain.port}")
    assert [keys_of(one) for one in (first, second, plain)] == [{f"Bearer {KEY}"}, {f"Bearer {KEY}"}, {None}]


def test_of_several_hosts_only_those_that_are_named_get_the_key(encrypted: tuple[Asked, Asked]) -> None:
    first, second = encrypted
    urls = (f"https://127.0.0.1:{first.port}", f"https://localhost:{second.port}")
    assert "remote.api_key_hosts" in str(ask(*urls))
    assert (first.authorizations, second.authorizations) == ([], [])  # nobody is asked anything
    ask(*urls, remote=RemoteSettings(api_key_hosts=("LOCALHOST",)))
    assert (keys_of(first), keys_of(second)) == ({None}, {f"Bearer {KEY}"})
    ask(*urls, remote=RemoteSettings(api_key_hosts=(f"127.0.0.1:{first.port}", "localhost:1")))
    assert keys_of(first) == {None, f"Bearer {KEY}"}
    ask(*urls, remote=RemoteSettings(api_key_hosts=("127.0.0.1", "localhost")))
    assert second.authorizations[-1] == f"Bearer {KEY}"


def test_a_host_that_is_named_and_unencrypted_is_an_error_that_says_so(plain: Asked) -> None:
    remote = RemoteSettings(api_key_hosts=("127.0.0.1",))
    assert "remote.api_key_over_http" in str(ask(f"http://127.0.0.1:{plain.port}", remote=remote))
    assert plain.authorizations == []


def test_without_a_key_no_host_has_to_be_named(
    encrypted: tuple[Asked, Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE)
    first, second = encrypted
    ask(f"https://127.0.0.1:{first.port}", f"https://localhost:{second.port}")
    assert (keys_of(first), keys_of(second)) == ({None}, {None})
