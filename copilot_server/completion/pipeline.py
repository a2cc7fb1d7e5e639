"""The one path from a cursor to candidates, taken by editors and benchmarks alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from copilot_server.catalog import Manifest, PromptProtocol, resolve
from copilot_server.completion.cache import CompletionCache
from copilot_server.completion.filters import apply_filters
from copilot_server.completion.prompt import build_prompt, take_window
from copilot_server.completion.scope import Situation, is_complete, situation_at
from copilot_server.completion.types import Candidate, Completion, CompletionRequest
from copilot_server.config import CompletionSettings, Settings
from copilot_server.context.syntax import PythonContext
from copilot_server.engine.base import Cancel, Engine, Generation, GenerationRequest, Sampling
from copilot_server.engine.vocabulary import detect_fim
from copilot_server.fetch import ensure


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be asked of the model for a request, decided before it is asked."""

    situation: Situation
    protocol: PromptProtocol
    generation: GenerationRequest


class Pipeline:
    """Context, cache, prompt, engine, filters, ranking: each step by itself in a module of its name."""

    def __init__(self, engine: Engine, manifest: Manifest, settings: CompletionSettings) -> None:
        self._engine = engine
        self._manifest = manifest
        self._settings = settings
        self._cache = CompletionCache()

    @property
    def engine(self) -> Engine:
        """The model by itself."""
        return self._engine

    @property
    def model_id(self) -> str:
        """The model's id in the catalogue, or what the user called it."""
        return self._manifest.id

    def configure(self, settings: CompletionSettings) -> None:
        """Complete with other settings from now on."""
        self._settings = settings
        self._cache.clear()

    def lookup(self, request: CompletionRequest) -> Completion | None:
        """Answer from the cache, if it can; fast, and safe to call from any thread."""
        return None if request.invoked else self._cache.lookup(request.cursor)

    def complete(self, request: CompletionRequest, cancel: Cancel) -> Completion:
        """Candidates at a cursor, best first.

        Raises:
            ConfigError: the model does not know the prompt protocol that the settings name.
            EngineError: the model could not run.
        """
        cached = self.lookup(request)
        if cached is not None:
            return cached
        plan = self._plan(request)
        completion = self._finish(plan, self._engine.generate(plan.generation, cancel))
        self._cache.store(request.cursor, completion)
        return completion

    def complete_batch(
        self,
        requests: Sequence[CompletionRequest],
        cancel: Cancel,
        on_done: Callable[[int, Completion], None] | None = None,
        *,
        batch_size: int = 16,
    ) -> list[Completion]:
        """Complete at many cursors at once, past the cache; ``on_done(index, completion)`` as each is done.

        Raises:
            ConfigError, EngineError: as ``complete``.
        """
        plans = [self._plan(request) for request in requests]
        completions: dict[int, Completion] = {}

        def finish(index: int, generations: list[Generation]) -> None:
            completions[index] = self._finish(plans[index], generations)
            if on_done is not None:
                on_done(index, completions[index])

        asked = [plan.generation for plan in plans]
        self._engine.generate_batch(asked, cancel, finish, batch_size=batch_size)
        return [completions[index] for index in range(len(plans))]

    def _plan(self, request: CompletionRequest) -> Plan:
        situation = situation_at(request.cursor)
        protocol = self._protocol(situation)
        sampling = request.sampling or self._sampling(request)
        budget = min(
            self._settings.max_prompt_tokens,
            # Half the window at the most: a chat holds the code twice. The rest is for what is around it.
            (self._engine.context_length - sampling.max_new_tokens) // 2 - 64,
        )
        window = take_window(request.cursor, _pinned(situation.context), budget, self._engine.count_tokens)
        prompt = build_prompt(protocol, window, self._manifest, situation.language)
        stop = ("\n```",) if protocol == "chat-prefill" else ()
        asked = GenerationRequest(prompt, sampling, stop, until=lambda text: is_complete(text, situation))
        return Plan(situation, protocol, asked)

    def _protocol(self, situation: Situation) -> PromptProtocol:
        served = self._manifest.protocols
        if self._settings.protocol != "auto":
            return self._settings.protocol
        return served.function_body if situation.scope == "function" else served.middle

    def _sampling(self, request: CompletionRequest) -> Sampling:
        settings = self._settings
        if not request.invoked:
            return Sampling(max_new_tokens=settings.max_new_tokens)
        return Sampling(
            temperature=settings.temperature,
            top_p=settings.top_p,
            n=settings.candidates,
            greedy_first=True,
            max_new_tokens=settings.max_new_tokens,
        )

    def _finish(self, plan: Plan, generations: Sequence[Generation]) -> Completion:
        cancelled = any(generation.finish_reason == "cancelled" for generation in generations)
        candidates = [] if cancelled else [_candidate(plan.situation, one) for one in generations]
        return Completion(
            candidates=rank(one for one in candidates if one is not None),
            source="model",
            protocol=plan.protocol,
            cancelled=cancelled,
        )


def rank(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """Different texts only, the one with the highest mean log-probability first.

    Source: Chen et al. 2021, arXiv:2107.03374, section 3.3 and figure 7.
    """
    best: dict[str, Candidate] = {}
    for candidate in sorted(candidates, key=lambda one: one.mean_logprob, reverse=True):
        best.setdefault(candidate.text, candidate)
    return tuple(best.values())


def open_pipeline(settings: Settings) -> Pipeline:
    """Load the model that the settings name, fetching it if need be; takes seconds to minutes.

    Raises:
        ModelError: there is no such model, or it cannot be had.
        EngineError: it cannot run here.
    """
    from copilot_server.engine.loader import load_engine  # noqa: PLC0415 - imports torch, seconds

    ref = resolve(settings.model)
    path = ensure(ref, offline=settings.offline)
    engine = load_engine(path, device=settings.device, dtype=settings.dtype)
    return Pipeline(engine, detect_fim(ref.manifest, engine), settings.completion)


def _candidate(situation: Situation, generation: Generation) -> Candidate | None:
    draft = apply_filters(generation.text, situation, generation.finish_reason)
    if draft is None:
        return None
    return Candidate(draft.text, generation.mean_logprob, generation.finish_reason, draft.replaced)


def _pinned(context: PythonContext | None) -> tuple[str, ...]:
    """What the model should see of a long file's beginning: imports, and headers around the cursor."""
    if context is None:
        return ()
    imports = (f"{context.imports}\n\n\n",) if context.imports else ()
    return imports + tuple(header.text for header in context.enclosing)
