"""Choosing among samples by the examples in their own prompt, and drawing more where an example fails.

Nothing here can see a hidden test: it is given documents and the texts of samples. The report compares the
choices with the hidden tests' verdicts afterwards.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

from copilot_server.completion.examples import Candidate, Examples, Verdicts, check, read_examples
from copilot_server.completion.verification.drawing import Round, best, is_settled, rounds_within
from copilot_server.completion.verification.missing_imports import check_with_imports
from copilot_server.evaluation.types import Checked, Choice, Draw, ExampleResult, Sample, Verification
from copilot_server.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Position:
    """Where a task asks: the text before the cursor and after it. It has no test."""

    prefix: str
    suffix: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Samples of a task to draw: ``count`` at ``temperature``, from index ``first`` of those on."""

    task_id: str
    temperature: float
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class _Examined:
    """A sample, with imports if it lacked some, and its verdicts."""

    sample: Sample
    verdicts: Verdicts


@dataclass(frozen=True, slots=True)
class _Drawn:
    sample: Sample
    examined: Future[_Examined]


class Verifier:
    """Checks samples against the examples in their prompts, and says which others to draw.

    One thread submits samples and asks for more. The checks run in the meantime.
    """

    def __init__(self, positions: Mapping[str, Position], sandbox: Sandbox, budget: int) -> None:
        """``budget``: the most samples of a task, with the first."""
        self._positions = positions
        self._sandbox = sandbox
        self._budget = budget
        self._examples = {name: _examples_at(one) for name, one in positions.items()}
        self._drawn: dict[str, list[_Drawn]] = {name: [] for name in positions}
        self._rounds = rounds_within(budget, drawn=1)  # that of the run itself
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="examples")
        self._drawing_since: float | None = None

    def submit(self, samples: Iterable[Sample]) -> None:
        """Start to check samples."""
        for sample in samples:
            examined = self._pool.submit(self._check, sample)
            self._drawn[sample.task_id].append(_Drawn(sample, examined))

    def more(self) -> list[Wanted]:
        """Wait for the verdicts, and return what to draw next; nothing once all is settled or spent."""
        if self._drawing_since is None:
            self._drawing_since = time.monotonic()
        following = next(self._rounds, None)
        unsettled = [name for name in self._positions if not self._is_settled(name)]
        return [self._wanted(name, following) for name in unsettled] if following else []

    def with_added_imports(self) -> list[Sample]:
        """Wait for the verdicts, and return the samples that were given imports, for the hidden tests."""
        examined = (one.examined.result().sample for drawn in self._drawn.values() for one in drawn)
        return [one for one in examined if one.has_added_imports]

    def verification(self, checked: Iterable[Checked]) -> Verification:
        """Return what was chosen, beside the verdicts of the hidden tests."""
        hidden = {_key(one.sample): one for one in checked}
        drawing_s = time.monotonic() - self._drawing_since if self._drawing_since is not None else 0.0
        return Verification(self._budget, drawing_s, tuple(self._choices(hidden)))

    def _choices(self, hidden: Mapping[_Key, Checked]) -> Iterator[Choice]:
        for name, drawn in self._drawn.items():
            ordered = sorted(drawn, key=lambda one: _key(one.sample))
            examined = [one.examined.result() for one in ordered]
            certainties = [one.sample.mean_logprob or 0.0 for one in ordered]
            if ordered:
                draws = tuple(_draw(hidden, one) for one in examined)
                yield Choice(name, draws, best([one.verdicts for one in examined], certainties))

    def _is_settled(self, name: str) -> bool:
        return is_settled([one.examined.result().verdicts for one in self._drawn[name]])

    def _wanted(self, name: str, following: Round) -> Wanted:
        earlier = sum(one.sample.temperature == following.temperature for one in self._drawn[name])
        return Wanted(name, following.temperature, earlier, following.samples)

    def _check(self, sample: Sample) -> _Examined:
        at = self._positions[sample.task_id]
        drawn = Candidate(at.prefix + at.suffix, len(at.prefix), sample.completion, sample.replaced)
        checked = partial(check, self._sandbox, self._examples[sample.task_id])
        candidate, verdicts = check_with_imports(checked, drawn)
        if candidate is not drawn:
            sample = replace(sample, completion=candidate.text, has_added_imports=True)
        return _Examined(sample, verdicts)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)


def _examples_at(position: Position) -> Examples:
    """Return the examples at a position.

    In an empty line the cursor counts as where the code above stands, where an editor puts it: the rest of a
    body that is missing up to its end would otherwise be no part of the function.
    """
    prefix, suffix = position.prefix, position.suffix
    found = read_examples(prefix + suffix, len(prefix))
    if found or not prefix.endswith("\n") or suffix.partition("\n")[0].strip():
        return found
    line = prefix.rstrip().rpartition("\n")[2]
    prefix += line[: len(line) - len(line.lstrip())]
    return read_examples(prefix + suffix, len(prefix))


#: A sample's task, temperature and index, and whether it has been given imports.
_Key = tuple[str, float, int, bool]


def _key(sample: Sample) -> _Key:
    return sample.task_id, sample.temperature or 0.0, sample.index, sample.has_added_imports


def _draw(hidden: Mapping[_Key, Checked], examined: _Examined) -> Draw:
    results = (ExampleResult(one.example.text, one.outcome, one.detail) for one in examined.verdicts)
    return Draw(hidden[_key(examined.sample)], tuple(results))
