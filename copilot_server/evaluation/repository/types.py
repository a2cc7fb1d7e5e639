"""The plain values that pass between the stages of a run over a repository."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from copilot_server.completion.types import Source
from copilot_server.context.document import Cursor, Document

#: ``cross-file``: in a line that uses what another file defines. ``any-line``: in any line of code.
#: ``block``: the body of an ``if``, ``for``, ``while``, ``with`` or ``try``.
Kind = Literal["cross-file", "any-line", "block", "function-body"]
KINDS: tuple[Kind, ...] = ("cross-file", "any-line", "block", "function-body")

#: Whether the model gets code of other files.
Context = Literal["off", "on"]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of the repository. ``path`` is relative to its folder, with forward slashes."""

    path: str
    uri: str
    language_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Hole:
    """A text that can be taken out of a file: from the cursor at ``start`` to ``end``, in code points.

    ``where`` says how typing gets there, such as ``after a dot``.
    """

    kind: Kind
    where: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class RepositoryTask:
    """A document with a cursor where a text was taken out. Files are untrusted: escape it before showing it.

    Attributes:
        task_id: the same for the same cursor in the same repository, such as ``a/b.py:12:8 any-line``.
        line: the number of the cursor's line, from 1.
        prefix: the document before the cursor.
        removed: the text that was taken out. At its first line's end it has the closers in ``kept``.
        kept: the closers that an editor would have put after the cursor, which stay there.
        suffix: the document after ``kept``.
        hidden: paths of other files that hold a copy of the text. No prompt may get code from them.
    """

    task_id: str
    kind: Kind
    where: str
    path: str
    uri: str
    language_id: str
    line: int
    prefix: str
    removed: str
    kept: str
    suffix: str
    hidden: tuple[str, ...] = ()

    @property
    def cursor(self) -> Cursor:
        """The cursor that the editor asks at."""
        text = self.prefix + self.kept + self.suffix
        return Cursor(Document(self.uri, self.language_id, text), len(self.prefix))

    @property
    def line_prefix(self) -> str:
        """The cursor's line up to the cursor."""
        return self.prefix[self.prefix.rfind("\n") + 1 :]

    @property
    def rest_of_line(self) -> str:
        """What the user writes in the cursor's line, with the closers in ``kept``."""
        return self.removed.partition("\n")[0].rstrip()

    @property
    def expected(self) -> str:
        """The text to be written: ``removed`` without the closers that stay, if it ends in them."""
        if "\n" in self.removed or not self.kept:
            return self.removed
        return self.rest_of_line.removesuffix(self.kept)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of an editor, and what it cost.

    Attributes:
        wall_s: from the request to the answer, in seconds.
        source: where the answer came from; ``none`` if a suggestion was not worth asking for.
        prompt_tokens: the length of the prompt; None if the engine was not asked.
        new_tokens: how many of them the engine had to read; None if it does not say, or was not asked.
    """

    wall_s: float
    source: Source
    prompt_tokens: int | None = None
    new_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Typed:
    """How the simulated typist got to the line's end: ``keys`` pressed instead of ``characters`` typed.

    ``accepted_lines`` and ``accepted_words`` are how often a suggestion was taken up to the end of the line
    or of a word.
    """

    characters: int
    keys: int
    accepted_lines: int
    accepted_words: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What the editor gets for a task. The model wrote ``text``: escape it before showing it.

    Attributes:
        shown: whether the editor gets the suggestion. One that is not worth an interruption is withheld.
        text: what is inserted at the cursor in place of the ``replaced`` code points that follow it; empty if
            the filters left nothing.
        mean_logprob: of the tokens that the model wrote, at temperature 1; None if it was not asked.
        tokens: how many tokens the model wrote.
        protocol: the prompt protocol.
        first: the request at the task's cursor, with nothing of the document read before.
        later: the requests at the next keys in the same line.
        typed: None if the typist was left out.
        confidence: the features that may tell right suggestions from wrong ones, of
            ``completion.confidence``; empty without a text.
        probability: what the model's gate makes of them; None without a gate or without a text.
        offered: whether only the gate decides if the suggestion is shown.
        leaked: whether the prompt held the text that was taken out.
        snippets: how many pieces of other files the prompt was offered.
        missing: the first name that does not exist in what the other filters left of the text; "" for none,
            or without a workspace.
        shows_missing: whether the suggestion that is shown has such a name.
    """

    shown: bool
    text: str
    replaced: int
    mean_logprob: float | None
    tokens: int
    protocol: str
    finish_reason: str
    first: Asked
    later: tuple[Asked, ...] = ()
    typed: Typed | None = None
    confidence: Mapping[str, float] = field(default_factory=dict)
    probability: float | None = None
    offered: bool = False
    leaked: bool = False
    snippets: int = 0
    missing: str = ""
    shows_missing: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer with its measures.

    Attributes:
        exact: whether a suggestion is shown and the line that results is the file's, blanks at its end aside.
        right: whether it would be if the suggestion were shown.
        similarity: between the rest of the line and what results, from 0 to 1; 0 if nothing is shown.
        similarity_all: the same over all lines.
        comment_in_bracket: whether a comment is shown right after an open bracket.
        repeats_line_above: whether the line that results is the one above.
    """

    context: Context
    answer: Answer
    exact: bool
    right: bool
    similarity: float
    similarity_all: float
    comment_in_bracket: bool
    repeats_line_above: bool


@dataclass(frozen=True, slots=True)
class Done:
    """A task with its outcomes, without and with context, and the features of its cursor."""

    task: RepositoryTask
    outcomes: tuple[Outcome, ...]
    features: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a kind of tasks with its 95 % interval over files. Shares are from 0 to 1.

    ``count`` is what it was computed over: tasks, suggestions shown, or requests.
    """

    kind: Kind
    context: Context
    name: str
    value: float
    low: float
    high: float
    count: int
    files: int


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure with context minus the same without, over the same tasks: ``after`` minus ``before``.

    ``p_value`` is two-sided, from an exact sign-flip test over files; None if it is too large to compute.
    """

    kind: Kind
    name: str
    before: float
    after: float
    value: float
    low: float
    high: float
    files: int
    p_value: float | None


@dataclass(frozen=True, slots=True)
class Cost:
    """What the requests of a kind cost. Times are in seconds; None where there was no such request.

    Attributes:
        first_p50_s: the first request of a document, of which nothing was read before.
        next_p50_s: the next keys in the same line, whether the cache or the model answers.
        next_cached: the share of the next keys that the cache answers.
        prompt_tokens: the mean length of the first prompt.
        new_tokens: how many tokens of a prompt are read anew at a next key that the model answers, in the
            mean; None if the engine does not say.
    """

    kind: Kind
    context: Context
    first_p50_s: float | None
    first_p90_s: float | None
    next_p50_s: float | None
    next_p90_s: float | None
    next_cached: float | None
    prompt_tokens: float | None
    new_tokens: float | None


@dataclass(frozen=True, slots=True)
class Bin:
    """The suggestions whose certainty is from ``low`` up to ``high``.

    ``certainty`` is its mean, and ``right`` is how many of ``count`` are right.
    """

    context: Context
    low: float
    high: float
    certainty: float
    right: int
    count: int


@dataclass(frozen=True, slots=True)
class EagernessFigure:
    """A figure with its 95 % interval over files, if the gate showed what it shows at an eagerness.

    It is computed from the suggestions of the run, whatever eagerness the run itself had.
    """

    kind: Kind
    context: Context
    eagerness: str
    name: str
    value: float
    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True)
class RepositoryReport:
    """A whole run.

    Attributes:
        folder: the repository's name, which is that of its folder.
        commit: the hash of the commit that was checked out.
        contexts: whether the model got code of other files; both for a paired run.
        unwanted: by context, how often a comment was shown after an open bracket, or the line above again.
        leaks: how many prompts held what was taken out. It must be 0.
    """

    folder: str
    commit: str
    since: str
    seed: int
    limit: int
    contexts: tuple[Context, ...]
    model: str
    parameters: int | None
    device: str
    dtype: str
    instruction_set: str
    settings: dict[str, Any]
    started: str
    command: str
    hardware: str
    versions: dict[str, str]
    loading_s: float
    wall_s: float
    figures: tuple[Figure, ...]
    differences: tuple[Difference, ...]
    costs: tuple[Cost, ...]
    bins: tuple[Bin, ...]
    eagerness: tuple[EagernessFigure, ...]
    unwanted: dict[str, dict[str, int]]
    leaks: int
    done: tuple[Done, ...]
    notes: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
