"""Whatever an editor sends, in whatever order: the server has its text, and answers every request once.

Hypothesis draws sessions: documents opened, edited, completed, cancelled, closed, settings changed, and
between them messages that are malformed, hostile or not even JSON. After each step the server's texts are
those of a model that is deliberately simple (``support.naive_document``); at the end every request has been
answered once, and no part of the texts is in a log or an error.
"""

# ruff: noqa: ANN401 - JSON values

from __future__ import annotations

import asyncio
import copy
import json
import logging
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any, Protocol

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from copilot_server.config import Settings
from copilot_server.lsp import documents, lines
from copilot_server.lsp.server import CopilotServer
from copilot_server.lsp.wire import protocol
from copilot_server.lsp.wire.messages import read_params
from copilot_server.lsp.wire.protocol import CopilotProtocol
from copilot_server.lsp.wire.transport import FrameParser
from tests.support.echo_server import digest, open_echo
from tests.support.naive_document import NaiveDocuments, position_of, units

ENCODINGS = ("utf-8", "utf-16", "utf-32")
INLINE = "textDocument/inlineCompletion"
#: A marker that shows where text leaks. No answer of the server contains it.
MARKER = "hunter2"
PATIENCE_S = 120.0

Message = dict[str, Any]

# Texts: every line end and the halves of one, what str.splitlines also splits at, a code point of each width,
# halves of surrogate pairs, what makes the engine hang or fail, and the marker.
PIECES = [*"ab(\n\r\f\v\x1c\x85\u2028\u2029\x00é中😀\ufffd\ud83d\ude00", "\r\n", "\n\n", MARKER]
PIECES += ["slow\n", "boom\n", "😀" * 50, "x" * 2000]
texts = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)

#: One document may be named in two ways.
NAMES = {"file:///c:/a.py": ["file:///c:/a.py", "file:///c%3A/a.py"], "file:///b.js": ["file:///b.js"]}
names = st.sampled_from([name for spelled in NAMES.values() for name in spelled])
offsets = st.integers(0, 10_000)

ids = st.one_of(
    st.integers(-3, 12),
    st.integers(),
    st.sampled_from(["", "1", "one", "\u2028", "\ud83d", "x" * 300, "5.0"]),
)
no_ids = st.sampled_from([None, True, False, 1.5, 2.0, [], [1], {}, {"id": 1}])

