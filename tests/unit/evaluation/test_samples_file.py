"""Samples as lines: what we write is read back and by the official harness; what is wrong is named."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_server.errors import DataError
from copilot_server.evaluation import samples_file
from copilot_server.evaluation.samples_file import parse_line, read_samples, to_line
from copilot_server.evaluation.types import Sample

LINE = {"task_id": "HumanEval/0", "completion": "    return 1\n"}

any_text = st.text(st.characters(categories=None, exclude_categories=[]))


@given(
    st.builds(
        Sample,
        task_id=any_text,
        index=st.integers(0, 10_000),
        temperature=st.none() | st.floats(0, 2),
        completion=any_text,
        protocol=any_text,
        finish_reason=st.sampled_from(["stop", "eos", "length"]),
        replaced=st.integers(0, 100),
        mean_logprob=st.none() | st.floats(-100, 0),
        tokens=st.none() | st.integers(0, 1000),
    )
)
def test_a_line_is_one_line_and_gives_the_sample_back(sample: Sample):
    line = to_line(sample)
    assert line.isascii()
    assert line.count("\n") == 1
    assert parse_line(line, "here", 0) == sample


@pytest.mark.parametrize("compress", [False, True])
def test_a_foreign_file_is_read_in_order(tmp_path: Path, compress: bool):
    lines = [LINE, {**LINE, "completion": "b", "model": "x"}, {**LINE, "task_id": "HumanEval/1", "index": 7}]
    data = "\n\n".join(map(json.dumps, lines)).encode()
    path = tmp_path / "samples.jsonl"
    path.write_bytes(gzip.compress(data) if compress else data)
    read = read_samples(path)
    assert [(one.task_id, one.index, one.temperature) for one in read] == [
        ("HumanEval/0", 0, None),
        ("HumanEval/0", 1, None),
        ("HumanEval/1", 0, None),
    ]


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ("{", "line 2, is not JSON"),
        ("[" * 100_000, "line 2, is not JSON"),
        ("[1]", "line 2, is not an object"),
        ('{"task_id": "HumanEval/0"}', "line 2, has no text `completion`"),
        ('{"completion": ""}', "line 2, has no text `task_id`"),
        ('{"task_id": 3, "completion": ""}', "line 2, has no text `task_id`"),
        ('{"task_id": "a", "completion": "", "temperature": "hot"}', "line 2, has a field of the wrong type"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, second: str, said: str):
    path = tmp_path / "samples.jsonl"
    path.write_text(json.dumps(LINE) + "\n")
    assert len(read_samples(path)) == 1
    path.write_text(f"{json.dumps(LINE)}\n{second}\n")
    with pytest.raises(DataError, match=said) as caught:
        read_samples(path)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "has no samples"),
        (b"\n \n", "has no samples"),
        (b"\xff\xfe", "cannot be read"),
        (gzip.compress(b"{}", mtime=0)[:-4], "cannot be read"),
    ],
)
def test_a_file_that_holds_nothing_is_an_error(tmp_path: Path, data: bytes, said: str):
    path = tmp_path / "samples.jsonl"
    path.write_bytes(data)
    with pytest.raises(DataError, match=said):
        read_samples(path)


@pytest.mark.parametrize("compress", [False, True])
def test_a_file_of_too_many_bytes_is_refused_before_they_are_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compress: bool
):
    """64 MiB of blank lines, of which gzip makes 64 KiB, where 1 MiB is allowed."""
    path = tmp_path / "samples.jsonl"
    line = json.dumps(LINE).encode() + b"\n"
    data = line + b"\n" * (64 << 20)
    path.write_bytes(gzip.compress(data, 1) if compress else data)
    del data
    monkeypatch.setattr(samples_file, "MAX_FILE_BYTES", 1 << 20)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="holds more than 1,048,576 bytes"):
            read_samples(path)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    path.write_bytes(gzip.compress(line * 5_000) if compress else line * 5_000)
    assert len(read_samples(path)) == 5_000


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path):
    with pytest.raises(DataError, match="cannot be read"):
        read_samples(tmp_path / "none.jsonl")
