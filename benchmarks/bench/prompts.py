"""The prompts that our pipeline builds, to give other engines the same ones."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench.corpus import Position
from copilot_server.catalog import FimTokens, ModelRef
from copilot_server.completion.pipeline import Pipeline
from copilot_server.completion.types import CompletionRequest
from copilot_server.config import CompletionSettings, PromptProtocolSetting
from copilot_server.context.document import Cursor, Document
from copilot_server.engine.base import Cancel, Generation, GenerationRequest, Prompt, Special
from copilot_server.engine.models.tokenizer import Tokenizer, load_tokenizer
from copilot_server.engine.models.vocabulary import detect_fim


@dataclass(frozen=True, slots=True)
class Infill:
    """An infilling prompt. ``line`` is the line of the cursor up to the cursor.

    ``whole`` is the whole prompt with its control tokens, as the model reads it.
    """

    before: str
    line: str
    after: str
    whole: str


class PromptRecorder:
    """An engine that writes nothing and keeps the requests."""

    device, dtype, context_length = "none", "none", 32768
    notices = ()

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.asked: list[GenerationRequest] = []

    def knows(self, special: Special) -> bool:
        """See ``Engine.knows``."""
        return self.tokenizer.knows(special)

    def count_tokens(self, text: str) -> int:
        """See ``Engine.count_tokens``."""
        return len(self.tokenizer.encode_text(text))

    def stable_length(self, text: str) -> int:
        """See ``Engine.stable_length``."""
        return self.tokenizer.stable_length(text)

    def generate(self, request: GenerationRequest, cancel: Cancel) -> list[Generation]:
        """Keep the request. A cancelled generation is neither shown nor cached."""
        return self.generate_batch([request], cancel)[0]

    def generate_batch(
        self,
        requests: Sequence[GenerationRequest],
        cancel: Cancel,  # noqa: ARG002
        on_done: Callable[[int, list[Generation]], None] | None = None,
        *,
        batch_size: int = 16,  # noqa: ARG002
    ) -> list[list[Generation]]:
        """Keep the requests."""
        self.asked += requests
        answers = [[Generation("", (), 0.0, "cancelled", 0)] for _ in requests]
        for index, answer in enumerate(answers) if on_done else ():
            on_done(index, answer)  # type: ignore[misc]
        return answers

    def close(self) -> None:
        """Do nothing: there is no memory to return."""


class PromptBook:
    """The prompts for the model ``ref``, whose tokenizer is in ``folder``."""

    def __init__(self, ref: ModelRef, folder: Path) -> None:
        self._recorder = PromptRecorder(load_tokenizer(folder))
        self._manifest = detect_fim(ref.manifest, self._recorder)
        self._infills: dict[tuple[str, int], Infill] = {}

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens in a text."""
        return self._recorder.count_tokens(text)

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text."""
        return self._recorder.tokenizer.encode_text(text)

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the text of tokens that are not control tokens."""
        token_bytes = self._recorder.tokenizer.token_bytes.by_id
        return b"".join(token_bytes[token_id] for token_id in token_ids).decode(errors="replace")

    def token_ids(self, prompt: Prompt) -> list[int]:
        """Return the tokens of a prompt, including the forced beginning of the output."""
        return self._recorder.tokenizer.encode(Prompt((*prompt.parts, prompt.forced)))

    def infill(self, position: Position) -> Infill:
        """Return the infilling prompt at a position. It is computed once."""
        key = (position.passage.uri, position.typed)
        if key not in self._infills:
            asked = self._asked(CompletionRequest(cursor_at(position)), "fim")
            self._infills[key] = _split(asked.prompt, self._manifest.fim)
        return self._infills[key]

    def served(self, request: CompletionRequest) -> GenerationRequest:
        """Return the request that the pipeline makes with its default settings."""
        return self._asked(request, "auto")

    def _asked(self, request: CompletionRequest, protocol: PromptProtocolSetting) -> GenerationRequest:
        pipeline = Pipeline(self._recorder, self._manifest, CompletionSettings(protocol=protocol))
        pipeline.complete(request, threading.Event())
        return self._recorder.asked.pop()


def cursor_at(position: Position) -> Cursor:
    """Return the cursor of our pipeline at a position."""
    return Cursor(Document(position.passage.uri, "python", position.document), position.offset)


def _split(prompt: Prompt, fim: FimTokens | None) -> Infill:
    """Split an infilling prompt at its control tokens."""
    assert fim is not None
    parts = (*prompt.parts, prompt.forced)
    whole = "".join(part if isinstance(part, str) else part.name for part in parts)
    _, _, rest = whole.partition(fim.prefix)
    before, _, rest = rest.partition(fim.suffix)
    after, _, begun = rest.partition(fim.middle)
    lines, end, line = f"{before}{begun}".rpartition("\n")
    return Infill(before=lines + end, line=line, after=after, whole=whole)
