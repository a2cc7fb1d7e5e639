"""The real server, whose completion at any position is the hash of the document's text. Run as a program.

After ``slow`` a request is answered when it is cancelled; after ``boom`` it fails.
"""

from __future__ import annotations

import hashlib
import time

from copilot_server.completion.types import Candidate, Completion, CompletionRequest
from copilot_server.config import CompletionSettings, Settings
from copilot_server.engine.base import Cancel
from copilot_server.lsp.server import serve


class Echo:
    """A pipeline that reports what the server holds for the document."""

    notices = ()

    def complete(self, request: CompletionRequest, cancel: Cancel, *_: object) -> Completion:
        text = request.cursor.document.text
        if request.cursor.line_prefix.endswith("slow"):
            while not cancel.is_set():
                time.sleep(0.001)
            return Completion((), "model", "echo", cancelled=True)
        if request.cursor.line_prefix.endswith("boom"):
            raise RuntimeError(f"cannot read {text}")
        return Completion((Candidate(digest(text), 0.0, "stop"),), "model", "echo")

    def next_requests(self, *_answered: object) -> tuple[CompletionRequest, ...]:
        return ()

    def read_ahead(self, *_wanted: object) -> bool:
        return False

    def configure(self, settings: CompletionSettings) -> None:
        pass

    def watch(self, _on_error: object) -> None:
        pass

    def lookup(self, _request: CompletionRequest) -> Completion | None:
        return None


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def open_echo(*_: object) -> Echo:
    return Echo()


if __name__ == "__main__":
    serve(Settings(statistics=False), open_pipeline=open_echo)
