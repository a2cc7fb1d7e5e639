"""copilot-server as an editor runs it: a process that speaks LSP over stdio."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import IO, Any

from benchmarks.bench.corpus import Position
from benchmarks.bench.editing import Pending
from benchmarks.bench.processes import end, resident_mb, wait_until_idle

_CAPABILITIES = {"textDocument": {"inlineCompletion": {}}, "window": {"workDoneProgress": True}}
_BY_TYPING = 2  # InlineCompletionTriggerKind.Automatic, LSP 3.18
_REPLY_S = 60.0
_LOAD_S = 900.0

Message = dict[str, Any]
OnReply = Callable[[Message], None]


class LspServer:
    """A ``copilot-server`` process. ``ready_s`` is the time from its start until its model is loaded.

    Raises:
        RuntimeError: the server could not load the model.
    """

    def __init__(self, arguments: Sequence[str] = ()) -> None:
        start = time.perf_counter()
        command = [sys.executable, "-m", "copilot_server", *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._ids = count(1)
        self._replies: dict[int, OnReply] = {}
        self._writing = threading.Lock()
        self._loaded: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._position: Position | None = None
        self._version = 0
        self._model_answers = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._call("initialize", {"processId": None, "capabilities": _CAPABILITIES})
        self._notify("initialized", {})
        outcome = self._loaded.get(timeout=_LOAD_S)
        self.ready_s = time.perf_counter() - start
        if outcome != "done":
            self.close()
            msg = f"copilot-server did not load its model: {outcome}."
            raise RuntimeError(msg)

    @property
    def rss_mb(self) -> float:
        """The current memory of the process."""
        return resident_mb(self.process)

    def open(self, position: Position) -> None:
        """Close the current document, and open another as it is at ``position``."""
        if self._position is not None:
            self._notify("textDocument/didClose", {"textDocument": {"uri": self._position.passage.uri}})
        item = {"uri": position.passage.uri, "languageId": "python", "version": 1, "text": position.document}
        self._position, self._version = position, 1
        self._notify("textDocument/didOpen", {"textDocument": item})

    def move_cursor(self, position: Position) -> None:
        """Report the cursor, as an editor's plugin does."""
        params = {"textDocument": {"uri": position.passage.uri}, "position": _lsp_position(position)}
        self._notify("copilotServer/didMoveCursor", params)

    def ask(self, position: Position) -> Pending:
        """Send the change and the request."""
        # An editor has all of this already, so it does not count.
        change = self._change(position)
        request = {
            "textDocument": {"uri": position.passage.uri},
            "position": _lsp_position(position),
            "context": {"triggerKind": _BY_TYPING},
        }
        msg_id = next(self._ids)
        pending = Pending(lambda: self._notify("$/cancelRequest", {"id": msg_id}))
        self._replies[msg_id] = lambda message: _settle(pending, message)
        if change is not None:
            self._notify("textDocument/didChange", change)
        self._send({"id": msg_id, "method": "textDocument/inlineCompletion", "params": request})
        return pending

    def stats(self) -> Message:
        """Return the counters of the server."""
        counted: Message = self._call("copilotServer/stats", None)
        return counted

    def by_model(self) -> bool | None:
        """Return whether the server has counted one more answer of its model."""
        counted: int = self.stats()["answers"].get("model", 0)
        asked = counted > self._model_answers
        self._model_answers = counted
        return asked

    def settle(self) -> None:
        """Wait until the server has finished its prefetches."""
        wait_until_idle(self.process)

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self._reader.join()  # it reads the stream to its end, which can then be closed
        end(self.process)

    def _change(self, position: Position) -> Message | None:
        """Return the incremental change from the last place to this one."""
        last, self._position = self._position, position
        if last is None or last.typed == position.typed:
            return None
        self._version += 1
        at = _lsp_position(last)
        text = position.passage.source[last.typed : position.typed]
        return {
            "textDocument": {"uri": position.passage.uri, "version": self._version},
            "contentChanges": [{"range": {"start": at, "end": at}, "text": text}],
        }

    def _call(self, method: str, params: object) -> Any:  # noqa: ANN401 - JSON
        msg_id = next(self._ids)
        reply: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._replies[msg_id] = reply.put
        self._send({"id": msg_id, "method": method, "params": params})
        message = reply.get(timeout=_REPLY_S)
        if "error" in message:
            raise RuntimeError(message["error"]["message"])
        return message["result"]

    def _notify(self, method: str, params: object) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: Message) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin is not None
        with self._writing:
            self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            self.process.stdin.flush()

    # The reading thread runs the methods below.

    def _read(self) -> None:
        assert self.process.stdout is not None
        while (message := _read_message(self.process.stdout)) is not None:
            self._take(message)
        for reply in list(self._replies.values()):
            reply({"error": {"message": "copilot-server has ended"}})
        self._loaded.put("it has ended")

    def _take(self, message: Message) -> None:
        if "method" not in message:
            self._replies.pop(message["id"])(message)
        elif "id" in message:
            self._send({"id": message["id"], "result": None})
        elif message["method"] == "$/progress" and message["params"]["value"]["kind"] == "end":
            self._loaded.put(message["params"]["value"].get("message", ""))


def _settle(pending: Pending, message: Message) -> None:
    if "error" in message:
        pending.fail(message["error"]["message"])
        return
    items = message["result"]["items"]
    pending.settle(items[0]["insertText"] if items else "")


def _lsp_position(position: Position) -> dict[str, int]:
    """Return the cursor. The files are ASCII, so a column is the same in every encoding."""
    before = position.document[: position.offset]
    return {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}


def _read_message(stream: IO[bytes]) -> Message | None:
    """Return the next message, or None at the end of the stream."""
    length = None
    while (line := stream.readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    if length is None:
        return None
    message: Message = json.loads(stream.read(length))
    return message
