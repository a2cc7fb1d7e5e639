"""The folder of a run: what it was asked, and every sample as soon as it is drawn, so that it can go on.

``run.json`` says how the samples are drawn. ``samples_T0.2.jsonl`` holds those of temperature 0.2, a line
each in the official harness's format, only ever added to. A run that is killed, at any moment, leaves at
worst a line that was not written to its end; it is cut off when the run goes on, and drawn again.
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
from copilot_server.evaluation.results import Sample
from copilot_server.evaluation.samples import parse_line, to_line
from copilot_server.evaluation.sampling import Draw

RUN_FILE = "run.json"

#: A sample's task, temperature and index.
Key = tuple[str, float, int]


class RunFolder:
    """Where a run keeps its samples; in memory alone without a ``path``. ``open_run`` opens one on disk.

    One thread at a time may call it.
    """

    def __init__(self, path: Path | None, samples: Iterable[Sample] = ()) -> None:
        self._path = path
        self._samples = {_key(sample): sample for sample in samples}

    @property
    def samples(self) -> Mapping[Key, Sample]:
        """What has been drawn, in this run and in those that it goes on from."""
        return self._samples

    def missing(self, draws: Sequence[Draw]) -> list[Draw]:
        """The draws of which a sample is missing. They are drawn whole: it is one prefill all the same."""
        return [draw for draw in draws if any(key not in self._samples for key in _keys(draw))]

    def add(self, drawn: Iterable[Sample]) -> list[Sample]:
        """Write down those samples that are not here yet; return them.

        Raises:
            ConfigError: they cannot be written.
        """
        new = [sample for sample in drawn if _key(sample) not in self._samples]
        self._samples |= {_key(sample): sample for sample in new}
        if self._path is not None:
            _append(self._path, new)
        return new


@contextmanager
def open_run(path: Path, asked: Mapping[str, Any]) -> Iterator[RunFolder]:
    """Make the folder, or go on with the run in it, if that is of what is ``asked``.

    Raises:
        ConfigError: another process is at it, it holds a run of something else, or it cannot be written.
        DataError: what it holds is not what a run wrote.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with FileLock(path / ".lock", timeout=0):
            _same_or_new(path, asked)
            yield RunFolder(path, _read_back(path))
    except Timeout as error:
        raise ConfigError(f"Another run is writing to {path}.", remedy="Wait, or name another.") from error
    except OSError as error:
        raise ConfigError(f"The run cannot be kept in {path}: {error}.") from error


def _same_or_new(path: Path, asked: Mapping[str, Any]) -> None:
    file = path / RUN_FILE
    if not file.exists():
        write_atomically(file, json.dumps(asked, indent=2) + "\n")
        return
    try:
        earlier = json.loads(file.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file} is not JSON.", remedy="Name another folder.") from error
    if not isinstance(earlier, dict):
        raise DataError(f"{file} does not say what was run.", remedy="Name another folder.")
    # By way of JSON, in which a tuple is a list.
    wanted = json.loads(json.dumps(asked))
    other = [name for name in wanted | earlier if wanted.get(name) != earlier.get(name)]
    if other:
        was = "; ".join(f"{name} was {earlier.get(name)!r}, not {wanted.get(name)!r}" for name in other)
        raise ConfigError(
            f"{path} holds a run of something else: {was}.",
            remedy="Go on with the same flags, or name another folder.",
        )


def _read_back(path: Path) -> Iterator[Sample]:
    for file in sorted(path.glob("samples_T*.jsonl")):
        _cut_torn_line(file)
        for number, line in enumerate(file.read_text("utf-8").split("\n")[:-1], start=1):
            yield parse_line(line, f"{file}, line {number},", 0)


def _cut_torn_line(file: Path) -> None:
    """Take off a last line that a killed run did not write to its end."""
    data = file.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        os.truncate(file, whole)


def _append(folder: Path, samples: Iterable[Sample]) -> None:
    """Add each temperature's samples by one write, so that a kill tears at most one line."""
    lines: defaultdict[float, list[str]] = defaultdict(list)
    for sample in samples:
        lines[sample.temperature or 0.0].append(to_line(sample))
    for temperature, texts in lines.items():
        with (folder / f"samples_T{temperature:g}.jsonl").open("ab", buffering=0) as file:
            file.write("".join(texts).encode())


def _key(sample: Sample) -> Key:
    return sample.task_id, sample.temperature or 0.0, sample.index


def _keys(draw: Draw) -> Iterator[Key]:
    for index in range(draw.first, draw.first + draw.count):
        yield draw.task.task_id, draw.temperature, index
