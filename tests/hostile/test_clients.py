"""Hostile clients of a server that listens: whatever one sends, the server stays, and serves the next one.

All of them speak to one process. Most have the token, and so the user's trust in what they ask for; they must
still not end the server, fill its memory, or see what another editor has open.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from tests.support.lsp_client import LspClient, ResponseError, inline_params
from tests.support.paths import TESTS
from tests.support.raw_lsp import answer_to, framed, initialize
from tests.support.shared_server import INLINE, SharedServer, shared_server, suggested

STAND_IN = (str(TESTS / "support" / "lsp_stand_in.py"),)
#: How much more memory a client may cost at any time, in bytes; each attempt to fill it sends more.
MOST_MEMORY = 64 << 20
URI = "file:///w/a.py"


@pytest.fixture(scope="module")
def server() -> Iterator[SharedServer]:
    with shared_server(program=STAND_IN) as started:
        yield started
        assert started.is_running


# What is not LSP.

NO_HEADERS = {
    "fetch": [b"POST / HTTP/1.1", b"Host: 127.0.0.1", b"Origin: https://evil.example", b"Accept: */*"],
    "a request line after a line of LSP": [b"Content-Type: text/plain", b"GET / HTTP/1.1"],
    "an unknown field": [b"X-Anything: 1"],
    "two lengths": [b"Content-Length: 3"],
    "a folded line": [b"Content-Type: text/plain", b" more"],
    "a length in words": [b"Content-Length: many"],
    "a negative length": [b"Content-Length: -1"],
    "a length of exabytes": [b"Content-Length: 9999999999999999999"],
    "a length in hexadecimal": [b"Content-Length: 0x10"],
    "a field that goes on": [b"Content-Type: " + b"x" * 10_000],
    "a NUL": [b"Content-Type: \0", b"\0: \0"],
}


@pytest.mark.parametrize("attempt", NO_HEADERS)
async def test_hostile_header_is_answered_by_nothing(server: SharedServer, attempt: str) -> None:
    body = initialize(token=server.listening.token)
    assert await answer_to(server.listening.port, framed(body, *NO_HEADERS[attempt])) == b""


GREETINGS = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00",
    "HTTP": b"GET / HTTP/1.0\r\n\r\n",
    "nothing": b"\r\n\r\n",
    "zeros": b"\0" * 600,
    "no text": b"\xff" * 600,
}


@pytest.mark.parametrize("first", GREETINGS.values(), ids=GREETINGS)
async def test_hostile_greeting_is_answered_by_nothing(server: SharedServer, first: bytes) -> None:
    assert await answer_to(server.listening.port, first) == b""


async def test_benign_header_opens_a_session(server: SharedServer) -> None:
    body = initialize(token=server.listening.token)
    field = b"Content-Type: application/vscode-jsonrpc; charset=utf-8"
    assert b'"capabilities"' in await answer_to(server.listening.port, framed(body, field))


# Who has no token.

WRONG_TOKENS: dict[str, Callable[[str], dict[str, object]]] = {
    "none": lambda _token: {},
    "an empty one": lambda _token: {"token": ""},
    "one that ends early": lambda token: {"token": token[:-1]},
    "a longer one": lambda token: {"token": f"{token}x"},
    "one in a list": lambda token: {"token": [token]},
    "null": lambda _token: {"token": None},
    "one with half a surrogate pair": lambda _token: {"token": "\ud800" * 32},
    "one elsewhere": lambda token: {"projectSettings": {"token": token}},
}


@pytest.mark.parametrize("attempt", WRONG_TOKENS)
async def test_hostile_token_opens_no_session(server: SharedServer, attempt: str) -> None:
    token = server.listening.token
    assert token is not None
    answer = await answer_to(server.listening.port, framed(initialize(**WRONG_TOKENS[attempt](token))))
    assert b"The token is missing or wrong" in answer
    assert b"capabilities" not in answer


NO_MESSAGES = {
    "deep list": b"[" * 100_000,
    "deep object": b'{"a":' * 100_000,
    "empty object": b"{}",
    "null": b"null",
    "nothing": b"",
    "no text": b"\xff\xfe",
    "list as a method": b'{"method": ["initialize"]}',
    "huge number": b"1e999",
    "more digits than Python reads": b"9" * 100_000,
}


@pytest.mark.parametrize("body", NO_MESSAGES.values(), ids=NO_MESSAGES)
async def test_hostile_first_message_opens_no_session(server: SharedServer, body: bytes) -> None:
    assert b"The token is missing or wrong" in await answer_to(server.listening.port, framed(body))


async def test_hostile_first_message_of_another_method_opens_no_session(server: SharedServer) -> None:
    params = {"initializationOptions": {"token": server.listening.token}, "token": server.listening.token}
    body = json.dumps({"jsonrpc": "2.0", "id": 2, "method": "shutdown", "params": params}).encode()
    assert b"The token is missing or wrong" in await answer_to(server.listening.port, framed(body))


async def flood(server: SharedServer, head: bytes, piece: bytes, count: int) -> int:
    """Send a head and then pieces until the server hangs up; return how much more memory it had at most."""
    before = most = server.memory_bytes
    _, writer = await asyncio.open_connection("127.0.0.1", server.listening.port)
    try:
        writer.write(head)
        for _ in range(count):
            writer.write(piece)
            await writer.drain()
            most = max(most, server.memory_bytes)
    except ConnectionError:
        pass
    finally:
        writer.close()
    return most - before


FLOODS = {
    "a message without an end": (b"Content-Length: 9999999999\r\n\r\n", b"x" * (1 << 20)),
    "a header without an end": (b"Content-Type: ", b"x" * (1 << 20)),
    "fields without an end": (b"", b"Content-Type: x\r\n" * 60_000),
    "a line that never begins": (b"", b" " * (1 << 20)),
}


@pytest.mark.parametrize("attempt", FLOODS)
async def test_hostile_flood_before_the_token_fills_no_memory(server: SharedServer, attempt: str) -> None:
    assert await flood(server, *FLOODS[attempt], 256) < MOST_MEMORY


async def test_benign_long_first_message_is_read(server: SharedServer) -> None:
    long = initialize(token=server.listening.token, more="x" * 1_000_000)
    assert b'"capabilities"' in await answer_to(server.listening.port, framed(long))


async def test_hostile_crowd_that_says_nothing_keeps_nobody_out(server: SharedServer) -> None:
    port = server.listening.port
    crowd = [await asyncio.open_connection("127.0.0.1", port) for _ in range(300)]
    for _, writer in crowd[::2]:
        writer.write(b"Content-Le")
    async with server.editor() as client:
        assert await suggested(client, client.open("x = ")) != []
    for _, writer in crowd:
        writer.close()


# The same over WebSocket.


@pytest.fixture(scope="module")
def websocket() -> Iterator[str]:
    """The URL of a server on WebSocket, with the token."""
    with shared_server(program=STAND_IN, transport="ws") as started:
        yield started.listening.url
        assert started.is_running


BAD_PATHS = [
    *("/", "/?token=", "/?token=%00", "/?Token={token}", "/?token={token}x", "/{token}"),
    "/?token=a&token={token}",
]


@pytest.mark.parametrize("path", BAD_PATHS)
async def test_hostile_url_opens_no_socket(websocket: str, path: str) -> None:
    base, _, token = websocket.partition("/?token=")
    with pytest.raises(InvalidStatus, match="401"):
        await connect(base + path.format(token=token))


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example", "file://"]
)
async def test_hostile_origin_opens_no_socket(websocket: str, origin: str) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        await connect(websocket, origin=Origin(origin))


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:2087", "127.0.0.1.evil.example", "localhost.evil.example"]
)
async def test_hostile_host_opens_no_socket(websocket: str, host: str) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        await connect(websocket, additional_headers={"Host": host})


@pytest.mark.parametrize("body", NO_MESSAGES.values(), ids=NO_MESSAGES)
async def test_hostile_message_over_websocket_gets_an_error(websocket: str, body: bytes) -> None:
    async with connect(websocket) as socket:
        await socket.send(body)
        assert json.loads(await socket.recv())["error"]["code"] in {-32700, -32600}
        await socket.send(initialize())
        assert "capabilities" in str(await socket.recv())


@pytest.mark.parametrize("origin", [None, "http://localhost:3000"])
async def test_benign_socket_is_opened(websocket: str, origin: str | None) -> None:
    async with connect(websocket, origin=Origin(origin) if origin else None) as socket:
        await socket.send(initialize())
        assert "capabilities" in str(await socket.recv())


# Who has the token and sends nonsense.

HUGE = 2**31 - 1
POSITIONS = [
    *((HUGE, HUGE), (0, HUGE), (HUGE, 0), (-1, 0), (0, -1)),
    *((2**70, 2**70), (1.5, 0), ("0", 0), (None, 0), (True, 0)),
]


@pytest.mark.parametrize("position", POSITIONS, ids=str)
async def test_hostile_position_gets_one_answer(server: SharedServer, position: tuple[Any, Any]) -> None:
    async with server.editor() as client:
        uri = client.open("x = ")
        answer = await client.answer(client.begin(INLINE, inline_params(uri, *position)))
        assert ("error" in answer) != ("result" in answer)
        assert await suggested(client, uri) != []


RANGES = {
    "beyond the end": ((HUGE, HUGE), (HUGE, HUGE)),
    "backwards": ((0, 4), (0, 0)),
    "the whole world": ((0, 0), (HUGE, HUGE)),
    "negative": ((-1, -1), (-1, -1)),
    "too large": ((2**70, 0), (2**70, 1)),
}


@pytest.mark.parametrize("attempt", RANGES)
async def test_hostile_range_leaves_a_document_that_the_next_text_sets_right(
    server: SharedServer, attempt: str
) -> None:
    async with server.editor() as client:
        uri = client.open("x = ")
        (line, character), (end_line, end_character) = RANGES[attempt]
        start, end = {"line": line, "character": character}, {"line": end_line, "character": end_character}
        client.change(uri, 2, {"range": {"start": start, "end": end}, "text": "y"})
        client.open("x = ", uri, version=3)
        assert await suggested(client, uri) != []


@pytest.mark.parametrize("versions", [(9, 8, 7), (-5, -6, -7), (HUGE, 0, 1), (1, 1, 1)], ids=str)
async def test_hostile_versions_that_go_backwards_change_the_text_all_the_same(
    server: SharedServer, versions: tuple[int, ...]
) -> None:
    async with server.editor() as client:
        uri = client.open("nothing", version=versions[0])
        for version in versions[1:]:
            client.change(uri, version, {"text": "x = "})
        assert await suggested(client, uri) != []


async def test_benign_edits_are_followed(server: SharedServer) -> None:
    async with server.editor() as client:
        uri = client.open("nothing")
        assert await suggested(client, uri, 0, 7) == []
        whole = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 7}}
        client.change(uri, 2, {"range": whole, "text": "x = "})
        assert await suggested(client, uri) != []


NOTHING_OF_OURS: dict[str, dict[str, Any]] = {
    "unknown methods": {"method": "no/such", "params": {}},
    "methods of Python": {"method": "__class__", "params": {}},
    "a method of pygls": {
        "method": "workspace/executeCommand",
        "params": {"command": "eval", "arguments": ["1"]},
    },
    "a method without end": {"method": "x" * 1_000_000},
    "parameters of another type": {"method": INLINE, "params": [[[[]]]]},
    "a document that is not open": {"method": INLINE, "params": inline_params("file:///etc/passwd", 0, 0)},
    "a number as a method": {"method": 7},
}


@pytest.mark.parametrize("attempt", NOTHING_OF_OURS)
async def test_hostile_request_gets_one_error_each_time(server: SharedServer, attempt: str) -> None:
    async with server.editor() as client:
        for number in range(50):
            client.send({"jsonrpc": "2.0", "id": f"n{number}", **NOTHING_OF_OURS[attempt]})
        for number in range(50):
            assert "error" in await client.answer(f"n{number}")
        assert len(client.answers("n0")) == 1
        assert len(str(await client.answer("n0"))) < 1_000


@pytest.mark.parametrize("depth", [5_000, 100_000])
async def test_hostile_depth_of_a_message_is_an_error_and_no_more(server: SharedServer, depth: int) -> None:
    async with server.editor() as client:
        params = b"[" * depth + b"]" * depth
        client.wire.send(b'{"jsonrpc": "2.0", "id": "deep", "method": "no/such", "params": %s}' % params)
        await client.wait_for(lambda one: "error" in one and one.get("id") in {"deep", None})


async def test_hostile_cancelling_of_everything_answers_each_request_once(server: SharedServer) -> None:
    async with server.editor() as client:
        uri = client.open("slow ")
        asked = []
        for _ in range(200):
            asked.append(client.begin(INLINE, inline_params(uri, 0, 5)))
            client.notify("$/cancelRequest", {"id": asked[-1]})
            client.notify("$/cancelRequest", {"id": "no such request"})
        strange: list[object] = [None, [], {}, 1.5, True, 2**70]
        for value in strange:
            client.notify("$/cancelRequest", {"id": value})
        answers = [await client.answer(one) for one in asked]
        assert all("error" in one for one in answers)
        assert len(client.answers(asked[0])) == 1


async def test_benign_cancelling_leaves_the_other_requests_alone(server: SharedServer) -> None:
    async with server.editor() as client:
        slow, quick = client.open("slow "), client.open("x = ", "file:///w/b.py")
        waiting = client.begin(INLINE, inline_params(slow, 0, 5))
        client.notify("$/cancelRequest", {"id": waiting})
        assert "error" in await client.answer(waiting)
        assert await suggested(client, quick) != []


async def test_hostile_thousands_of_documents_are_forgotten_with_their_editor(server: SharedServer) -> None:
    before = server.memory_bytes
    for _ in range(3):
        async with server.editor() as client:
            for number in range(3_000):
                client.open(f"x = {number}" * 500, f"file:///w/{number}.py")
            assert await suggested(client, "file:///w/2999.py") != []
    assert server.memory_bytes - before < 2 * MOST_MEMORY


# Another editor's documents.

OTHERS: dict[str, Callable[[LspClient], object]] = {
    "completes in it": lambda client: client.begin(INLINE, inline_params(URI, 0, 4)),
    "completes in it from a menu": lambda client: client.begin(
        "textDocument/completion", inline_params(URI, 0, 4)
    ),
    "completes in it as Copilot does": lambda client: client.begin(
        "getCompletions", {"doc": {"uri": URI, "position": {"line": 0, "character": 4}, "version": 1}}
    ),
}


@pytest.mark.parametrize("attempt", OTHERS)
async def test_hostile_second_client_does_not_see_what_the_first_has_open(
    server: SharedServer, attempt: str
) -> None:
    async with server.editor() as first, server.editor() as second:
        first.open("x = ", URI)
        assert "error" in await second.answer(OTHERS[attempt](second))
        second.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
        second.change(URI, 9, {"text": "nothing"})
        assert await suggested(first, URI) != []


async def test_hostile_second_client_cancels_and_ends_nothing_of_the_first(server: SharedServer) -> None:
    async with server.editor() as first, server.editor() as second:
        waiting = first.begin(INLINE, inline_params(first.open("slow "), 0, 5))
        for number in range(50):
            second.notify("$/cancelRequest", {"id": number})
        await second.request("shutdown")
        second.notify("exit")
        assert first.answers(waiting) == []
        first.notify("$/cancelRequest", {"id": waiting})
        assert "error" in await first.answer(waiting)


async def test_benign_client_sees_its_own(server: SharedServer) -> None:
    async with server.editor() as client:
        with pytest.raises(ResponseError):
            await suggested(client, URI)
        assert await suggested(client, client.open("x = ", URI)) != []


# Files to send away.


@pytest.mark.parametrize("key", ["apiKeyFile", "api_key_file"])
async def test_hostile_key_file_is_not_taken_over_a_port(server: SharedServer, key: str) -> None:
    async with server.editor({"remote": {key: "/etc/hostname"}}) as client:
        shown = await client.notification("window/showMessage")
        assert "`remote.api_key_file` from the settings file only" in shown["message"]


async def test_benign_settings_are_taken_over_a_port(server: SharedServer) -> None:
    async with server.editor({"remote": {"connectTimeoutS": 5}}) as client:
        await client.request("checkStatus")
        assert client.messages("window/showMessage") == []


async def test_benign_client_is_served_after_all_of_this(server: SharedServer) -> None:
    async with server.editor() as client:
        assert await suggested(client, client.open("x = ")) != []
