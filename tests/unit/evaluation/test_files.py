"""Writing files atomically."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from copilot_server.evaluation.files import write_atomically


def test_a_file_is_replaced_and_everybody_can_read_it(tmp_path: Path):
    path = tmp_path / "report.json"
    for text in ("old", "new – é"):
        write_atomically(path, text)
        assert path.read_text("utf-8") == text
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    path = tmp_path / "report.json"
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "half of a pair: \ud800")
    assert path.read_text("utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_missing_is_an_error(tmp_path: Path):
    with pytest.raises(OSError, match="none"):
        write_atomically(tmp_path / "none" / "report.json", "text")
