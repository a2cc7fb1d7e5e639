"""The one path from a cursor to candidates, taken by editors and benchmarks alike."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from cachetools import LRUCache

from copilot_server.catalog import Manifest, ModelRef, resolve
from copilot_server.completion.cache import CompletionCache
from copilot_server.completion.confidence import is_likely
from copilot_server.completion.filters.draft import Draft
from copilot_server.completion.filters.order import apply_filters, apply_quiet_filters
from copilot_server.completion.known_names import with_known_names
from copilot_server.completion.plan import Plan, Planner
from copilot_server.completion.scheduling.next_cursors import next_cursors, resting_cursors
from copilot_server.completion.scope.scope import Situation, situation_at
from copilot_server.completion.types import Candidate, Completion, CompletionRequest
from copilot_server.config import CompletionSettings, Settings
from copilot_server.context.document import Document
from copilot_server.engine.base import (
    Cancel,
    Engine,
    Generation,
    GenerationRequest,
    ReadingEngine,
    WatchedEngine,
)
from copilot_server.engine.model_choice.auto import with_model
from copilot_server.engine.model_choice.choice import ModelChoice
from copilot_server.engine.models.vocabulary import detect_fim
from copilot_server.errors import EngineError
from copilot_server.fetch import ensure
from copilot_server.fetch.progress import Progress

_LOG = logging.getLogger(__name__)

#: Called when an engine fails, with the error, and with None when it works again.
OnError = Callable[[EngineError | None], None]
Watch = Callable[[OnError], None]

#: How many suggestions of each document, and of how many documents, are kept as a source of drafts.
SUGGESTIONS, DOCUMENTS = 3, 32


class Pipeline:
    """Runs the steps of a completion: cache, plan, prompt, engine, filters and ranking."""

    def __init__(  # noqa: PLR0913 - the last three have defaults
        self,
        engine: Engine,
        manifest: Manifest,
        settings: CompletionSettings,
        *,
        prefetch: bool = True,
        choice: ModelChoice | None = None,
        watch: Watch | None = None,
    ) -> None:
        """``prefetch``: whether to prefetch and read ahead. ``watch``: registers a callback for failures.

        ``choice``: why this is the model, if the settings do not name one.
        """
        self._engine = engine
        self._watch = partial(_watch_engine, engine) if watch is None else watch
        self._on_error: OnError | None = None
        self._manifest = manifest
        self._choice = choice
        self._prefetch = prefetch
        self._planner = Planner(engine, manifest, settings)
        self._eagerness = settings.eagerness
        self._cache = CompletionCache()
        self._suggested: LRUCache[str, tuple[str, ...]] = LRUCache(DOCUMENTS)

    @property
    def engine(self) -> Engine:
        """The engine, which knows nothing of editors."""
        return self._engine

    @property
    def notices(self) -> Sequence[str]:
        """What the user should know about the engine, such as that its kernels are missing."""
        return self._engine.notices

    @property
    def model_id(self) -> str:
        """The model's id in the catalogue, or the name that the user gave it."""
        return self._manifest.id

    @property
    def choice(self) -> ModelChoice | None:
        """Why this is the model, if the setting is ``auto``."""
        return self._choice

    @property
    def parameters(self) -> int | None:
        """How many parameters the model has, if the catalogue says."""
        return self._manifest.parameters or None

    @property
    def max_prompt_tokens(self) -> int:
        """How many tokens of a document a prompt has at most; what the setting ``auto`` has become."""
        return self._planner.max_prompt_tokens

    def configure(self, settings: CompletionSettings) -> None:
        """Complete with other settings from now on."""
        self._planner = Planner(self._engine, self._manifest, settings)
        self._eagerness = settings.eagerness
        self._cache.clear()

    def watch(self, on_error: OnError) -> None:
        """Have ``on_error`` called, from any thread, when the engine fails, and with None when it recovers.

        An engine in this process reports its failures by raising them.
        """
        self._on_error = on_error
        self._watch(on_error)

    def prepare(self, document: Document) -> Iterator[None]:
        """Do in advance, a little at each step, what the first requests for ``document`` would wait for."""
        return self._planner.prepare(document)

    def lookup(self, request: CompletionRequest) -> Completion | None:
        """Answer from the cache, if it can; fast, and safe to call from any thread."""
        if request.invoked:
            return None
        cached = self._cache.lookup(request.cursor)
        return None if cached is None else self._answer(request, cached)

    def complete(
        self, request: CompletionRequest, cancel: Cancel, on_text: Callable[[str], None] | None = None
    ) -> Completion:
        """Return the candidates at a cursor, best first.

        ``on_text`` is called after each token with what the model has written so far.

        Raises:
            ConfigError: the model does not know the prompt protocol that the settings name.
            EngineError: the model could not run.
        """
        cached = self.lookup(request)
        if cached is not None:
            return cached
        uri = request.cursor.document.uri
        plan = self._planner.plan(request, self._suggested.get(uri, ()))
        generation = _watched(plan.generation, on_text) if on_text else plan.generation
        completion = self._finish(request, plan, self._engine.generate(generation, cancel))
        if request.prefetch:
            completion = replace(completion, source="ahead")
        completion = replace(completion, candidates=self._judge(request, completion))
        self._cache.store(request.cursor, completion)
        completion = self._answer(request, completion)
        self._remember(uri, completion)
        return completion

    def next_requests(
        self, request: CompletionRequest, completion: Completion
    ) -> tuple[CompletionRequest, ...]:
        """Return what to prefetch, in this order: what comes next if the user accepts ``completion``.

        The next request is worth guessing only while the user types, and only from a suggestion. Fast, and
        safe to call from any thread.
        """
        if not self._prefetch or request.invoked or not completion.candidates:
            return ()
        cursors = next_cursors(request.cursor, completion.candidates[0])
        return tuple(
            CompletionRequest(cursor, prefetch=True, workspace=request.workspace) for cursor in cursors
        )

    def read_ahead(self, request: CompletionRequest, cancel: Cancel) -> bool:
        """Have the engine read the prompts of what is likely to be requested next, if it can.

        ``request``: what would be requested where the cursor rests.

        Returns:
            Whether there was a prompt to read, by an engine that reads ahead.

        Raises:
            ConfigError, EngineError: as ``complete``.
        """
        if not self._prefetch or not isinstance(self._engine, ReadingEngine):
            return False
        requests = [replace(request, cursor=cursor) for cursor in resting_cursors(request.cursor)]
        self._engine.read([self._planner.plan(one).generation.prompt for one in requests], cancel)
        return bool(requests)

    def complete_batch(
        self,
        requests: Sequence[CompletionRequest],
        cancel: Cancel,
        on_done: Callable[[int, Completion], None] | None = None,
        *,
        batch_size: int = 16,
    ) -> list[Completion]:
        """Complete at many cursors at once, without the cache.

        ``on_done(index, completion)`` is called as each is done.

        Raises:
            ConfigError, EngineError: as ``complete``.
        """
        plans = [self._planner.plan(request) for request in requests]
        completions: dict[int, Completion] = {}

        def finish(index: int, generations: list[Generation]) -> None:
            request = requests[index]
            completions[index] = self._answer(request, self._finish(request, plans[index], generations))
            if on_done is not None:
                on_done(index, completions[index])

        asked = [plan.generation for plan in plans]
        self._engine.generate_batch(asked, cancel, finish, batch_size=batch_size)
        return [completions[index] for index in range(len(plans))]

    def _answer(self, request: CompletionRequest, completion: Completion) -> Completion:
        """Return what answers a request of a completion that may also be meant for later ones.

        While the user types, that is what is likely to be right. A user who has asked for a suggestion is
        shown any that there is.
        """
        if request.invoked:
            return completion if completion.candidates else _any_sampled(request, completion)
        judged = self._judge(request, completion)
        shown = tuple(one for one in judged if one.is_likely)
        return replace(completion, candidates=shown, withheld=len(shown) < len(judged))

    def _judge(self, request: CompletionRequest, completion: Completion) -> tuple[Candidate, ...]:
        """Note which candidates are likely to be right. What was so remains it while the user types it."""
        likely = partial(is_likely, self._manifest.gate, self._eagerness, completion.scope, request.cursor)
        return tuple(
            one if one.is_likely else replace(one, is_likely=likely(one)) for one in completion.candidates
        )

    def _remember(self, uri: str, completion: Completion) -> None:
        """Keep the last suggestions for a document: the next ones often repeat a part of them."""
        if completion.candidates:
            earlier = self._suggested.get(uri, ())
            self._suggested[uri] = (*earlier, completion.candidates[0].text)[-SUGGESTIONS:]

    def _finish(
        self, request: CompletionRequest, plan: Plan, generations: Sequence[Generation]
    ) -> Completion:
        cancelled = any(generation.finish_reason == "cancelled" for generation in generations)
        sampled = () if cancelled else tuple(_candidate(plan.situation, one) for one in generations)
        known, missing = with_known_names(request, plan.situation, sampled)
        return Completion(
            candidates=rank(_quiet(known, plan.situation)),
            source="model",
            prompt_protocol=plan.prompt_protocol,
            scope=plan.situation.scope,
            cancelled=cancelled,
            sampled=sampled,
            missing=missing,
            has_written=any(generation.text.strip() for generation in generations),
        )


