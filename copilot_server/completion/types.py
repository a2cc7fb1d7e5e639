"""The plain values that pass between an editor (or a benchmark) and the pipeline."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from copilot_server.catalog import PromptProtocol
from copilot_server.completion.scope.scope import Scope
from copilot_server.context.document import Cursor
from copilot_server.engine.base import FinishReason, Sampling, Written
from copilot_server.workspace.types import SnippetSource

if TYPE_CHECKING:  # whoever only passes candidates on needs neither readers nor sandbox
    from copilot_server.completion.examples.types import Verdicts

#: Where an answer came from; "ahead", a name that statistics and metrics have stored, is a prefetch.
Source = Literal["model", "cache", "ahead", "none"]

_FIRST_LINE = re.compile(r"\s*[^\r\n]*")


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """Complete at ``cursor``.

    ``invoked``: the user invoked completion explicitly, so the cache is not asked and several candidates are
    wanted; otherwise one candidate, as fast as possible.
    ``sampling``, ``prompt_protocol``: None for what the settings say.
    ``prefetch``: nobody has asked yet; the answer is cached for when the cursor gets there.
    ``workspace``: where to find code of other files; None for none. It is not part of what is compared.
    """

    cursor: Cursor
    invoked: bool = False
    sampling: Sampling | None = None
    prefetch: bool = False
    prompt_protocol: PromptProtocol | None = None
    workspace: SnippetSource | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A suggestion: insert ``text`` at the cursor in place of the ``replaced`` code points that follow it.

    ``tokens``: how many tokens the model wrote, which filters may have cut since; ``mean_logprob`` is the
    mean of their log-probabilities. ``trace`` has them one by one, as far as the engine says. ``is_likely``:
    it is likely enough to be right to be shown while the user types. ``verdicts``: what became of the
    examples that the function shows, where they were checked.
    """

    text: str
    mean_logprob: float
    finish_reason: FinishReason
    replaced: int = 0
    tokens: int = 0
    trace: tuple[Written, ...] = field(default=(), compare=False, repr=False)
    is_likely: bool = field(default=False, compare=False)
    verdicts: Verdicts | None = field(default=None, compare=False, repr=False)

    def logprobs(self, length: int) -> list[float]:
        """Return the log-probabilities of the tokens in the first ``length`` code points of the text.

        Tokens that only repeat what the output was forced to begin with are left out. Without any others, the
        mean of all tokens stands for them.
        """
        begins = [0, *(one.end for one in self.trace[:-1])]
        inside = [
            one.logprob
            for one, begin in zip(self.trace, begins, strict=False)
            if begin < length and one.end > 0
        ]
        return inside or [self.mean_logprob]

    @property
    def first_line(self) -> str:
        """The text up to the end of its first line that is not blank."""
        found = _FIRST_LINE.match(self.text)
        return found[0] if found else ""

    def rewritten(self, text: str, replaced: int) -> Candidate:
        """Return this candidate with what filters have made of its text, and the trace of that.

        The trace is empty where the model did not write the first line that is left.
        """
        changed = replace(self, text=text, replaced=replaced)
        line = changed.first_line
        if self.text.startswith(line):
            return changed
        code = line.lstrip()
        at = self.text.find(code)
        return replace(changed, trace=self._trace_from(at, len(line) - len(code)) if at >= 0 else ())

    def after(self, length: int) -> Candidate:
        """Return what is left once the user has typed the first ``length`` code points."""
        return replace(self, text=self.text[length:], trace=self._trace_from(length))

    def _trace_from(self, start: int, indentation: int = 0) -> tuple[Written, ...]:
        """Return the trace of the text from ``start`` on, put after so many blanks."""
        return tuple(
            replace(one, end=one.end - start + indentation if one.end > start else 0) for one in self.trace
        )


@dataclass(frozen=True, slots=True)
class Completion:
    """The candidates for one request, best first; none when there is nothing worth showing.

    ``sampled``: every candidate in the order in which the model sampled them, including empty ones,
    duplicates and those that are not worth an interruption; for benchmarks.
    ``scope``: what the candidates were meant to fill.
    ``withheld``: whether a suggestion was left out because it is not likely enough to be right.
    ``missing``: a name that does not exist and because of which a suggestion was left out; "" for none.
    ``has_written``: whether the model wrote anything but blanks, of which filters may have left nothing.
    """

    candidates: tuple[Candidate, ...]
    source: Source
    prompt_protocol: str
    cancelled: bool = False
    sampled: tuple[Candidate, ...] = ()
    withheld: bool = False
    missing: str = ""
    has_written: bool = False
    scope: Scope = "line"
