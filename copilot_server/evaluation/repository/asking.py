"""Asks the pipeline that serves editors for each task, as an editor does.

Each task gets a pipeline of its own, on one engine, so that no task finds what another left in the cache. A
document is opened, which prepares it, and then asked about with nothing of it read before.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import attrs

from copilot_server.catalog import Gate, Manifest
from copilot_server.completion import confidence
from copilot_server.completion.budget import prompt_budget
from copilot_server.completion.filters.draft import Draft
from copilot_server.completion.filters.order import apply_quiet_filters
from copilot_server.completion.gate import is_worthwhile
from copilot_server.completion.pipeline import Pipeline
from copilot_server.completion.scope.scope import situation_at
from copilot_server.completion.types import Candidate, Completion, CompletionRequest
from copilot_server.config import CompletionSettings
from copilot_server.context.document import Cursor
from copilot_server.engine.base import Cancel, Engine, Generation, GenerationRequest, Prompt, Special
from copilot_server.engine.delegating import DelegatingEngine
from copilot_server.engine.details import forget_prompts, prompt_tokens_read
from copilot_server.evaluation.repository.copies import is_leaked
from copilot_server.evaluation.repository.types import Answer, Asked, RepositoryTask
from copilot_server.evaluation.repository.typist import Line, type_line
from copilot_server.workspace.types import MissingName, NameSource, Snippet, SnippetSource

#: How long the index may take to know a document that was opened.
OPENING_S = 60.0


class OpenWorkspace(SnippetSource, NameSource, Protocol):
    """A workspace that knows which documents are open, and that can leave files out."""

    def opened(self, uri: str, language_id: str, text: str) -> None:
        """Let the text of an open document count, and not its file's."""
        ...

    def changed(self, uri: str, text: str) -> None:
        """Take note of the text of an open document."""
        ...

    def closed(self, uri: str) -> None:
        """Let the file of a document count again."""
        ...

    def hide(self, paths: Iterable[Path]) -> None:
        """Let these files contribute nothing, and no others than these be hidden."""
        ...

    def wait(self, timeout_s: float) -> bool:
        """Wait until everything known so far is indexed; return whether it is."""
        ...


