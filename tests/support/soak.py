"""Hours of typing: keys for a server on stdio, faster than it answers, with random cancellations.

The typed text is functions of Python's standard library, in their files, as the bench replays them: letter by
letter, with letters deleted, suggestions accepted and undone, and moves to other files.
"""

from __future__ import annotations

import json
import queue
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil

from benchmarks.bench.corpus import Passage

PATIENCE_S = 300.0
INLINE = "textDocument/inlineCompletion"

#: Shares of the keys: deleted ones, those with a cancelled request, and those after which the user looks up.
TAKEN_BACK, CANCELLED, LOOKED_AT = 0.05, 0.15, 0.05
#: The share of the suggestions looked at that is accepted (and half of these are undone).
ACCEPTED = 0.4

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """The state of the editor at a request: its text, and the cursor in code points."""

    msg_id: int
    uri: str
    text: str
    offset: int


@dataclass(frozen=True, slots=True)
class Suggested:
    """The suggestion for a request: ``text`` replaces what is from ``start`` to ``end``."""

    asked: Asked
    text: str
    start: int
    end: int

    @property
    def document(self) -> str:
        """The document after it is accepted, without blanks at the ends of lines."""
        whole = self.asked.text[: self.start] + self.text + self.asked.text[self.end :]
        return "\n".join(line.rstrip() for line in whole.split("\n"))


def misfit(suggested: Suggested) -> str | None:
    """What is wrong with a suggestion, judged by the editor's text alone; None if it fits.

    It is inserted at the cursor. It may replace the rest of the cursor's line, but must not lose any of it:
    each of its characters is in the suggestion, in the same order.
    """
    asked = suggested.asked
    line_end = min(at for at in (asked.text.find("\n", asked.offset), len(asked.text)) if at >= 0)
    if suggested.start != asked.offset:
        return "it does not begin at the cursor"
    if not asked.offset <= suggested.end <= line_end:
        return "it goes over more than the rest of the line"
    letters = iter(suggested.text)
    if not all(letter in letters for letter in asked.text[asked.offset : suggested.end].strip()):
        return "it loses what the user has typed"
    if not suggested.text.strip():
        return "it suggests nothing"
    return None


