"""The plan of a request to the model: its scope, prompt, sampling and stop rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from copilot_server.catalog import Manifest, PromptProtocol
from copilot_server.completion.budget import prompt_budget
from copilot_server.completion.cross_file import show_snippets
from copilot_server.completion.prompt import Answer, build_prompt
from copilot_server.completion.scope.ending import StopRule
from copilot_server.completion.scope.loop import is_endless
from copilot_server.completion.scope.scope import Situation, situation_at
from copilot_server.completion.types import CompletionRequest
from copilot_server.completion.window import Pinned, Window, take_window
from copilot_server.config import CompletionSettings
from copilot_server.context.document import Document
from copilot_server.context.source.syntax import PythonContext
from copilot_server.engine.base import Engine, GenerationRequest, Sampling

#: For how many lines the number of tokens is cached: enough for several files of 2,000 lines.
COUNTED_LINES = 16_384
#: How many candidates are sampled for each one that an explicit invocation asks for: half are duplicates.
SAMPLED = 2
#: How many lines of an opened document are counted in one step. It takes some 2 ms, which a key may wait for.
LINES_PER_STEP = 200
#: Longer lines, in code points, are not counted in advance: one takes as long as many short ones.
LONGEST_COUNTED = 1_000
#: How far beyond each end of the window the document serves as a source of drafts, in code points.
LOOKUP_REACH = 3_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask the model for one request."""

    situation: Situation
    prompt_protocol: PromptProtocol
    generation: GenerationRequest


class Planner:
    """Plans requests to one model under one set of settings."""

    def __init__(self, engine: Engine, manifest: Manifest, settings: CompletionSettings) -> None:
        self._context_length = engine.context_length
        self._count_tokens = lru_cache(COUNTED_LINES)(engine.count_tokens)
        self._stable_length = engine.stable_length
        self._manifest = manifest
        self._settings = settings
        #: The most tokens of a document in a prompt, as long as this planner is used.
        self.max_prompt_tokens = prompt_budget(settings.max_prompt_tokens, engine)

    def prepare(self, document: Document) -> Iterator[None]:
        """Count and cache the tokens of the lines of ``document``, some lines at each step."""
        lines = document.text.splitlines(keepends=True)[: COUNTED_LINES // 2]
        for first in range(0, len(lines), LINES_PER_STEP):
            for line in lines[first : first + LINES_PER_STEP]:
                if len(line) <= LONGEST_COUNTED:
                    self._count_tokens(line)
            yield

    def plan(self, request: CompletionRequest, suggested: tuple[str, ...] = ()) -> Plan:
        """Decide what to ask; ``suggested`` are the last suggestions for the document.

        Raises:
            ConfigError: the model does not know the prompt protocol that the settings name.
        """
        situation = situation_at(request.cursor)
        prompt_protocol = request.prompt_protocol or self._prompt_protocol(situation)
        sampling = request.sampling or self._sampling(request)
        # At most half of the context: a chat holds the code twice. The 64 are for the text around it.
        most = (self._context_length - sampling.max_new_tokens) // 2 - 64
        budget = min(self.max_prompt_tokens, most)
        others = self._code_of_others(request, budget)
        # They come on top of the window: the nearest code of the document says more than any other file.
        budget = min(budget, most - self._count_tokens(others))
        window = take_window(request.cursor, _pinned(situation.context), budget, self._count_tokens)
        window = replace(window, others=others)
        generation = GenerationRequest(
            prompt=build_prompt(
                prompt_protocol,
                window,
                self._manifest,
                situation.language,
                self._stable_length,
                answer=_answer(situation),
            ),
            sampling=sampling,
            stop=("\n```",) if prompt_protocol == "chat-prefill" else (),
            until=_stop(situation),
            lookup=_lookup(request.cursor.document, window, suggested),
        )
        return Plan(situation, prompt_protocol, generation)

    def _code_of_others(self, request: CompletionRequest, budget: int) -> str:
        """Return what the prompt shows of other files."""
        if request.workspace is None:
            return ""
        snippets = request.workspace.snippets(request.cursor)
        return show_snippets(snippets, request.cursor.document.language_id, budget, self._count_tokens)

    def _prompt_protocol(self, situation: Situation) -> PromptProtocol:
        served = self._manifest.protocols
        if self._settings.protocol != "auto":
            return self._settings.protocol
        if situation.scope != "function":
            return served.middle
        function = situation.context.function if situation.context else None
        is_documented = function is not None and function.docstring is not None
        return served.function_body if is_documented else served.undocumented_body or served.function_body

    def _sampling(self, request: CompletionRequest) -> Sampling:
        settings = self._settings
        if not request.invoked:
            return Sampling(max_new_tokens=settings.max_new_tokens)
        return Sampling(
            temperature=settings.temperature,
            top_p=settings.top_p,
            n=settings.candidates * SAMPLED,
            greedy_first=True,
            max_new_tokens=settings.max_new_tokens,
        )


def _stop(situation: Situation) -> Callable[[str], bool]:
    """Return what says that a growing text need not go on: it has left its scope, or repeats itself."""
    rule = StopRule(situation)
    return lambda text: rule(text) or is_endless(text)


def _answer(situation: Situation) -> Answer | None:
    """Return what a chat's answer begins with: the function whose body is asked for, if it is for one."""
    context = situation.context
    if context is None or context.function is None or situation.scope != "function":
        return None
    headers = "".join(one.line for one in context.enclosing[:-1])
    return Answer(headers, context.function.decorated_start - len(context.function.indent))


def _pinned(context: PythonContext | None) -> list[Pinned]:
    """Return what the model should see of any long file: the headers around the cursor, and the imports."""
    if context is None:
        return []
    headers = [Pinned(one.line_start, one.line) for one in reversed(context.enclosing)]
    imports = [Pinned(one.start, f"{one.text}\n") for one in context.imports]
    if imports:
        imports[-1] = Pinned(imports[-1].start, f"{imports[-1].text}\n\n")
    return headers + imports


def _lookup(document: Document, window: Window, suggested: tuple[str, ...]) -> tuple[str, ...]:
    """Return texts that the model may repeat and its prompt lacks: nearby code, and earlier suggestions."""
    text, after = document.text, window.suffix_start + len(window.suffix)
    above = text[max(0, window.start - LOOKUP_REACH) : window.start]
    below = text[after : after + LOOKUP_REACH]
    return tuple(one for one in (above, below, *suggested) if one)
