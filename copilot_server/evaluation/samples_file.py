"""Samples files: lines of JSON in the format of OpenAI's harness.

A line has ``task_id`` and ``completion``, as in github.com/openai/human-eval, and what else is known about
the sample, which the harness's ``evaluate_functional_correctness`` ignores.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from cattrs.errors import CattrsError

from copilot_server.config import strict_converter
from copilot_server.errors import DataError
from copilot_server.evaluation.files import read_bytes
from copilot_server.evaluation.types import FollowUp, Sample, SourceFacts, Submit, Task

#: A hundred times HumanEval with 200 samples of each problem has half of it.
MAX_FILE_BYTES = 1 << 29
_REMEDY = 'Each line is an object such as {"task_id": "HumanEval/0", "completion": "    return 1\\n"}.'
_CONVERTER = strict_converter()


def to_line(sample: Sample) -> str:
    """Return a sample as one line, including its line feed."""
    return json.dumps({key: value for key, value in asdict(sample).items() if value is not None}) + "\n"


def parse_line(line: str, where: str, index: int) -> Sample:
    """Return the sample in a line. ``index`` is its index where the line has none.

    Raises:
        DataError: the line is wrong; the message begins with ``where``.
    """
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is not JSON: {error}.", remedy=_REMEDY) from error
    if not isinstance(fields, dict):
        raise DataError(f"{where} is not an object.", remedy=_REMEDY)
    for name in ("task_id", "completion"):
        if not isinstance(fields.get(name), str):
            raise DataError(f"{where} has no text `{name}`.", remedy=_REMEDY)
    try:
        # Others may add fields of their own. A field with one of our names must have our type.
        return _CONVERTER.structure({"index": index, "temperature": None, **fields}, Sample)
    except (CattrsError, ValueError, TypeError) as error:
        kinds = "index, replaced, tokens: whole numbers; temperature, mean_logprob: numbers"
        raise DataError(f"{where} has a field of the wrong type.", remedy=f"Expected {kinds}.") from error


def read_samples(path: Path) -> list[Sample]:
    """Return the samples in a file, compressed by gzip or not.

    Their indices follow their order in the file; those in the file are ignored.

    Raises:
        DataError: the file cannot be read, or one of its lines is wrong.
    """
    samples = []
    counts: defaultdict[tuple[str, float | None], int] = defaultdict(int)
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        sample = parse_line(line, f"{path}, line {number},", 0)
        key = sample.task_id, sample.temperature
        samples.append(replace(sample, index=counts[key]))
        counts[key] += 1
    if not samples:
        raise DataError(f"{path} has no samples.", remedy=_REMEDY)
    return samples


class FileSource:
    """The samples in a file that others made: no model is loaded."""

    def __init__(self, path: Path, tasks: Sequence[Task], ks: Sequence[int]) -> None:
        """Read the file.

        Raises:
            DataError: it cannot be read, lacks a task, has an unknown one, or too few samples for ``ks``.
        """
        self._path = path
        self._samples = read_samples(path)
        _check_tasks(self._samples, tasks, path)
        _check_counts(self._samples, ks, path)

    @property
    def opening(self) -> str:
        """See ``Source.opening``."""
        return f"Checking {len(self._samples)} samples of {self._path}"

    def open(self) -> int:
        """See ``Source.open``."""
        return len(self._samples)

    def sample(self, submit: Submit, more: FollowUp | None = None) -> SourceFacts:  # noqa: ARG002 - see Source
        """Submit the samples of the file, which has no others."""
        submit(self._samples)
        return SourceFacts(f"samples of {self._path.name}")


def _check_tasks(samples: Sequence[Sample], tasks: Sequence[Task], path: Path) -> None:
    """Refuse samples of unknown tasks, and tasks without samples: both would distort the score."""
    names = dict.fromkeys(task.task_id for task in tasks)
    unknown = [name for name in dict.fromkeys(one.task_id for one in samples) if name not in names]
    if unknown:
        message = (
            f"{path} has samples of {len(unknown)} tasks that are not in the problem set: {_few(unknown)}."
        )
        raise DataError(message, remedy="Name its problem set with --data, or its benchmark.")
    for temperature in dict.fromkeys(one.temperature for one in samples):
        given = {one.task_id for one in samples if one.temperature == temperature}
        without = [name for name in names if name not in given]
        if without:
            at = "" if temperature is None else f" at temperature {temperature:g}"
            counted = f"{len(without)} of the {len(names)} tasks: {_few(without)}"
            message = f"{path} has no sample{at} of {counted}."
            raise DataError(message, remedy="Add them (an empty completion counts as wrong), or use --limit.")


def _check_counts(samples: Sequence[Sample], ks: Sequence[int], path: Path) -> None:
    """Refuse a k for which there are too few samples."""
    counts = Counter((one.task_id, one.temperature) for one in samples)
    (name, _), fewest = min(counts.items(), key=lambda item: item[1])
    if max(ks, default=1) > fewest:
        message = f"pass@{max(ks)} needs as many samples of each task; {path} has {fewest} of {name}."
        raise DataError(message, remedy="Leave out that k, or add samples.")


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def _lines(path: Path) -> Iterator[str]:
    try:
        data = read_bytes(path, MAX_FILE_BYTES)
        if len(data) > MAX_FILE_BYTES:
            raise DataError(f"{path} holds more than {MAX_FILE_BYTES:,} bytes.", remedy="Split it.")
        return iter(data.decode("utf-8").split("\n"))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DataError(f"The samples in {path} cannot be read: {error}.", remedy=_REMEDY) from error
