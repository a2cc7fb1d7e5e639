"""Files that may be anything, and change while they are looked at."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from copilot_server.context.regular_file import read_regular


def test_a_file_is_read_up_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    assert [read_regular(str(path), most) for most in (0, 2, 3, 9)] == [b"", b"ab", b"abc", b"abc"]


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zeros").symlink_to("/dev/zero")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero"), tmp_path / "zeros"):
        assert read_regular(str(path), 1 << 20) is None


def test_a_link_is_followed_or_not(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert read_regular(str(tmp_path / "link"), 9) == b"abc"
    with pytest.raises(OSError, match="link"):
        read_regular(str(tmp_path / "link"), 9, follow=False)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_regular(str(tmp_path / "none"), 9)
