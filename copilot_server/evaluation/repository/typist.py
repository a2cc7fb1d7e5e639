"""A simulated typist, who types the rest of a line and takes a suggestion wherever it saves keys.

At each key the editor asks, as real ones do. A suggestion whose first line is right up to the line's end is
accepted with one key, and one that is right up to the end of its first word is accepted so far with one key.
Otherwise the next character is typed. Closers that the editor puts after the cursor are there at every step,
and are not typed at the end of the line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from copilot_server.completion.types import Candidate
from copilot_server.context.document import Cursor, Document
from copilot_server.evaluation.repository.closers import kept_closers, only_closers_left, state_before_line
from copilot_server.evaluation.repository.lines import next_word, resulting_rest
from copilot_server.evaluation.repository.types import RepositoryTask, Typed

#: How much of a line is typed, in characters: each may cost a request.
MAX_TYPED = 40

#: Asks as an editor does while the user types.
Ask = Callable[[Cursor], Candidate | None]


class Line:
    """The line of a task, typed up to any of its characters."""

    def __init__(self, task: RepositoryTask) -> None:
        self._task = task
        self._state = state_before_line(task.prefix, task.language_id)
        self.rest = task.rest_of_line

    def kept(self, at: int) -> str:
        """Return the closers after the cursor when ``at`` characters of the rest have been typed."""
        task = self._task
        begun = task.line_prefix + self.rest[:at]
        return kept_closers(begun, self.rest[at:], self._state, task.language_id)

    def cursor(self, at: int) -> Cursor:
        """Return the cursor in the document that the editor has then."""
        task = self._task
        before = task.prefix + self.rest[:at]
        document = Document(task.uri, task.language_id, before + self.kept(at) + task.suffix)
        return Cursor(document, len(before))

    def is_done(self, at: int) -> bool:
        """Whether nothing is left to type."""
        return only_closers_left(self.rest[at:], self.kept(at))

    @cached_property
    def length(self) -> int:
        """How many characters are typed without any suggestion."""
        return next(at for at in range(len(self.rest) + 1) if self.is_done(at))


def type_line(task: RepositoryTask, suggestion: Candidate | None, ask: Ask) -> Typed:
    """Type the rest of the task's line, of which ``suggestion`` is the first one shown."""
    line = Line(task)
    typing = _Typing(line)
    while True:
        typing.press(suggestion)
        if typing.is_over:
            return typing.result()
        suggestion = ask(line.cursor(typing.at))


@dataclass(slots=True)
class _Typing:
    line: Line
    at: int = 0
    keys: int = 0
    accepted_lines: int = 0
    accepted_words: int = 0

    @property
    def goal(self) -> int:
        return min(self.line.length, MAX_TYPED)

    @property
    def is_over(self) -> bool:
        return self.at >= self.goal

    def press(self, suggestion: Candidate | None) -> None:
        """Press the key that gets farthest."""
        self.keys += 1
        rest = self.line.rest[self.at :]
        if suggestion is None:
            self.at += 1
            return
        kept = self.line.kept(self.at)
        word = next_word(suggestion.text, rest)
        if resulting_rest(suggestion.text, suggestion.replaced, kept) == rest.rstrip():
            self.accepted_lines += 1
            self.at = self.line.length
        elif len(word) > 1:
            self.accepted_words += 1
            self.at += len(word)
        else:
            self.at += 1

    def result(self) -> Typed:
        return Typed(self.goal, self.keys, self.accepted_lines, self.accepted_words)
