"""The folder of a run, which keeps every sample as soon as it is generated, so that the run can resume.

``run.json`` says how the samples are generated. ``samples_T0.2.jsonl`` has those of temperature 0.2, one on
each line in the format of OpenAI's harness. Samples are only ever appended. A run that is killed leaves at
worst an incomplete last line; the run that resumes removes it and generates that sample again.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from copilot_server.errors import ConfigError, DataError
from copilot_server.evaluation.files import write_atomically
from copilot_server.evaluation.samples_file import parse_line, to_line
from copilot_server.evaluation.types import Sample, SamplingRequest

RUN_FILE = "run.json"

#: A sample's task, temperature and index.
Key = tuple[str, float, int]


class RunFolder:
    """The samples of a run, on disk if there is a ``path``. ``open_run`` opens one that is on disk.

    Only one thread at a time may call it.
    """

    def __init__(self, path: Path | None, samples: Iterable[Sample] = ()) -> None:
        self._path = path
        self._samples = {_key(sample): sample for sample in samples}

    @property
    def samples(self) -> Mapping[Key, Sample]:
        """The samples of this run and of those that it resumes from."""
        return self._samples

    def kept(self, requests: Sequence[SamplingRequest]) -> list[Sample]:
        """Return the samples of ``requests`` that are here already."""
        wanted = {key for request in requests for key in _keys(request)}
        return [sample for key, sample in self._samples.items() if key in wanted]

    def missing(self, requests: Sequence[SamplingRequest]) -> list[SamplingRequest]:
        """Return the requests that lack a sample. They are repeated whole, since the prefill is the same."""
        return [request for request in requests if any(key not in self._samples for key in _keys(request))]

    def add(self, samples: Iterable[Sample]) -> list[Sample]:
        """Write the samples that are not here yet; return them.

        Raises:
            ConfigError: they cannot be written.
        """
        new = [sample for sample in samples if _key(sample) not in self._samples]
        self._samples |= {_key(sample): sample for sample in new}
        if self._path is not None:
            _append(self._path, new)
        return new


@contextmanager
def open_run(path: Path, identity: Mapping[str, Any]) -> Iterator[RunFolder]:
    """Make the folder, or resume the run in it if that run has the same ``identity``.

    Raises:
        ConfigError: another process uses it, it belongs to a different run, or it cannot be written.
        DataError: its files are not those of a run.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with FileLock(path / ".lock", timeout=0):
            _check_identity(path, identity)
            yield RunFolder(path, _read(path))
    except Timeout as error:
        raise ConfigError(f"Another run is writing to {path}.", remedy="Wait, or name another.") from error
    except OSError as error:
        raise ConfigError(f"The run cannot be kept in {path}: {error}.") from error


def _check_identity(path: Path, identity: Mapping[str, Any]) -> None:
    file = path / RUN_FILE
    if not file.exists():
        write_atomically(file, json.dumps(identity, indent=2) + "\n")
        return
    try:
        earlier = json.loads(file.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file} is not JSON.", remedy="Name another folder.") from error
    if not isinstance(earlier, dict):
        raise DataError(f"{file} does not describe a run.", remedy="Name another folder.")
    # A tuple is a list in JSON.
    wanted = json.loads(json.dumps(identity))
    other = [name for name in wanted | earlier if wanted.get(name) != earlier.get(name)]
    if other:
        was = "; ".join(f"{name} was {earlier.get(name)!r}, not {wanted.get(name)!r}" for name in other)
        raise ConfigError(
            f"{path} belongs to a different run: {was}.",
            remedy="Use the same flags to resume it, or name another folder.",
        )


def _read(path: Path) -> Iterator[Sample]:
    for file in sorted(path.glob("samples_T*.jsonl")):
        _remove_incomplete_line(file)
        for number, line in enumerate(file.read_text("utf-8").split("\n")[:-1], start=1):
            yield parse_line(line, f"{file}, line {number},", 0)


def _remove_incomplete_line(file: Path) -> None:
    """Remove an incomplete last line, which a killed run leaves."""
    data = file.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        os.truncate(file, whole)


def _append(folder: Path, samples: Iterable[Sample]) -> None:
    """Append each temperature's samples in one write, so that a kill leaves at most one incomplete line."""
    lines: defaultdict[float, list[str]] = defaultdict(list)
    for sample in samples:
        lines[sample.temperature or 0.0].append(to_line(sample))
    for temperature, texts in lines.items():
        with (folder / f"samples_T{temperature:g}.jsonl").open("ab", buffering=0) as file:
            file.write("".join(texts).encode())


def _key(sample: Sample) -> Key:
    return sample.task_id, sample.temperature or 0.0, sample.index


def _keys(request: SamplingRequest) -> Iterator[Key]:
    for index in range(request.first, request.first + request.count):
        yield request.task.task_id, request.temperature, index
