"""A server that listens on a port: who is let in, and what a page in a browser can do to it.

Who has no token or a wrong one, and whoever sends nonsense: see ``tests/hostile/test_clients.py``.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.support.chromium import Tab, open_browser
from tests.support.lsp_client import (
    Listening,
    LspClient,
    StreamWire,
    read_listening,
    running_server,
)
from tests.support.paths import TESTS
from tests.support.raw_lsp import answer_to, framed, initialize

STAND_IN = (str(TESTS / "support" / "lsp_stand_in.py"),)
EVIL = {"engine": "http://127.0.0.1:9", "remote": {"apiKeyFile": "/etc/hostname"}, "model": "/tmp/model"}


@asynccontextmanager
async def listening(
    *flags: str, program: tuple[str, ...] = STAND_IN, has_token: bool = True
) -> AsyncIterator[tuple[Listening, asyncio.subprocess.Process]]:
    """A server of its own, and where it listens."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *program, *flags, "--port", "0", stderr=asyncio.subprocess.PIPE
    )
    try:
        yield await read_listening(process, has_token=has_token), process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


# What a browser sends, byte by byte.

HEADS = {
    "fetch": [b"POST / HTTP/1.1", b"Host: 127.0.0.1", b"Origin: https://evil.example", b"Accept: */*"],
    "a line that LSP knows first": [b"Content-Type: text/plain", b"GET / HTTP/1.1"],
    "an unknown field": [b"X-Anything: 1"],
    "two lengths": [b"Content-Length: 3"],
}


@pytest.mark.parametrize("flags", [(), ("--no-token",)], ids=["token", "no token"])
async def test_what_is_no_header_of_lsp_is_answered_by_nothing(flags: tuple[str, ...]) -> None:
    async with listening("--tcp", *flags, has_token=not flags) as (server, process):
        body = initialize(token=server.token)
        for head in HEADS.values():
            assert await answer_to(server.port, framed(body, *head)) == b""
        assert await answer_to(server.port, b"\x16\x03\x01\x02\x00\x01\x00") == b""
        assert process.returncode is None  # such a visitor does not end the server, either
        twin = framed(body, b"Content-Type: application/vscode-jsonrpc; charset=utf-8")
        assert b'"capabilities"' in await answer_to(server.port, twin)


@pytest.fixture(scope="module")
def site() -> Iterator[tuple[str, list[str]]]:
    """Another site, and the methods of the requests that it has got."""
    methods: list[str] = []

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            methods.append(self.command)
            self.send_response(200)
            self.end_headers()

        do_POST = do_GET  # noqa: N815 - as the base class calls it

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", methods
    server.shutdown()
    server.server_close()


def attack(page: str, port: int, body: bytes) -> Any:  # noqa: ANN401 - JSON
    """What a page learns that posts to a port and opens a WebSocket to it."""
    script = """
    async ([port, body]) => {
      const post = await fetch(`http://127.0.0.1:${port}/`, {method: "POST", mode: "no-cors", body})
        .then(() => "answered", () => "failed");
      const socket = await new Promise((resolve) => {
        const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
        socket.onopen = () => { socket.send(body); };
        socket.onmessage = () => resolve("answered");
        socket.onclose = () => resolve("failed");
      });
      return [post, socket];
    }
    """
    with open_browser() as browser:
        return Tab(browser).go(page).run(f"({script})({json.dumps([port, body.decode()])})")


@pytest.mark.parametrize("flags", [(), ("--no-token",)], ids=["token", "no token"])
@pytest.mark.parametrize("transport", ["tcp", "ws"])
async def test_a_page_in_a_real_browser_gets_no_session(
    transport: str, flags: tuple[str, ...], site: tuple[str, list[str]]
) -> None:
    url, methods = site
    page = url.replace("127.0.0.1", "evil.localhost")  # another site, which is not this machine's own address
    async with listening(f"--{transport}", *flags, has_token=not flags) as (server, process):
        posted, opened = await asyncio.to_thread(attack, page, server.port, initialize(**EVIL))
        assert opened == "failed"
        assert posted == "failed" or transport == "ws"  # over WebSocket it is answered as HTTP: with an error
        assert process.returncode is None
    assert "GET" in methods  # the page itself was fetched


async def test_the_same_page_can_post_to_a_server_of_http(site: tuple[str, list[str]]) -> None:
    url, methods = site
    port = int(url.rsplit(":", 1)[1])
    page = url.replace("127.0.0.1", "evil.localhost")
    posted, opened = await asyncio.to_thread(attack, page, port, b"{}")
    assert (posted, opened) == ("answered", "failed")
    assert "POST" in methods


@pytest.mark.parametrize("host", ["evil.example", "evil.example:2087", "127.0.0.1.evil.example", ""])
async def test_a_name_that_was_made_to_mean_this_machine_is_refused(host: str) -> None:
    async with listening("--ws", "--no-token") as (server, _):
        request = (
            b"GET / HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert b" 403 " in await answer_to(server.port, request % host.encode())
        for own in (b"127.0.0.1:%d" % server.port, b"localhost", b"[::1]:1"):
            assert b" 101 " in await answer_to(server.port, request % own)
            break  # the server ends when its last editor has left


async def messages_after(server: Listening, options: dict[str, object]) -> list[Any]:
    """What the server shows to an editor with these options."""
    async with running_server("--keep-alive", program=STAND_IN) as process_owner:
        wire = StreamWire(*await asyncio.open_connection("127.0.0.1", server.port))
        client = LspClient(wire, process_owner.process, server)
        await client.initialize(options=options)
        await client.request("checkStatus")
        await client.disconnect()
        return client.messages("window/showMessage")


async def test_without_a_token_an_editor_is_trusted_like_a_project() -> None:
    async with listening("--tcp", "--keep-alive", "--no-token", has_token=False) as (server, _):
        shown = await messages_after(server, EVIL)
        assert {one["message"].split("`")[1] for one in shown} == {"engine", "remote", "model"}
        assert await messages_after(server, {"completion": {"candidates": 1}}) == []


# The command line.

SERVER = ("-m", "copilot_server")


async def test_a_token_file_is_made_once_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "token"
    for _ in range(2):
        async with listening("--tcp", "--token-file", str(file), program=SERVER) as (server, _process):
            assert file.read_text().strip() == server.token
            assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--host", "0.0.0.0"], "Other machines could reach the server at 0.0.0.0"),
        (["--host", "0.0.0.0", "--allow-network", "--no-token"], "--no-token is for this machine alone"),
        (["--no-token", "--token-file", "f"], "--no-token is for this machine alone"),
    ],
)
async def test_opening_it_further_takes_a_flag_that_says_so(flags: list[str], message: str) -> None:
    command = [*SERVER, "--tcp", "--port", "0", *flags]
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stderr=asyncio.subprocess.PIPE)
    _, stderr = await process.communicate()
    assert process.returncode == 2
    assert message in stderr.decode()


async def test_with_the_flag_other_machines_reach_it() -> None:
    async with listening("--tcp", "--host", "0.0.0.0", "--allow-network", program=SERVER) as (server, _):
        assert server.url.startswith("tcp://0.0.0.0:")
