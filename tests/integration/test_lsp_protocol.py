"""How the server handles messages, in one process: framing, positions, edits, one answer for each request."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from copilot_server.completion.types import Candidate
from copilot_server.config import Settings
from copilot_server.context.document import Cursor, Document
from copilot_server.lsp.convert import completion_items, inline_items
from copilot_server.lsp.documents import OpenDocument
from copilot_server.lsp.lines import Lines
from copilot_server.lsp.server import CopilotServer
from copilot_server.lsp.snapshot import snapshot_at
from copilot_server.lsp.wire.transport import FrameParser
from tests.support.lsp_client import inline_params
from tests.support.lsp_stand_in import open_stand_in
from tests.support.lsp_wire import URI, Wire

ENCODINGS = ("utf-8", "utf-16", "utf-32")
UNIT_BYTES = {"utf-8": 1, "utf-16-le": 2, "utf-32-le": 4}
CODECS = {"utf-8": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}

# Every kind of line end, what str.splitlines also splits at, and one code point of each width.
CHARACTERS = "ab \n\r\f\v\x1c\x85\u2028\u2029\x00é中😀\ufffd"
texts = st.lists(st.sampled_from([*CHARACTERS, "\r\n"]), max_size=30).map("".join)


# Framing.


def framed(body: bytes, *more_headers: bytes) -> bytes:
    return b"\r\n".join([b"Content-Length: %d" % len(body), *more_headers, b"", body])


@given(st.lists(st.binary(max_size=40), max_size=6), st.lists(st.integers(1, 25), min_size=1))
def test_messages_are_whole_however_the_stream_is_cut(bodies: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(map(framed, bodies))
    frames, received, start = FrameParser(), [], 0
    while start < len(stream):
        size = cuts[start % len(cuts)]
        received += frames.feed(stream[start : start + size])
        start += size
    assert received == bodies


@pytest.mark.parametrize(
    ("header", "body"),
    [
        (b"Content-Length: 2\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n", b"{}"),
        (b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: 2\r\n\r\n", b"{}"),
        (b"content-length:2\r\n\r\n", b"{}"),
        (b"Content-Length: two\r\n\r\n", b""),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b""),
    ],
)
def test_headers_are_read_as_the_protocol_has_them(header: bytes, body: bytes) -> None:
    frames = FrameParser()
    assert next(frames.feed(header + b"{}")) == body


# Positions.


def line_spans(text: str) -> list[tuple[int, int]]:
    """Where each line begins and its content ends, one character at a time."""
    spans, start, at = [], 0, 0
    while at < len(text):
        width = 2 if text.startswith("\r\n", at) else 1
        if text[at] in "\r\n":
            spans.append((start, at))
            start = at + width
        at += width
    return [*spans, (start, len(text))]


def client_position(text: str, offset: int, encoding: str) -> dict[str, int]:
    line = max(number for number, (start, _) in enumerate(line_spans(text)) if start <= offset)
    start = line_spans(text)[line][0]
    codec = CODECS[encoding]
    return {"line": line, "character": len(text[start:offset].encode(codec)) // UNIT_BYTES[codec]}


def valid_offsets(text: str) -> list[int]:
    """The offsets that a position can name: all except those inside a CRLF."""
    return [at for at in range(len(text) + 1) if text[at - 1 : at + 1] != "\r\n" or at == 0]


@given(texts, st.sampled_from(ENCODINGS))
def test_positions_and_offsets_are_inverses_of_each_other(text: str, encoding: str) -> None:
    lines = Lines(text)
    assert lines.starts == [start for start, _ in line_spans(text)]
    for offset in valid_offsets(text):
        position = lines.position_at(offset, encoding)
        assert {"line": position.line, "character": position.character} == client_position(
            text, offset, encoding
        )
        assert lines.offset_at(position, encoding) == offset


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    ("text", "line", "character", "offset"),
    [
        ("ab\ncd", 0, 99, 2),
        ("ab\r\ncd", 0, 3, 2),
        ("ab\ncd", 1, 99, 5),  # pygls lands on 4
        ("ab\ncd\n", 9, 0, 6),
        ("ab\ncé", 1, 99, 5),
        ("", 0, 5, 0),
        ("a\fb\u2028c\nd", 1, 1, 7),
        ("a\rb", 1, 0, 2),
    ],
)
def test_positions_outside_the_text_are_clamped(
    encoding: str, text: str, line: int, character: int, offset: int
) -> None:
    assert Lines(text).offset_at(types.Position(line, character), encoding) == offset


@pytest.mark.parametrize(("encoding", "inside"), [("utf-8", 3), ("utf-16", 2)])
def test_a_position_inside_a_code_point_is_its_beginning(encoding: str, inside: int) -> None:
    assert Lines("a😀b").offset_at(types.Position(0, inside), encoding) == 1


# Items.


@pytest.mark.parametrize(("encoding", "start", "end"), [("utf-8", 5, 7), ("utf-16", 3, 5), ("utf-32", 2, 4)])
def test_an_item_replaces_what_follows_the_cursor(encoding: str, start: int, end: int) -> None:
    document = OpenDocument(URI, "python", 1, Lines("\n😀(])"))
    snapshot = snapshot_at(document, types.Position(1, start), None, encoding)
    (item,) = inline_items(snapshot, [Candidate("1)", 0.0, "stop", replaced=2)], encoding)
    assert item.insert_text == "1)"
    assert item.range == types.Range(types.Position(1, start), types.Position(1, end))


def test_a_menu_item_is_the_word_at_the_cursor_and_what_follows() -> None:
    cursor = Cursor(Document(URI, "python", "x = prin"), 8)
    first, second = completion_items(
        [Candidate("t(1)\nprint(2)", 0.0, "stop"), Candidate("ter", -1.0, "stop")], cursor, "utf-16"
    )
    assert first.label == "print(1)"
    assert first.text_edit == types.TextEdit(
        types.Range(types.Position(0, 4), types.Position(0, 8)), "print(1)\nprint(2)"
    )
    assert first.filter_text is not None
    assert first.filter_text.startswith("prin")
    assert str(first.sort_text) < str(second.sort_text)
    assert first.insert_text_format == types.InsertTextFormat.PlainText


def test_a_menu_item_that_begins_with_a_line_end_shows_its_first_line() -> None:
    cursor = Cursor(Document(URI, "python", "def f():"), 8)
    (item,) = completion_items([Candidate("\n    return 1", 0.0, "stop")], cursor, "utf-16")
    assert item.label == "return 1"


# A connection in this process.


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    server = CopilotServer(Settings(), {}, open_stand_in)
    yield Wire(server)
    server.protocol.disconnected()
    assert server.session.scheduler.close(30)


# The editor's text and the server's.

Edit = tuple[int, int, str]
edits = st.lists(st.tuples(st.integers(0, 999), st.integers(0, 999), texts), max_size=8)


def edit_and_position(text: str, edit: Edit, encoding: str) -> tuple[str, dict[str, Any]]:
    """Apply an edit as an editor would, and return the change that it would send."""
    ends = valid_offsets(text)
    start, end = sorted(ends[at % len(ends)] for at in edit[:2])
    positions = [client_position(text, at, encoding) for at in (start, end)]
    change = {"range": dict(zip(("start", "end"), positions, strict=True)), "text": edit[2]}
    return text[:start] + edit[2] + text[end:], change


@given(texts, edits, st.sampled_from(ENCODINGS), st.booleans())
def test_incremental_edits_keep_the_texts_equal(
    text: str, edits: list[Edit], encoding: str, together: bool
) -> None:
    async def session() -> None:
        wire = Wire(CopilotServer(Settings(enabled=False), {}, open_stand_in))
        wire.initialize(encoding)
        wire.open(text)
        ours, changes = text, []
        for version, edit in enumerate(edits, start=2):
            ours, change = edit_and_position(ours, edit, encoding)
            changes.append(change)
            if not together:
                wire.change(version, changes.pop())
                assert wire.text() == ours
        wire.change(99, *changes)
        assert wire.text() == ours
        wire.server.session.scheduler.close(30)

    asyncio.run(session())


async def test_a_change_without_a_range_is_the_whole_text(wire: Wire) -> None:
    wire.initialize()
    wire.open("old")
    wire.change(2, {"text": "new"})
    assert wire.text() == "new"
    wire.change(3, {"text": "newer", "range": None})
    assert wire.text() == "newer"


async def test_a_lone_surrogate_becomes_a_replacement_of_the_same_width(wire: Wire) -> None:
    wire.initialize("utf-16")
    wire.open("a\ud83db")
    assert wire.text() == "a\ufffdb"
    wire.change(2, {"range": span(0, 2, 0, 3), "text": "\ude00c"})
    assert wire.text() == "a\ufffd\ufffdc"


def span(start_line: int, start: int, end_line: int, end: int) -> dict[str, Any]:
    return {
        "start": {"line": start_line, "character": start},
        "end": {"line": end_line, "character": end},
    }


async def test_a_change_that_cannot_be_read_ends_our_trust_in_the_text(wire: Wire) -> None:
    wire.initialize()
    wire.open("text")
    wire.change(2, {"range": span(0, -1, 0, 0), "text": "x"})
    assert wire.text() is None
    wire.open("text again")
    assert wire.text() == "text again"


async def test_one_document_may_be_named_with_and_without_escapes(wire: Wire) -> None:
    wire.initialize()
    item = {"uri": "file:///c%3A/a.py", "languageId": "python", "version": 1, "text": "x"}
    wire.send("textDocument/didOpen", {"textDocument": item})
    wire.send("textDocument/inlineCompletion", inline_params("file:///c:/a.py", 0, 0), id=1)
    wire.send("textDocument/inlineCompletion", inline_params("file:///d:/a.py", 0, 0), id=2)
    await wire.settled()
    assert wire.answer_to(1)["result"]["items"]
    assert wire.answer_to(2)["error"]["code"] == -32602


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["utf-8", "utf-16"], "utf-8"),
        (["utf-32", "utf-8"], "utf-32"),
        (["utf-7", "utf-16"], "utf-16"),
        ([], "utf-16"),
        (["utf-7", 8], "utf-16"),
    ],
)
async def test_the_position_encoding_is_the_first_of_the_editors_that_is_known(
    wire: Wire, offered: list[Any], chosen: str
) -> None:
    assert wire.initialize(*offered)["capabilities"]["positionEncoding"] == chosen
    assert wire.server.session.documents.encoding == chosen


# One answer for every request.

INLINE = "textDocument/inlineCompletion"
POSITION = {"line": 0, "character": 0}
DOCUMENT = {"uri": URI}
PLACE = {"textDocument": DOCUMENT, "position": POSITION}

#: The parameters of a request, and the code of its answer; None for a result.
REQUESTS: list[tuple[str, Any, int | None]] = [
    (INLINE, inline_params(URI, 0, 0), None),
    (INLINE, PLACE, None),
    (INLINE, PLACE | {"context": None}, None),
    (INLINE, PLACE | {"context": {"triggerKind": 0}}, None),
    (INLINE, PLACE | {"context": {"triggerKind": "automatic"}}, None),
    (
        INLINE,
        {
            "textDocument": {"uri": URI, "version": 1},
            "position": POSITION,
            "context": {"triggerKind": 2},
            "formattingOptions": {"tabSize": 4, "insertSpaces": True},
        },
        None,
    ),
    (INLINE, None, -32602),
    (INLINE, [], -32602),
    (INLINE, "text", -32602),
    (INLINE, {}, -32602),
    (INLINE, {"textDocument": DOCUMENT}, -32602),
    (INLINE, {"textDocument": URI, "position": POSITION}, -32602),
    (INLINE, {"textDocument": DOCUMENT, "position": {"line": -1, "character": 0}}, -32602),
    (INLINE, {"textDocument": DOCUMENT, "position": {"line": "a"}}, -32602),
    (INLINE, inline_params("file:///unknown.py", 0, 0), -32602),
    (INLINE, inline_params("", 0, 0), -32602),
    (INLINE, inline_params(URI, 2**31 - 1, 2**31 - 1), None),
    ("textDocument/completion", PLACE, -32601),
    ("workspace/executeCommand", {"command": "nobody.knows"}, -32602),
    ("workspace/executeCommand", {}, -32602),
    ("textDocument/hover", PLACE, -32601),
    ("getCompletions", {"doc": {}}, -32602),
    ("checkStatus", None, None),
    ("$/unknown", {}, -32601),
    ("", {}, -32601),
    ("textDocument/didOpen", {}, -32602),
    ("initialize", {"capabilities": {}}, -32600),
    ("shutdown", {"anything": 1}, None),
]


@pytest.mark.parametrize(("method", "params", "code"), REQUESTS)
@pytest.mark.parametrize("msg_id", [7, "seven"])
async def test_every_request_gets_one_answer(
    wire: Wire, method: str, params: object, code: int | None, msg_id: object
) -> None:
    wire.initialize()
    wire.open("x = 1")
    wire.send(method, params, id=msg_id)
    await wire.settled()
    assert wire.answer_to(msg_id).get("error", {}).get("code") == code
    assert not [one for one in wire.received if one.get("method") == "window/showMessage"]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.just(URI),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["textDocument", "uri", "position", "line", "character", "context", "command"]),
            inner,
        )
    ),
    max_leaves=12,
)


@given(
    st.sampled_from([INLINE, "workspace/executeCommand", "initialize", "shutdown", "nobody/knows"]),
    json_values,
)
def test_whatever_the_params_are_a_request_gets_one_answer(method: str, params: object) -> None:
    async def session() -> None:
        wire = Wire(CopilotServer(Settings(enabled=False), {}, open_stand_in))
        wire.initialize()
        wire.open("x = 1")
        wire.send(method, params, id=1)
        await wire.settled()
        assert len(wire.answers_to(1)) == 1
        wire.server.session.scheduler.close(30)

    asyncio.run(session())


async def test_a_request_without_params_gets_one_answer(wire: Wire) -> None:
    wire.initialize()
    wire.protocol.receive(b'{"jsonrpc":"2.0","id":1,"method":"textDocument/inlineCompletion"}')
    wire.protocol.receive(b'{"jsonrpc":"2.0","id":2,"method":"shutdown"}')
    assert wire.answer_to(1)["error"]["code"] == -32602
    assert wire.answer_to(2)["result"] is None


@pytest.mark.parametrize(
    ("body", "msg_id", "code"),
    [
        (b"", None, -32700),
        (b"{", None, -32700),
        (b"\xff\xfe", None, -32700),
        (b"[" * 100_000, None, -32700),
        (b"[]", None, -32600),
        (b'"text"', None, -32600),
        (b"{}", None, -32600),
        (b'{"jsonrpc":"2.0","id":5}', 5, -32600),
        (b'{"jsonrpc":"2.0","id":5,"method":5}', 5, -32600),
        (b'{"jsonrpc":"1.0","id":5,"method":"shutdown"}', 5, -32600),
        (b'{"id":5,"method":"shutdown"}', 5, -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"shutdown"}', None, -32600),
        (b'{"jsonrpc":"2.0","id":true,"method":"shutdown"}', None, -32600),
        (b'{"jsonrpc":"2.0","id":[1],"method":"shutdown"}', None, -32600),
    ],
)
async def test_what_is_not_a_request_gets_one_error(
    wire: Wire, body: bytes, msg_id: int | None, code: int
) -> None:
    wire.initialize()
    wire.protocol.receive(body)
    assert wire.answer_to(msg_id)["error"]["code"] == code
    wire.send("shutdown", id=6)
    assert wire.answer_to(6)["result"] is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"jsonrpc":"2.0","id":5,"result":null}',
        b'{"jsonrpc":"2.0","id":"x","error":{"code":1,"message":"m"}}',
        b'{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{}}',
        b'{"jsonrpc":"2.0","method":"textDocument/didChange","params":[1]}',
        b'{"jsonrpc":"2.0","method":"textDocument/didClose","params":{"textDocument":{"uri":"file:///z"}}}',
        b'{"jsonrpc":"2.0","method":"initialized"}',
        b'{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":404}}',
        b'{"jsonrpc":"2.0","method":"$/cancelRequest"}',
        b'{"jsonrpc":"2.0","method":"$/setTrace","params":{"value":"loud"}}',
        b'{"jsonrpc":"2.0","method":"workspace/didChangeWorkspaceFolders","params":{"event":{}}}',
        b'{"jsonrpc":"2.0","method":"window/workDoneProgress/cancel","params":{"token":1}}',
        b'{"jsonrpc":"2.0","method":"workspace/didChangeConfiguration"}',
        b'{"jsonrpc":"2.0","method":"textDocument/didFocus","params":{}}',
    ],
)
async def test_what_is_neither_a_request_nor_an_error_gets_no_answer(wire: Wire, body: bytes) -> None:
    wire.initialize()
    before = len(wire.received)
    wire.protocol.receive(body)
    assert [one for one in wire.received[before:] if "method" not in one] == []
    wire.send("shutdown", id=6)
    assert wire.answer_to(6)["result"] is None


async def test_an_id_in_use_is_refused(wire: Wire) -> None:
    wire.initialize()
    wire.open("slow")
    wire.send("textDocument/inlineCompletion", inline_params(URI, 0, 4), id=1)
    wire.send("shutdown", id=1)
    assert wire.answer_to(1)["error"]["code"] == -32600


async def test_a_response_with_the_id_of_a_running_request_does_not_answer_it(wire: Wire) -> None:
    wire.initialize()
    wire.open("slow")
    wire.send("textDocument/inlineCompletion", inline_params(URI, 0, 4), id=1)
    wire.protocol.receive(b'{"jsonrpc":"2.0","id":1,"result":null}')
    assert wire.answers_to(1) == []
    wire.send("$/cancelRequest", {"id": 1})
    assert wire.answer_to(1)["error"]["code"] == -32800


@pytest.mark.parametrize("method", ["textDocument/inlineCompletion", "shutdown", "nobody/knows"])
async def test_before_initialize_a_request_is_refused(wire: Wire, method: str) -> None:
    wire.send(method, {}, id=1)
    assert wire.answer_to(1)["error"]["code"] == -32002


async def test_after_shutdown_a_request_is_refused(wire: Wire) -> None:
    wire.initialize()
    wire.open("x")
    wire.send("shutdown", id=1)
    wire.send("textDocument/inlineCompletion", inline_params(URI, 0, 0), id=2)
    assert wire.answer_to(2)["error"]["code"] == -32600


# initialize, as editors send it.

COPILOTS_SAMPLE = {
    "processId": 4711,
    "workspaceFolders": [{"uri": "file:///home/somebody/project"}],
    "capabilities": {"workspace": {"workspaceFolders": True}},
    "initializationOptions": {
        "editorInfo": {"name": "GitHub Copilot for Eclipse", "version": "1.0.0"},
        "editorPluginInfo": {"name": "copilot-eclipse", "version": "0.1"},
    },
}


@pytest.mark.parametrize(
    "params",
    [
        COPILOTS_SAMPLE,
        {},
        {"capabilities": {}},
        {"capabilities": {"textDocument": {"symbol": {"symbolKind": {"valueSet": [9999]}}}}},
        {"capabilities": {"textDocument": "none", "window": [], "general": {"positionEncodings": None}}},
        {"capabilities": {}, "processId": "text", "rootUri": "http://[broken", "rootPath": 5},
        {"capabilities": {}, "workspaceFolders": [{"name": "no uri"}, None, {"uri": 5}]},
        {"capabilities": {}, "trace": "loud", "clientInfo": 5, "locale": []},
        {"capabilities": {}, "initializationOptions": {"jsonrpc": "2.0", "id": 1}},
    ],
)
async def test_initialize_is_answered_whatever_an_editor_leaves_out(wire: Wire, params: object) -> None:
    wire.send("initialize", params, id=1)
    capabilities = wire.answer_to(1)["result"]["capabilities"]
    assert capabilities["inlineCompletionProvider"] == {}
    assert capabilities["textDocumentSync"]["change"] == 2
    assert capabilities["positionEncoding"] == "utf-16"


@pytest.mark.parametrize("params", [[], "text", {"capabilities": "all"}])
async def test_an_initialize_that_makes_no_sense_may_be_sent_again(wire: Wire, params: object) -> None:
    wire.send("initialize", params, id=1)
    assert wire.answer_to(1)["error"]["code"] == -32602
    assert wire.initialize()["capabilities"]


# Privacy.

SECRET = "hunter2-is-my-password"


@pytest.fixture
def all_logs(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.INFO):
        yield caplog


async def test_no_source_reaches_the_log_or_an_error(wire: Wire, all_logs: pytest.LogCaptureFixture) -> None:
    wire.initialize()
    wire.open(f"# {SECRET}\nboom")
    wire.send("textDocument/inlineCompletion", inline_params(URI, 1, 4), id=1)
    wire.change(2, {"text": f"# {SECRET}", "range": "wrong"})
    wire.send("textDocument/inlineCompletion", {"textDocument": {"uri": URI}, "position": SECRET}, id=2)
    await wire.settled()
    assert wire.answer_to(1)["error"] == {
        "code": -32803,
        "message": "The completion failed (RuntimeError). The log at level DEBUG says more.",
    }
    assert wire.answer_to(2)["error"]["code"] == -32602
    assert SECRET not in json.dumps(wire.received)
    assert all_logs.records
    assert SECRET not in all_logs.text
    assert "Traceback" not in json.dumps(wire.received)


async def test_at_debug_the_log_says_what_failed(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        wire.initialize()
        wire.open(f"# {SECRET}\nboom")
        wire.send("textDocument/inlineCompletion", inline_params(URI, 1, 4), id=1)
        await wire.settled()
    assert SECRET in caplog.text