def rank(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """Return candidates with different texts, the one with the highest mean log-probability first.

    Empty ones are left out.

    Source: Chen et al. 2021, arXiv:2107.03374, section 3.3 and figure 7.
    """
    best: dict[str, Candidate] = {}
    for candidate in sorted(candidates, key=lambda one: one.mean_logprob, reverse=True):
        if candidate.text:
            best.setdefault(candidate.text, candidate)
    return tuple(best.values())


def open_engine(settings: Settings, progress: Progress | None = None) -> tuple[Engine, Manifest]:
    """Load the model that the settings name, fetching it if need be; takes seconds to minutes.

    Where the settings name a remote engine, this connects to it and loads nothing. ``progress`` receives how
    far fetching has come.

    Raises:
        ModelError: there is no such model, or no source delivers it.
        EngineError: the model cannot run here, or the remote engine cannot be used.
        ConfigError: source would go unencrypted over a network.
    """
    engine, manifest = _connect(settings) if settings.engine else _load(settings, progress)
    return engine, detect_fim(manifest, engine)


def open_pipeline(settings: Settings, progress: Progress | None = None) -> Pipeline:
    """Open the engine that the settings name, and complete with it.

    Raises:
        ModelError, EngineError, ConfigError: as ``open_engine``.
    """
    settings, choice = with_model(settings, progress)
    engine, manifest = open_engine(settings, progress)
    return Pipeline(engine, manifest, settings.completion, prefetch=settings.speed.ahead, choice=choice)


def _load(settings: Settings, progress: Progress | None) -> tuple[Engine, Manifest]:
    from copilot_server.engine.loader import load_engine  # noqa: PLC0415 - seconds where it imports torch

    settings, _ = with_model(settings, progress)
    ref = resolve(settings.model)
    path = ensure(ref, offline=settings.offline, progress=progress)
    engine = _shared(path, settings, ref) if settings.share else None
    if engine is None:
        engine = load_engine(path, device=settings.device, dtype=settings.dtype, speed=settings.speed)
    return engine, ref.manifest


def _shared(path: Path, settings: Settings, ref: ModelRef) -> Engine | None:
    """Return the engine in the host of a model, which is started where there is none.

    Returns:
        None if engines cannot be shared on this machine.

    Raises:
        EngineError: the host cannot be started, or cannot load the model.
    """
    from copilot_server.engine.backends.hosted.hosted_engine import HostedEngine  # noqa: PLC0415 - imports httpx
    from copilot_server.engine.backends.hosted.starting import SharedHost, SharingError  # noqa: PLC0415
    from copilot_server.engine.models.gguf import described_folder, prepared_folder  # noqa: PLC0415
    from copilot_server.engine.models.tokenizer import load_tokenizer  # noqa: PLC0415

    name = settings.model if ref.path is None else str(path.resolve())
    host = SharedHost(path, name, settings)
    try:
        host.find()  # before the tokenizer is read: the host makes the folder that has it
    except SharingError as error:
        _LOG.warning("%s The model is loaded in this process.", error)
        return None
    folder = path if path.suffix != ".gguf" else described_folder(path) or prepared_folder(path)
    return HostedEngine(host.find, load_tokenizer(folder), ref.manifest)


def _connect(settings: Settings) -> tuple[Engine, Manifest]:
    from copilot_server.engine.backends.remote.connecting import connect  # noqa: PLC0415 - only for a remote engine

    engine = connect(settings)
    return engine, engine.manifest


def _watch_engine(engine: Engine, on_error: OnError) -> None:
    if isinstance(engine, WatchedEngine):
        engine.watch(on_error)


def _watched(generation: GenerationRequest, on_text: Callable[[str], None]) -> GenerationRequest:
    ends = generation.until

    def until(text: str) -> bool:
        on_text(text)
        return ends is not None and ends(text)

    return replace(generation, until=until)


def _any_sampled(request: CompletionRequest, completion: Completion) -> Completion:
    """Let also what is not worth an interruption answer a user who has asked for a suggestion."""
    known, missing = with_known_names(request, situation_at(request.cursor), completion.sampled)
    return replace(completion, candidates=rank(known), missing=completion.missing or missing)


def _quiet(sampled: Iterable[Candidate], situation: Situation) -> Iterator[Candidate]:
    """Yield what is worth an interruption of each candidate: an empty text where nothing is."""
    for one in sampled:
        draft = apply_quiet_filters(Draft(one.text, one.replaced, one.finish_reason), situation)
        yield one.rewritten("", 0) if draft is None else one.rewritten(draft.text, draft.replaced)


def _candidate(situation: Situation, generation: Generation) -> Candidate:
    """Return what the filters leave of a generation: an empty text where nothing is worth showing."""
    draft = apply_filters(generation.text, situation, generation.finish_reason)
    written = Candidate(
        generation.text,
        generation.mean_logprob,
        generation.finish_reason,
        tokens=generation.tokens,
        trace=generation.trace,
    )
    return written.rewritten("", 0) if draft is None else written.rewritten(draft.text, draft.replaced)