class PromptRecorder(DelegatingEngine):
    """Keeps the prompts that an engine was asked with."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.prompts: list[Prompt] = []

    def generate(self, request: GenerationRequest, cancel: Cancel) -> list[Generation]:
        """See ``Engine.generate``."""
        self.prompts.append(request.prompt)
        return super().generate(request, cancel)

    def generate_batch(
        self,
        requests: Sequence[GenerationRequest],
        cancel: Cancel,
        on_done: Callable[[int, list[Generation]], None] | None = None,
        *,
        batch_size: int = 16,
    ) -> list[list[Generation]]:
        """See ``Engine.generate_batch``."""
        self.prompts += [request.prompt for request in requests]
        return super().generate_batch(requests, cancel, on_done, batch_size=batch_size)


class _Counting:
    """Passes on what a workspace says, and counts the snippets of the first request."""

    def __init__(self, workspace: OpenWorkspace) -> None:
        self.workspace = workspace
        self._asked: list[int] = []

    def snippets(self, cursor: Cursor) -> tuple[Snippet, ...]:
        found = self.workspace.snippets(cursor)
        self._asked.append(len(found))
        return found

    def missing_name(self, cursor: Cursor, text: str, replaced: int) -> MissingName | None:
        return self.workspace.missing_name(cursor, text, replaced)

    @property
    def first(self) -> int:
        return self._asked[0] if self._asked else 0


class Asker:
    """Asks for each task with one engine under one set of settings."""

    def __init__(
        self, engine: Engine, manifest: Manifest, settings: CompletionSettings, folder: Path, *, typing: bool
    ) -> None:
        """``typing``: whether a simulated typist types the rest of the line; else only the next key."""
        self._inner = engine
        self._engine = PromptRecorder(engine)
        self._manifest = manifest
        #: With the budget that ``auto`` has become, which the speed of the engine decides.
        self.settings = attrs.evolve(
            settings, max_prompt_tokens=prompt_budget(settings.max_prompt_tokens, engine)
        )
        self._folder = folder
        self._typing = typing
        self._cancel = threading.Event()

    def ask(
        self, task: RepositoryTask, workspace: OpenWorkspace | None, names: OpenWorkspace | None = None
    ) -> Answer:
        """Ask for a task, with code of other files if there is a ``workspace``.

        ``names``: what says which names do not exist, if that is not to be part of what is asked.

        Raises:
            EngineError: the model could not run.
        """
        names = names if workspace is None else workspace
        if names is None:
            return self._ask(task, None, None)
        names.hide([self._folder / path for path in task.hidden])
        document = task.cursor.document
        names.opened(document.uri, document.language_id, document.text)
        try:
            names.wait(OPENING_S)
            return self._ask(task, None if workspace is None else _Counting(workspace), names)
        finally:
            names.closed(task.uri)

    def _ask(self, task: RepositoryTask, source: _Counting | None, names: NameSource | None) -> Answer:
        pipeline = Pipeline(self._engine, self._manifest, self.settings, prefetch=False)
        for _ in pipeline.prepare(task.cursor.document):
            pass
        forget_prompts(self._inner)
        self._engine.prompts.clear()
        completion, first = self._request(pipeline, task.cursor, source)
        leaked = any(is_leaked(_text_of(prompt), task) for prompt in self._engine.prompts)
        answer = _answer(task.cursor, completion, first, self._manifest.gate, names)
        later: list[Asked] = []

        def ask(cursor: Cursor) -> Candidate | None:
            if source is not None:
                source.workspace.changed(cursor.document.uri, cursor.document.text)
            completion, asked = self._request(pipeline, cursor, source)
            later.append(asked)
            return _shown(completion)

        typed = None
        if self._typing:
            typed = type_line(task, _shown(completion), ask)
        else:
            ask(Line(task).cursor(1))
        snippets = source.first if source else 0
        return replace(answer, typed=typed, later=tuple(later), leaked=leaked, snippets=snippets)

    def _request(
        self, pipeline: Pipeline, cursor: Cursor, source: SnippetSource | None
    ) -> tuple[Completion | None, Asked]:
        """Ask as an editor does: where it is worthwhile, first the cache, then the model."""
        if not is_worthwhile(cursor):
            return None, Asked(0.0, "none")
        prompts, read = len(self._engine.prompts), prompt_tokens_read(self._inner)
        request = CompletionRequest(cursor, workspace=source)
        start = time.perf_counter()
        completion = pipeline.lookup(request) or pipeline.complete(request, self._cancel)
        wall_s = time.perf_counter() - start
        if len(self._engine.prompts) == prompts:
            return completion, Asked(wall_s, completion.source)
        now = prompt_tokens_read(self._inner)
        new = None if now is None or read is None else now - read
        length = self._engine.length_of(self._engine.prompts[-1])
        return completion, Asked(wall_s, completion.source, length, new)


def _shown(completion: Completion | None) -> Candidate | None:
    return completion.candidates[0] if completion is not None and completion.candidates else None


def _text_of(prompt: Prompt) -> str:
    return "".join("\n" if isinstance(part, Special) else part for part in prompt.parts) + prompt.forced


def _answer(
    cursor: Cursor,
    completion: Completion | None,
    first: Asked,
    gate: Gate | None,
    names: NameSource | None,
) -> Answer:
    """Return what the editor gets, or would get if it were not withheld."""
    sampled = completion.sampled if completion else ()
    written = sampled[0] if sampled else Candidate("", 0.0, "stop")
    quiet, shown = _offered(cursor, written), _shown(completion)
    is_missing = completion is not None and bool(completion.missing)
    offered = shown or (None if is_missing else quiet)
    candidate = offered or written
    found = confidence.features(cursor, candidate) if candidate.text else {}
    return Answer(
        shown=shown is not None,
        text=candidate.text,
        replaced=candidate.replaced,
        mean_logprob=candidate.mean_logprob if candidate.tokens else None,
        tokens=candidate.tokens,
        protocol=completion.prompt_protocol if completion else "",
        finish_reason=candidate.finish_reason,
        first=first,
        confidence=found,
        probability=confidence.probability(gate, found) if gate and found else None,
        offered=offered is not None,
        missing=_missing(cursor, quiet, names),
        shows_missing=bool(_missing(cursor, shown, names)),
    )


def _missing(cursor: Cursor, candidate: Candidate | None, names: NameSource | None) -> str:
    """Return the first name in a suggestion that does not exist; "" if there is none."""
    if candidate is None or names is None:
        return ""
    found = names.missing_name(cursor, candidate.text, candidate.replaced)
    return found.name if found else ""


def _offered(cursor: Cursor, written: Candidate) -> Candidate | None:
    """Return what the gate decides about: what all filters leave of a candidate; None if that is nothing."""
    if not written.text:
        return None
    draft = Draft(written.text, written.replaced, written.finish_reason)
    left = apply_quiet_filters(draft, situation_at(cursor))
    return None if left is None else written.rewritten(left.text, left.replaced)
