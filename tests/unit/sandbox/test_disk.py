from __future__ import annotations

import os
from pathlib import Path

import pytest

from copilot_server.sandbox.disk import Watch, free_bytes, taken_bytes

MIB = 2**20
pytestmark = pytest.mark.skipif(os.name != "posix", reason="the sandbox is for Linux")


def write(path: Path, size: int) -> None:
    """Write a file and have its blocks allocated."""
    with path.open("wb") as file:
        file.write(b"x" * size)
        os.fsync(file.fileno())


def test_files_and_folders_count_at_least_a_block_each(tmp_path: Path):
    assert taken_bytes(str(tmp_path), MIB) == 0
    (tmp_path / "empty").touch()
    (tmp_path / "link").symlink_to("empty")
    (tmp_path / "folder").mkdir()
    assert taken_bytes(str(tmp_path), MIB) >= 3 * 4096


def test_what_is_in_inner_folders_counts(tmp_path: Path):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    write(inner / "file", MIB)
    assert MIB <= taken_bytes(str(tmp_path), 8 * MIB) < 2 * MIB


def test_space_that_a_file_does_not_take_does_not_count(tmp_path: Path):
    write(tmp_path / "file", MIB)
    os.truncate(tmp_path / "file", 64 * MIB)
    assert taken_bytes(str(tmp_path), 8 * MIB) < 2 * MIB


def test_a_file_with_several_names_counts_once(tmp_path: Path):
    write(tmp_path / "0", MIB)
    for number in range(1, 8):
        os.link(tmp_path / "0", tmp_path / str(number))
    assert taken_bytes(str(tmp_path), 8 * MIB) < 2 * MIB


def test_counting_ends_beyond_the_most(tmp_path: Path):
    for number in range(8):
        write(tmp_path / str(number), MIB)
    assert 2 * MIB < taken_bytes(str(tmp_path), 2 * MIB) < 4 * MIB


def test_a_folder_that_is_not_there_takes_nothing(tmp_path: Path):
    assert taken_bytes(str(tmp_path / "gone"), MIB) == 0


def test_files_beyond_the_limit_are_an_excess(tmp_path: Path):
    watch = Watch(str(tmp_path), 8 * MIB)
    write(tmp_path / "small", MIB)
    assert taken_bytes(str(tmp_path), 8 * MIB) < 8 * MIB
    write(tmp_path / "large", 9 * MIB)
    assert watch.exceeded()
    assert watch.excess == "files"
    assert watch.pause_s >= 0.01


def test_an_open_file_without_a_name_is_suspected(tmp_path: Path):
    watch, before = Watch(str(tmp_path), MIB), free_bytes(str(tmp_path))
    with (tmp_path / "file").open("wb") as file:
        (tmp_path / "file").unlink()
        file.write(b"x" * 256 * MIB)
        os.fsync(file.fileno())
        assert free_bytes(str(tmp_path)) < before
        assert taken_bytes(str(tmp_path), MIB) == 0
        assert watch.exceeded()
    assert watch.excess == "suspected"
