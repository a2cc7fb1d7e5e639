"""An engine on 127.0.0.1 that answers each path with whatever a test chooses, byte by byte if need be."""

from __future__ import annotations

import json
import socketserver
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Self

#: Writes an answer through the function that it is given, which raises OSError once the client has hung up.
Answer = Callable[[Callable[[bytes], object]], None]

MODEL = "a-model"
#: How often an answer that would go on for ever is continued, unless a test says otherwise.
MANY = 20_000


class HostileEngine:
    """Serves ``MODEL`` and completes ``1`` until a test puts another answer into ``answers``.

    ``asked``: how often each path was requested. ``hung_up``: how often a client closed before the end.
    ``fields``: the names of all header fields that it was sent.
    """

    def __init__(self, answers: Mapping[str, Answer] | None = None) -> None:
        self.answers = HONEST | dict(answers or {})
        self.asked: Counter[str] = Counter()
        self.hung_up: Counter[str] = Counter()
        self.bodies: list[bytes] = []
        self.fields: set[bytes] = set()
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.stopped = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[socketserver.StreamRequestHandler]:
        engine = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with suppress(OSError, IndexError):  # the client has gone, perhaps before it asked
                    engine._serve(self)

        return Handler

    def _serve(self, handler: socketserver.StreamRequestHandler) -> None:
        path = handler.rfile.readline().split(b" ")[1].decode().removeprefix("/")
        length = 0
        while (line := handler.rfile.readline()).strip():
            self.fields.add(line.partition(b":")[0].lower())
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        body = handler.rfile.read(length)
        self.bodies.append(body)
        self.asked[path] += 1

        def write(data: bytes) -> None:
            if self.stopped.is_set():
                raise ConnectionError
            handler.wfile.write(data)

        try:
            self.answer_to(path, body)(write)
        except ConnectionError:
            self.hung_up[path] += 1

    def answer_to(self, path: str, body: bytes) -> Answer:  # noqa: ARG002 - for engines that read it
        """Return the answer to a request."""
        return self.answers.get(path, MISSING)


def whole(body: bytes, *headers: str, status: str = "200 OK", kind: str = "application/json") -> Answer:
    """An answer of one piece."""
    fields = [f"content-type: {kind}", f"content-length: {len(body)}", "connection: close", *headers]
    head = "\r\n".join([f"HTTP/1.1 {status}", *fields]) + "\r\n\r\n"
    return lambda write: write(head.encode() + body)


def repeated(begin: bytes, again: bytes, *, times: int = MANY, pause_s: float = 0.0) -> Answer:
    """An answer that would go on: ``begin``, and then ``again`` until the client hangs up.

    It ends after ``times``, so that a client that takes everything fails the test and not the machine.
    """

    def answer(write: Callable[[bytes], object]) -> None:
        pause = threading.Event()
        write(begin)
        for _ in range(times):
            write(again)
            if pause_s:
                pause.wait(pause_s)

    return answer


def head(kind: str, *headers: str) -> bytes:
    """The head of an answer that ends when the connection does."""
    fields = [f"content-type: {kind}", "connection: close", *headers]
    return ("\r\n".join(["HTTP/1.1 200 OK", *fields]) + "\r\n\r\n").encode()


def event(text: str, finish: str | None = None, **more: object) -> bytes:
    """An event of a completion."""
    choice = {"index": 0, "text": text, "finish_reason": finish, **more}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


def models(*names: object, **more: object) -> bytes:
    """The body of a list of models."""
    return json.dumps({"data": [{"id": name, "owned_by": "someone", **more} for name in names]}).encode()


EVENTS = head("text/event-stream")
MISSING = whole(b"", status="404 Not Found")
HONEST: dict[str, Answer] = {
    "health": whole(b"{}"),
    "v1/models": whole(models(MODEL)),
    "v1/completions": lambda write: write(EVENTS + event("1") + event("", "stop") + b"data: [DONE]\n\n"),
}
