"""Emptying a folder of which nobody knows the contents."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from copilot_server.sandbox import folder


def test_everything_is_removed_and_nothing_that_a_link_leads_to(tmp_path: Path):
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    (outside / "kept").touch()
    (inside / "a" / "b").mkdir(parents=True)
    (inside / "a" / "b" / "file").touch()
    (inside / "link").symlink_to(outside)
    (inside / "a" / "link").symlink_to(outside / "kept")
    (inside / "shut" / "deeper").mkdir(parents=True)
    (inside / "shut").chmod(0)
    folder.empty(str(inside))
    assert list(inside.iterdir()) == []
    assert (outside / "kept").exists()


def test_depth_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(1500):  # deeper than a path can be long, and than Python can recurse
        Path("folder").mkdir()
        os.chdir("folder")
    os.chdir(tmp_path)
    folder.empty(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_more_files_than_allowed_are_an_error(tmp_path: Path):
    for number in range(5):
        (tmp_path / str(number)).touch()
    with pytest.raises(OSError, match="more than 4 files"):
        folder.empty(str(tmp_path), 4)
    folder.empty(str(tmp_path), 4)  # the one that was left
    assert list(tmp_path.iterdir()) == []
