"""An engine on 127.0.0.1 that writes what a test wants, as long as the test lets it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

from tests.support.hostile_engine import EVENTS, Answer, HostileEngine, event

COMPLETIONS = "v1/completions"

#: Returns what to write for the body of a request.
Writes = Callable[[Mapping[str, Any]], str]


class WritingEngine(HostileEngine):
    """Completes with what ``writes`` returns, while ``is_answering`` is set."""

    def __init__(self, writes: Writes) -> None:
        super().__init__()
        self.writes = writes
        self.is_answering = threading.Event()
        self.is_answering.set()

    def answer_to(self, path: str, body: bytes) -> Answer:
        if path != COMPLETIONS:
            return super().answer_to(path, body)
        text = self.writes(json.loads(body))

        def answer(write: Callable[[bytes], object]) -> None:
            while not self.is_answering.wait(0.01):
                write(b"")  # raises once the engine is stopped
            write(EVENTS + event(text) + event("", "stop") + b"data: [DONE]\n\n")

        return answer
