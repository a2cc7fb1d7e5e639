"""The servers that ``lsp_overhead.py`` measures: ours with an engine that answers at once, and one of pygls.

Usage: python -m benchmarks.overhead_servers ours|pygls
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from copilot_server.catalog import resolve
from copilot_server.completion.pipeline import Pipeline
from copilot_server.config import Settings
from copilot_server.engine.base import Cancel, Generation, GenerationRequest, Special
from copilot_server.engine.models.gguf import prepared_folder
from copilot_server.engine.models.tokenizer import Tokenizer, load_tokenizer
from copilot_server.fetch import ensure
from copilot_server.lsp.server import serve

MODEL = "qwen2.5-coder-0.5b"

_PIECE = re.compile(r"\s*\w+|\s*\W")


class InstantEngine:
    """An engine that answers at once, one word at a time, so that the stop rule is called as usual.

    Each answer is different, since the filters would remove a repetition. The model's own tokenizer counts
    the tokens, since planning needs their number.
    """

    device, dtype, context_length = "none", "none", 32_768
    notices = ()

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._asked = 0

    def knows(self, special: Special) -> bool:
        """See ``Engine.knows``."""
        return self._tokenizer.knows(special)

    def count_tokens(self, text: str) -> int:
        """See ``Engine.count_tokens``."""
        return len(self._tokenizer.encode_text(text))

    def stable_length(self, text: str) -> int:
        """See ``Engine.stable_length``."""
        return self._tokenizer.stable_length(text)

    def generate(self, request: GenerationRequest, cancel: Cancel) -> list[Generation]:
        """See ``Engine.generate``."""
        if cancel.is_set():
            return [Generation("", (), 0.0, "cancelled", 0)]
        self._asked += 1
        name = f"total_{self._asked}"
        written = f"{request.prompt.forced}{name} = measure_{self._asked}(each.{name} for each in {name}s)\n"
        text = ""
        for piece in _PIECE.findall(written.removeprefix(request.prompt.forced)):
            text += piece
            if request.until is not None and request.until(text):
                break
        return [Generation(text, (0,) * 20, -0.1, "stop", 20)]

    def generate_batch(
        self,
        requests: Sequence[GenerationRequest],
        cancel: Cancel,
        on_done: Callable[[int, list[Generation]], None] | None = None,
        *,
        batch_size: int = 16,
    ) -> list[list[Generation]]:
        """See ``Engine.generate_batch``."""
        del on_done, batch_size
        return [self.generate(request, cancel) for request in requests]

    def close(self) -> None:
        """Do nothing: there is no memory to return."""


def open_instant(settings: Settings, *_progress: object) -> Pipeline:
    """Return the real pipeline with the instant engine."""
    ref = resolve(settings.model)
    path = ensure(ref, offline=True)
    folder = prepared_folder(path) if path.suffix == ".gguf" else path
    tokenizer = load_tokenizer(folder)
    engine = InstantEngine(tokenizer)
    return Pipeline(engine, ref.manifest, settings.completion, prefetch=settings.speed.ahead)


def serve_pygls() -> None:
    """Serve with pygls alone: its workspace keeps the text, and converts the position."""
    server = LanguageServer("pygls", "0")

    @server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
    def complete(ls: LanguageServer, params: types.InlineCompletionParams) -> types.InlineCompletionList:
        document = ls.workspace.get_text_document(params.text_document.uri)
        document.offset_at_position(params.position)
        cursor = types.Range(params.position, params.position)
        return types.InlineCompletionList([types.InlineCompletionItem("nothing", range=cursor)])

    server.start_io()


if __name__ == "__main__":
    if sys.argv[1:] == ["pygls"]:
        serve_pygls()
    else:
        serve(Settings(model=MODEL, offline=True), open_pipeline=open_instant)