@dataclass
class Record:
    """The outcome of a soak.

    ``asked`` and ``answered`` count requests and answers by id, ``errors`` by code. Of the ``suggested``,
    ``shown`` are those that came while the text was still the one of their request, and ``fresh`` those that
    lead to a document to which no earlier one led, so that they are not the rest of one that was seen.
    ``misfits`` say what was wrong with which suggestion. ``rss_mb`` is the server's memory, sampled evenly
    over the keys.
    """

    asked: Counter[int] = field(default_factory=Counter)
    answered: Counter[int] = field(default_factory=Counter)
    errors: Counter[int] = field(default_factory=Counter)
    suggested: int = 0
    shown: int = 0
    fresh: list[Suggested] = field(default_factory=list)
    misfits: list[tuple[str, Suggested]] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)

    def growth(self, warm_up: float) -> float:
        """Return by which share the memory has grown since the first ``warm_up`` of the keys.

        Medians of a tenth of the samples each are compared, so that no single garbage collection decides.
        """
        tenth = max(1, len(self.rss_mb) // 10)
        first = int(len(self.rss_mb) * warm_up)
        before, after = self.rss_mb[first : first + tenth], self.rss_mb[-tenth:]
        return sorted(after)[len(after) // 2] / sorted(before)[len(before) // 2] - 1.0


class Typing:
    """A session: one client thread that types, and one that reads."""

    def __init__(self, program: Sequence[str], seed: int) -> None:
        self.record = Record()
        self._draw = random.Random(seed)
        self._process = subprocess.Popen(
            [sys.executable, *program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._watched = psutil.Process(self._process.pid)
        self._came: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._waiting: dict[int, Asked] = {}
        self._seen: set[int] = set()
        self._last_id = 0
        self._uri, self._text, self._offset, self._version = "", "", 0, 0
        self._on_screen: Suggested | None = None
        params = {
            "processId": None,
            "capabilities": {"textDocument": {"inlineCompletion": {}}},
            "initializationOptions": {"statistics": False},  # nobody has typed this
        }
        self._wait_for(self._request("initialize", params))
        self._tell("initialized", {})

    def type(self, passages: Sequence[Passage], keys: int, pause_s: float, samples: int = 100) -> None:
        """Press ``keys`` keys, ``pause_s`` apart on average, an equal share in each passage."""
        pressed = 0
        for number, passage in enumerate(passages, 1):
            self._open(passage)
            source = iter(passage.source * (keys // len(passage.source) + 1))
            while pressed < keys * number // len(passages):
                self._key(next(source))
                pressed += 1
                self._take_answers()
                if pressed % max(1, keys // samples) == 0:
                    self.record.rss_mb.append(self._watched.memory_info().rss / 1e6)
                time.sleep(self._draw.expovariate(1 / pause_s))
            self._tell("textDocument/didClose", {"textDocument": {"uri": self._uri}})

    def close(self) -> int:
        """Wait for all answers, end the session, and return the exit code."""
        self._wait_for(self._request("shutdown", None))
        self._tell("exit", None)
        self._reader.join(PATIENCE_S)
        while (message := self._came.get(timeout=PATIENCE_S)) is not None:
            self._take(message)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        code = self._process.wait(PATIENCE_S)
        self._process.stdout.close()
        return code

    # Typing.

    def _open(self, passage: Passage) -> None:
        self._uri, self._text, self._offset = passage.uri, passage.document(0), passage.start
        self._version, self._on_screen = 1, None
        item = {"uri": self._uri, "languageId": "python", "version": 1, "text": self._text}
        self._tell("textDocument/didOpen", {"textDocument": item})

    def _key(self, letter: str) -> None:
        if self._draw.random() < TAKEN_BACK:
            self._edit(self._offset - 1, self._offset, "")
            self._ask()
        self._edit(self._offset, self._offset, letter)
        msg_id = self._ask()
        if self._draw.random() < CANCELLED:
            time.sleep(self._draw.choice([0.0, 0.001, 0.02]))
            waiting = list(self._waiting) or [msg_id]
            self._tell("$/cancelRequest", {"id": self._draw.choice([msg_id, *waiting])})
        elif self._draw.random() < LOOKED_AT:
            self._wait_for(msg_id)
            self._look()

    def _look(self) -> None:
        """Look at the suggestion, and perhaps accept it; half of the accepted ones are undone."""
        shown = self._on_screen
        if shown is None or self._draw.random() >= ACCEPTED:
            return
        replaced = self._text[shown.start : shown.end]
        self._edit(shown.start, shown.end, shown.text)
        self._wait_for(self._ask())
        if self._draw.random() < 0.5:
            self._edit(shown.start, shown.start + len(shown.text), replaced)
            self._offset = shown.start
            self._ask()

    def _edit(self, start: int, end: int, text: str) -> None:
        at = [_position(self._text, offset) for offset in (start, end)]
        self._version, self._on_screen = self._version + 1, None
        self._text = self._text[:start] + text + self._text[end:]
        self._offset = start + len(text)
        change = {"range": {"start": at[0], "end": at[1]}, "text": text}
        document = {"uri": self._uri, "version": self._version}
        self._tell("textDocument/didChange", {"textDocument": document, "contentChanges": [change]})

    def _ask(self) -> int:
        position = _position(self._text, self._offset)
        params = {"textDocument": {"uri": self._uri}, "position": position, "context": {"triggerKind": 2}}
        msg_id = self._request(INLINE, params)
        self._waiting[msg_id] = Asked(msg_id, self._uri, self._text, self._offset)
        return msg_id

    # Messages.

    def _request(self, method: str, params: object) -> int:
        self._last_id += 1
        self.record.asked[self._last_id] += 1
        self._send({"id": self._last_id, "method": method, "params": params})
        return self._last_id

    def _tell(self, method: str, params: object) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: Message) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _wait_for(self, msg_id: int) -> None:
        while not self.record.answered[msg_id]:
            message = self._came.get(timeout=PATIENCE_S)
            assert message is not None, "the server has gone"
            self._take(message)

    def _take_answers(self) -> None:
        while not self._came.empty():
            message = self._came.get()
            assert message is not None, "the server has gone"
            self._take(message)

    def _take(self, message: Message) -> None:
        """Handle an answer as an editor does, which shows it if the text is still the one of the request."""
        if "method" in message:
            return
        self.record.answered[message["id"]] += 1
        asked = self._waiting.pop(message["id"], None)
        if "error" in message:
            self.record.errors[message["error"]["code"]] += 1
        elif asked is not None:
            for item in message["result"]["items"]:
                self._suggest(_suggested(asked, item))

    def _suggest(self, suggested: Suggested) -> None:
        self.record.suggested += 1
        if (leads_to := hash(suggested.document)) not in self._seen:
            self._seen.add(leads_to)
            self.record.fresh.append(suggested)
        if (why := misfit(suggested)) is not None:
            self.record.misfits.append((why, suggested))
        if (suggested.asked.uri, suggested.asked.text) == (self._uri, self._text):
            self.record.shown += suggested.asked.offset == self._offset
            self._on_screen = suggested

    # The thread that reads.

    def _read(self) -> None:
        assert self._process.stdout is not None
        stream = self._process.stdout
        while header := stream.readline():
            if header.lower().startswith(b"content-length"):
                length = int(header.split(b":")[1])
                while stream.readline() != b"\r\n":
                    pass
                self._came.put(json.loads(stream.read(length)))
        self._came.put(None)


def _suggested(asked: Asked, item: Message) -> Suggested:
    start, end = (_offset(asked.text, item["range"][name]) for name in ("start", "end"))
    return Suggested(asked, item["insertText"], start, end)


def _position(text: str, offset: int) -> Message:
    """The files are ASCII and have only line feeds, so a simple conversion of positions is fast enough."""
    before = text[:offset]
    return {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}


def _offset(text: str, position: Message) -> int:
    lines = text.split("\n")[: position["line"]]
    return sum(len(line) + 1 for line in lines) + int(position["character"])
