"""Samples as lines of JSON, in the official harness's format: read whole, written line by line.

A line has ``task_id`` and ``completion``, as github.com/openai/human-eval has it, and beside them what else
is known of the sample; the official ``evaluate_functional_correctness`` passes over that.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from cattrs.errors import CattrsError

from copilot_server.config import strict_converter
from copilot_server.errors import DataError
from copilot_server.evaluation.results import Sample

_GZIP_MAGIC = b"\x1f\x8b"
_REMEDY = 'Each line is an object such as {"task_id": "HumanEval/0", "completion": "    return 1\\n"}.'
_CONVERTER = strict_converter()


def to_line(sample: Sample) -> str:
    """A sample as one line, its line feed included."""
    return json.dumps({key: value for key, value in asdict(sample).items() if value is not None}) + "\n"


def parse_line(line: str, where: str, index: int) -> Sample:
    """Read one line; ``index`` is the sample's where the line does not say.

    Raises:
        DataError: naming ``where`` and what is wrong.
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
        # Others write fields of their own beside the two; what is called as ours must be as ours.
        return _CONVERTER.structure({"index": index, "temperature": None, **fields}, Sample)
    except (CattrsError, ValueError, TypeError) as error:
        kinds = "index, replaced, tokens: whole numbers; temperature, mean_logprob: numbers"
        raise DataError(f"{where} has a field of the wrong type.", remedy=f"Expected {kinds}.") from error


def read_samples(path: Path) -> list[Sample]:
    """Read a samples file that anyone made, compressed by gzip or not.

    A sample's place among those of its task is that in the file; what the file says of it is passed over.

    Raises:
        DataError: the file cannot be read, or a line of it is wrong.
    """
    samples = []
    counts: defaultdict[tuple[str, float | None], int] = defaultdict(int)
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        sample = parse_line(line, f"{path}, line {number},", 0)
        key = sample.task_id, sample.temperature
        samples.append(_placed(sample, counts[key]))
        counts[key] += 1
    if not samples:
        raise DataError(f"{path} has no samples.", remedy=_REMEDY)
    return samples


def _placed(sample: Sample, index: int) -> Sample:
    return Sample(**{**asdict(sample), "index": index})


def _lines(path: Path) -> Iterator[str]:
    try:
        data = path.read_bytes()
        if data.startswith(_GZIP_MAGIC):
            data = gzip.decompress(data)
        return iter(data.decode("utf-8").split("\n"))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DataError(f"The samples in {path} cannot be read: {error}.", remedy=_REMEDY) from error
