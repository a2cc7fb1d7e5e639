"""A server with a bug: it repeats its last suggestion, wherever the user is by then.

Usage: stale_server MODEL MAX_NEW_TOKENS
"""

from __future__ import annotations

import sys

from copilot_server.completion.pipeline import Pipeline, open_pipeline
from copilot_server.completion.types import Completion, CompletionRequest
from copilot_server.config import CompletionSettings, Settings
from copilot_server.engine.base import Cancel
from copilot_server.lsp.server import serve


class StalePipeline(Pipeline):
    """Repeats its last answer without looking at the text."""

    last: Completion | None = None

    def lookup(self, _request: CompletionRequest) -> Completion | None:
        return self.last

    def complete(self, request: CompletionRequest, cancel: Cancel, *more: object) -> Completion:
        completion = super().complete(request, cancel, *more)
        self.last = completion if completion.candidates else self.last
        return completion


def open_stale(settings: Settings, *progress: object) -> Pipeline:
    pipeline = open_pipeline(settings, *progress)
    pipeline.__class__ = StalePipeline
    return pipeline


if __name__ == "__main__":
    completion = CompletionSettings(max_new_tokens=int(sys.argv[2]))
    serve(
        Settings(model=sys.argv[1], dtype="float32", statistics=False, completion=completion),
        open_pipeline=open_stale,
    )