hostile = st.recursive(
    st.sampled_from(
        [None, True, False, 0, -1, 1.5, 3.0, 2**31, -(2**63), 10**40, 1e308, float("nan"), float("inf")]
    )
    | st.sampled_from(["", "text", "0", MARKER, "\x00", "\ud83d", *NAMES]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["textDocument", "uri", "position", "range", "text", "line", "command", "item", "doc"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)

REQUESTS = [
    INLINE,
    "textDocument/completion",
    "textDocument/copilotPanelCompletion",
    "getCompletions",
    "getCompletionsCycling",
    "notifyShown",
    "notifyAccepted",
    "notifyRejected",
    "checkStatus",
    "signInInitiate",
    "getVersion",
    "textDocument/copilotInlineEdit",
    "workspace/executeCommand",
    "textDocument/hover",
    "copilotServer/stats",
    "copilotServer/whyNothing",
    "copilotServer/snooze",
    "initialize",
    "$/nobody",
    "",
]
NOTIFICATIONS = [
    "textDocument/didFocus",
    "copilotServer/didMoveCursor",
    "textDocument/didShowCompletion",
    "textDocument/didPartiallyAcceptCompletion",
    "textDocument/didSave",
    "workspace/didChangeConfiguration",
    "workspace/didChangeWorkspaceFolders",
    "window/workDoneProgress/cancel",
    "$/cancelRequest",
    "$/setTrace",
    "$/progress",
    "initialized",
    "nobody/knows",
]
NO_MESSAGES = [
    b"",
    b"{",
    b'{"jsonrpc":"2.0","id":1,"method":"textDocument/inl',
    b"\xff\xfe\x00",
    b'"\xed\xa0\xbd"',
    b"null",
    b"[]",
    b'[{"jsonrpc":"2.0","id":1,"method":"checkStatus"}]',
    b"[" * 50_000,
    b'{"a":' * 50_000,
    b"1" * 5000,
    b'{"id":1,"id":null}',
]


class Link(Protocol):
    """A server, and the messages that it has sent."""

    received: list[Message]

    def send(self, data: bytes) -> None: ...

    def differences(self, model: NaiveDocuments) -> list[str]:
        """The documents whose text on the server differs from that in ``model``."""
        ...

    def wait_for(self, answers: int) -> None:
        """Wait until so many answers have come in all."""
        ...

    def close(self) -> str:
        """End the server, and return its log."""
        ...


class InProcess:
    """The server's whole protocol in this process, beginning with the bytes of messages."""

    def __init__(self) -> None:
        self.received: list[Message] = []
        self._log = _Log()
        self._loop = asyncio.new_event_loop()
        self._frames = FrameParser()
        self._server = CopilotServer(Settings(statistics=False), {}, open_echo)
        self._server.protocol.ended = self._loop.create_future()
        self._server.protocol.set_writer(self)

    def write(self, data: bytes) -> None:
        header, _, body = data.partition(b"\r\n\r\n")
        assert header == b"Content-Length: %d" % len(body)
        self.received.append(json.loads(body))

    def send(self, data: bytes) -> None:
        async def receive() -> None:
            for body in self._frames.feed(data):
                self._server.protocol.receive(body)
            await asyncio.sleep(0)

        self._loop.run_until_complete(receive())

    def differences(self, model: NaiveDocuments) -> list[str]:
        held = {name: self._server.session.documents.get(name) for name in NAMES}
        ours = {name: held_now.text for name, held_now in held.items() if held_now is not None}
        for document in filter(None, held.values()):
            assert document.lines.starts == lines.Lines(document.text).starts
        return [name for name in NAMES if ours.get(name) != model.texts.get(name)]

    def wait_for(self, answers: int) -> None:
        async def wait() -> None:
            while _count(self.received) < answers:
                await asyncio.sleep(0.001)

        self._loop.run_until_complete(asyncio.wait_for(wait(), PATIENCE_S))

    def close(self) -> str:
        self._server.protocol.disconnected()
        assert self._server.session.scheduler.close(PATIENCE_S)
        self._loop.run_until_complete(_cancel_others())
        self._loop.close()
        return self._log.text()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class _Log(logging.Handler):
    """Collects what is logged at INFO and above, as it would be written, with tracebacks."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter())
        root = logging.getLogger()
        self._level = root.level
        root.addHandler(self)
        root.setLevel(logging.INFO)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def text(self) -> str:
        root = logging.getLogger()
        root.removeHandler(self)
        root.setLevel(self._level)
        return "\n".join(self.lines)


class Process:
    """A server process on stdio, which shows the text that it holds by completing with its hash."""

    def __init__(self) -> None:
        program = [sys.executable, "-m", "tests.support.echo_server"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(program, stdin=pipe, stdout=pipe, stderr=pipe)
        self._news = threading.Condition()
        self.received: list[Message] = []
        self._asked = 0
        self._stderr = b""
        self._readers = [
            threading.Thread(target=read, daemon=True) for read in (self._read, self._read_errors)
        ]
        for reader in self._readers:
            reader.start()

    def send(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def differences(self, model: NaiveDocuments) -> list[str]:
        return [name for name in NAMES if self._held(name) != self._expected(model, name)]

    def _held(self, name: str) -> str | None:
        self._asked += 1
        msg_id = f"held {self._asked}"
        position = {"line": 2**31 - 1, "character": 0}
        params = {"textDocument": {"uri": name}, "position": position, "context": {"triggerKind": 1}}
        self.send(framed({"jsonrpc": "2.0", "id": msg_id, "method": INLINE, "params": params}))
        answer = self._wait(lambda: next((one for one in self.received if one.get("id") == msg_id), None))
        self.received.remove(answer)
        if "error" in answer:
            return str(answer["error"]["code"])
        return str(answer["result"]["items"][0]["insertText"])

    @staticmethod
    def _expected(model: NaiveDocuments, name: str) -> str:
        if name not in model.texts:
            return "-32602"
        text = model.texts[name]
        last = text.replace("\r", "\n").rpartition("\n")[2]
        return "-32803" if last.endswith("boom") else digest(text)

    def wait_for(self, answers: int) -> None:
        self._wait(lambda: _count(self.received) >= answers)

    def close(self) -> str:
        self.send(framed({"jsonrpc": "2.0", "method": "exit"}))
        for reader in self._readers:
            reader.join(PATIENCE_S)
        assert self._process.wait(PATIENCE_S) == 0
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()
        return self._stderr.decode()

    def _wait(self, wanted: Any) -> Any:
        with self._news:
            assert self._news.wait_for(lambda: wanted() or not self._readers[0].is_alive(), PATIENCE_S)
            return wanted()

    def _read(self) -> None:
        assert self._process.stdout is not None
        frames = FrameParser()
        while chunk := self._process.stdout.read1():
            with self._news:
                self.received += map(json.loads, frames.feed(chunk))
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        self._stderr = self._process.stderr.read()


def framed(message: object) -> bytes:
    body = json.dumps(message).encode()
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def _count(received: list[Message]) -> int:
    return sum("method" not in message for message in received)


def _paths(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths in a JSON value at which something could be replaced."""
    for key, inner in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield (*path, key)
        yield from _paths(inner, (*path, key))


def corrupted(draw: st.DataObject, params: Message) -> Message:
    """The parameters with one value replaced or missing."""
    params = copy.deepcopy(params)
    *path, last = draw.draw(st.sampled_from(list(_paths(params))))
    around: Any = params
    for key in path:
        around = around[key]
    if isinstance(around, dict) and draw.draw(st.booleans()):
        del around[last]
    else:
        around[last] = draw.draw(hostile)
    return params


class Session(RuleBasedStateMachine):
    """An editor and a server, and a model of the documents that the editor has open."""

    link_type: type[InProcess | Process] = InProcess

    def __init__(self) -> None:
        super().__init__()
        self.link: Link = self.link_type()
        self.model = NaiveDocuments()
        self.version = 0
        #: How many answers each id, as JSON, must have; messages without an id count under ``null``.
        self.expected: Counter[str] = Counter()

    def ask(self, msg_id: object, method: object, params: object, instead: Message | None = None) -> None:
        is_id = isinstance(msg_id, int | str) and not isinstance(msg_id, bool)
        self.expected[json.dumps(msg_id if is_id else None)] += 1
        message = {"jsonrpc": "2.0", "id": msg_id, "method": method, "params": params}
        self.link.send(framed(message | (instead or {})))

    def notify(self, method: str, params: object) -> None:
        self.link.send(framed({"jsonrpc": "2.0", "method": method, "params": params}))

    def edits(self, name: str, draw: st.DataObject) -> Message:
        """A didChange with some edits, each in positions of the text before it."""
        later = NaiveDocuments()
        later.encoding = self.model.encoding
        plain = draw.draw(st.just(name))
        key = next(key for key, spelled in NAMES.items() if plain in spelled)
        later.texts[key] = self.model.texts.get(key, "")
        self.version += 1
        params: Message = {"textDocument": {"uri": name, "version": self.version}, "contentChanges": []}
        for _ in range(draw.draw(st.integers(1, 3))):
            text = later.texts[key]
            start, end = sorted(draw.draw(offsets) % (len(text) + 1) for _ in range(2))
            change: Message = {"text": draw.draw(texts)}
            if draw.draw(st.integers(0, 9)):
                change["range"] = {
                    "start": position_of(text, start, later.encoding),
                    "end": position_of(text, end, later.encoding),
                }
            later.change({"textDocument": params["textDocument"], "contentChanges": [change]})
            params["contentChanges"].append(change)
        return params

    def position(self, name: str, draw: st.DataObject) -> Message:
        """Parameters of a completion somewhere in the document, or just outside of it."""
        text = next((text for key, text in self.model.texts.items() if name in NAMES.get(key, ())), "")
        position = position_of(text, draw.draw(offsets) % (len(text) + 1), self.model.encoding)
        position["character"] += draw.draw(st.sampled_from([0, 0, 0, 1, 2**31 - 1 - position["character"]]))
        context = {"triggerKind": draw.draw(st.sampled_from([1, 2, 0]))}
        return {"textDocument": {"uri": name}, "position": position, "context": context}

    @initialize(encoding=st.sampled_from(ENCODINGS), msg_id=ids)
    def begin(self, encoding: str, msg_id: object) -> None:
        self.model.encoding = encoding
        general = {"positionEncodings": [encoding]}
        capabilities = {"general": general, "textDocument": {"inlineCompletion": {}}}
        self.ask(msg_id, "initialize", {"processId": None, "capabilities": capabilities})
        self.notify("initialized", {})

    @rule(name=names, text=texts, language=st.sampled_from(["python", "javascript", "", "\x00"]))
    def open(self, name: str, text: str, language: str) -> None:
        self.version += 1
        item = {"uri": name, "languageId": language, "version": self.version, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})
        self.model.open({"textDocument": item})

    @rule(name=names, text=texts, draw=st.data())
    def open_badly(self, name: str, text: str, draw: st.DataObject) -> None:
        item = {"uri": name, "version": 1, "text": text}
        params = corrupted(draw, {"textDocument": item})
        if isinstance(params.get("textDocument"), dict):
            params["textDocument"]["languageId"] = "python"
        self.notify("textDocument/didOpen", params)
        self.model.open(params)

    @rule(name=names, draw=st.data())
    def change(self, name: str, draw: st.DataObject) -> None:
        params = self.edits(name, draw)
        self.notify("textDocument/didChange", params)
        self.model.change(params)

    @rule(name=names, draw=st.data())
    def change_badly(self, name: str, draw: st.DataObject) -> None:
        params = corrupted(draw, self.edits(name, draw))
        self.notify("textDocument/didChange", params)
        self.model.change(params)

    @rule(name=names, msg_id=ids, draw=st.data())
    def complete(self, name: str, msg_id: object, draw: st.DataObject) -> None:
        self.ask(msg_id, INLINE, self.position(name, draw))

    @rule(name=names, msg_id=ids, method=st.sampled_from(REQUESTS), draw=st.data())
    def ask_badly(self, name: str, msg_id: object, method: str, draw: st.DataObject) -> None:
        params = (
            draw.draw(hostile) if draw.draw(st.booleans()) else corrupted(draw, self.position(name, draw))
        )
        self.ask(msg_id, method, params)

    @rule(method=st.sampled_from(NOTIFICATIONS), name=names, draw=st.data())
    def tell_badly(self, method: str, name: str, draw: st.DataObject) -> None:
        params = draw.draw(hostile)
        if draw.draw(st.booleans()):
            params = {"textDocument": {"uri": name, "version": params}, "item": params, "settings": params}
        self.notify(method, params)

    @rule(msg_id=no_ids, method=st.sampled_from([INLINE, "shutdown", "checkStatus"]))
    def ask_without_an_id(self, msg_id: object, method: str) -> None:
        self.ask(msg_id, method, {})

    @rule(msg_id=ids, message=st.sampled_from([{"method": 5}, {"method": None}, {"jsonrpc": "1.0"}]))
    def ask_in_another_protocol(self, msg_id: object, message: Message) -> None:
        self.ask(msg_id, "checkStatus", {}, message)

    @rule(msg_id=ids, outcome=st.sampled_from(["result", "error"]), value=hostile)
    def answer_what_was_not_asked(self, msg_id: object, outcome: str, value: object) -> None:
        self.link.send(framed({"jsonrpc": "2.0", "id": msg_id, outcome: value}))

    @rule(body=st.sampled_from(NO_MESSAGES))
    def send_no_message(self, body: bytes) -> None:
        self.expected["null"] += 1
        self.link.send(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    @rule(msg_id=st.one_of(ids, no_ids))
    def cancel(self, msg_id: object) -> None:
        self.notify("$/cancelRequest", {"id": msg_id})

    @rule(name=names)
    def close(self, name: str) -> None:
        params = {"textDocument": {"uri": name}}
        self.notify("textDocument/didClose", params)
        self.model.close(params)

    @rule(
        key=st.sampled_from(
            [
                *("enabled", "automatic", "languages", "completion", "debounce", "exclude", "nobody"),
                "copilot-server",
            ]
        ),
        value=hostile,
    )
    def configure(self, key: str, value: object) -> None:
        if (key, value) == ("enabled", False):
            value = True  # the engine would get no requests any more
        self.notify("workspace/didChangeConfiguration", {"settings": {key: value}})

    @rule(pause_s=st.sampled_from([0.0, 0.002, 0.01]))
    def let_it_work(self, pause_s: float) -> None:
        time.sleep(pause_s)

    @invariant()
    def the_texts_are_equal(self) -> None:
        assert self.link.differences(self.model) == []

    def teardown(self) -> None:
        log = ""
        try:
            self.ask("the end", "shutdown", None)
            self.link.wait_for(self.expected.total())
            answers = [message for message in self.link.received if "method" not in message]
            found = Counter(json.dumps(answer["id"]) for answer in answers)
            assert (found - self.expected, self.expected - found) == (Counter(), Counter())
            errors = json.dumps([answer["error"] for answer in answers if "error" in answer])
            assert MARKER not in errors
            assert "Traceback" not in errors
        finally:
            log = self.link.close()
        assert MARKER not in log
        assert "Traceback" not in log


class ProcessSession(Session):
    """The same with a server process on stdio."""

    link_type = Process


def run(
    session: type[Session], max_examples: int, steps: int, phases: Collection[Phase] = tuple(Phase)
) -> None:
    chosen = settings(
        max_examples=max_examples,
        stateful_step_count=steps,
        deadline=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(session, settings=chosen)


def test_any_session_keeps_the_texts_equal_and_answers_once() -> None:
    run(Session, 100, 30)


def test_any_session_with_a_process_does_so_too() -> None:
    run(ProcessSession, 5, 30)


@pytest.mark.long
def test_many_sessions() -> None:
    run(Session, 3000, 50)
    run(ProcessSession, 100, 50)


# Twins: with such a bug in the server, sessions fail.


def _answer_twice(protocol: CopilotProtocol, msg_id: int | str, result: object) -> None:
    for _ in range(2):
        protocol._send_data({"jsonrpc": "2.0", "id": msg_id, "result": result})


def _answer_no_error(protocol: CopilotProtocol, msg_id: int | str | None, error: BaseException) -> None:
    del protocol, msg_id, error


def _log_params(converter: object, method: str, params: object) -> Any:
    logging.getLogger("copilot_server").info("%s %s", method, params)
    return read_params(converter, method, params)  # type: ignore[arg-type]


def _python_lines(text: str) -> list[int]:
    return [*map(len, text.splitlines(keepends=True)), 0]


def _keep_surrogates(text: str) -> str:
    return text


MISTAKES = [
    (CopilotProtocol, "_send_result", _answer_twice),
    (CopilotProtocol, "_send_error", _answer_no_error),
    (protocol, "read_params", _log_params),
    (lines, "_lengths", _python_lines),
    (documents, "_without_surrogates", _keep_surrogates),
]


@pytest.mark.parametrize(
    ("where", "name", "mistake"), MISTAKES, ids=lambda value: getattr(value, "__name__", value)
)
def test_a_mistake_of_the_server_fails_a_session(
    where: object, name: str, mistake: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(where, name, mistake)
    monkeypatch.setattr(sys.modules[__name__], "PATIENCE_S", 2.0)
    with pytest.raises((AssertionError, TimeoutError, UnicodeError, ExceptionGroup)):
        run(Session, 200, 30, [Phase.generate])


# Messages that are too large to be generated.


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("piece", ["ab(é中😀\u2028\f\x00", "plain ascii "])
def test_lines_of_ten_megabytes_are_followed(encoding: str, piece: str) -> None:
    long = piece * (10_000_000 // len(piece.encode()))
    link, model = InProcess(), NaiveDocuments()
    ask = {"jsonrpc": "2.0", "id": 1, "method": "initialize"}
    link.send(framed(ask | {"params": {"capabilities": {"general": {"positionEncodings": [encoding]}}}}))
    item = {"uri": "file:///b.js", "languageId": "x", "version": 1, "text": f"first\r\n{long}\rlast"}
    link.send(framed({"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {"textDocument": item}}))
    # The model would take minutes, so the positions are computed from the pieces.
    text, width = item["text"], sum(units(character, encoding) for character in piece)
    for version, (pieces, inserted) in enumerate(
        [(0, "x"), (1000, "\ud83d"), (len(long) // len(piece), "\n")], 2
    ):
        at = {
            "line": 1,
            "character": pieces * width + (version > 2) + (version > 3) * units("\ufffd", encoding),
        }
        change = {"range": {"start": at, "end": at}, "text": inserted}
        params = {"textDocument": {"uri": item["uri"], "version": version}, "contentChanges": [change]}
        link.send(framed({"jsonrpc": "2.0", "method": "textDocument/didChange", "params": params}))
        offset = len("first\r\n") + pieces * len(piece) + version - 2
        text = text[:offset] + inserted.replace("\ud83d", "\ufffd") + text[offset:]
    model.texts["file:///b.js"] = text
    assert link.differences(model) == []
    link.close()


@given(st.integers(-40, 200), st.lists(st.binary(max_size=30), max_size=3), st.integers(1, 9))
def test_a_header_that_lies_costs_no_more_than_the_message_after_it(
    error: int, garbage: list[bytes], chunk: int
) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "checkStatus"}).encode()
    lie = b"Content-Length: %d\r\n\r\n%s" % (max(0, len(body) + error), body)
    good = [framed({"jsonrpc": "2.0", "id": number, "method": "checkStatus"}) for number in range(2, 12)]
    stream = lie + b"".join(one.replace(b"\r\n\r\n", b"") for one in garbage) + b"".join(good)
    frames, taken = FrameParser(), list[bytes]()
    for start in range(0, len(stream), chunk):
        taken += frames.feed(stream[start : start + chunk])
    assert taken[-6:] == [one.partition(b"\r\n\r\n")[2] for one in good[-6:]]
