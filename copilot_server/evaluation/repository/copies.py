"""Files that hold a copy of the text that was taken out, from which it could get back into the prompt."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from copilot_server.evaluation.repository.files import MAX_READ, Repository
from copilot_server.evaluation.repository.types import RepositoryTask

#: What may stand before a line that is quoted in a prompt: the sign of a comment.
_SIGN = re.compile(r"\s*(?:#|//|--)?\s*")


#: A shorter line stands in many files.
MIN_LINE, MIN_NEIGHBOUR = 12, 4


@dataclass(frozen=True, slots=True)
class _Trace:
    """What gives a copy away: the longest line that was taken out, with the lines around it, all stripped."""

    line: str
    above: str
    below: str

    def is_in(self, above: str, below: str) -> bool:
        """Whether the line between ``above`` and ``below`` is a copy, and not merely the same line."""
        same_above, same_below = above == self.above, below == self.below
        if same_above and same_below:
            return True
        is_telling = (same_above and len(above) >= MIN_NEIGHBOUR) or (
            same_below and len(below) >= MIN_NEIGHBOUR
        )
        return is_telling and len(self.line) >= MIN_LINE


def with_copies(tasks: Sequence[RepositoryTask], repository: Repository) -> list[RepositoryTask]:
    """Return the tasks with the other files that hold a copy of what was taken out.

    A file holds a copy if it has the longest line that was taken out together with the line above it or the
    line below it; with both, if they are short. Blank lines and indentation do not count. Every file is read
    once.
    """
    traces = [_trace(task) for task in tasks]
    by_line: defaultdict[str, list[int]] = defaultdict(list)
    for index, trace in enumerate(traces):
        by_line[trace.line].append(index)
    found: defaultdict[int, list[str]] = defaultdict(list)
    for path in repository.visible[:MAX_READ]:
        lines = list(_solid(repository.read_anything(path).splitlines()))
        for index in _copied(lines, traces, by_line):
            if path != tasks[index].path:
                found[index].append(path)
    return [replace(task, hidden=tuple(found[index])) for index, task in enumerate(tasks)]


def is_leaked(prompt: str, task: RepositoryTask) -> bool:
    """Whether a prompt holds a copy of what was taken out that the open document does not hold itself."""
    document = task.cursor.document.text
    return _holds_copy(prompt, task) and not _holds_copy(document, task)


def _holds_copy(text: str, task: RepositoryTask) -> bool:
    # A prompt may quote the lines of other files as comments.
    lines = list(_solid(_SIGN.sub("", line, count=1) for line in text.splitlines()))
    trace = _trace(task)
    plain = _Trace(*(_SIGN.sub("", one, count=1) for one in (trace.line, trace.above, trace.below)))
    return bool(_copied(lines, [plain], {plain.line: [0]}))


def _copied(lines: Sequence[str], traces: Sequence[_Trace], by_line: Mapping[str, list[int]]) -> set[int]:
    """Return the indices of the traces of which ``lines``, stripped and none of them blank, hold a copy."""
    copied: set[int] = set()
    for at, line in enumerate(lines):
        for index in by_line.get(line, ()):
            above = lines[at - 1] if at else ""
            below = lines[at + 1] if at + 1 < len(lines) else ""
            if traces[index].is_in(above, below):
                copied.add(index)
    return copied


def _trace(task: RepositoryTask) -> _Trace:
    before = list(_solid(task.prefix[: len(task.prefix) - len(task.line_prefix)].splitlines()))
    removed = list(_solid((task.line_prefix + task.removed).splitlines()))
    after = list(_solid(task.suffix.splitlines()))
    lines = ["", *before[-1:], *removed, *after[:1], ""]
    first = 1 + len(before[-1:])
    at = max(range(first, first + len(removed)), key=lambda index: len(lines[index]))
    return _Trace(lines[at], lines[at - 1], lines[at + 1])


def _solid(lines: Iterable[str]) -> Iterator[str]:
    return (line.strip() for line in lines if line.strip())
