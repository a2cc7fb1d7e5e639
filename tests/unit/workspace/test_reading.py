"""Files that are read while a key waits."""

from __future__ import annotations

import os
from pathlib import Path

from copilot_server.workspace.files import MAX_BYTES
from copilot_server.workspace.reading import are_same_file, text_of


def test_a_text(tmp_path: Path):
    path = tmp_path / "a.py"
    path.write_bytes(b"\xef\xbb\xbfx = '\xc3\xa9\xff'\n")
    assert text_of(str(path)) == "x = 'é\ufffd'\n"


def test_what_is_no_text_file_is_empty_and_nobody_waits_for_it(tmp_path: Path):
    (tmp_path / "binary").write_bytes(b"x\0")
    (tmp_path / "huge").write_bytes(b"x" * (MAX_BYTES + 1))
    os.mkfifo(tmp_path / "pipe")
    for name in ("none", "binary", "huge", "pipe", "."):
        assert text_of(str(tmp_path / name)) == ""


def test_links_are_not_followed(tmp_path: Path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.py").write_text("secret")
    (tmp_path / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "a.py").symlink_to(tmp_path / "real" / "a.py")
    assert text_of(str(tmp_path / "real" / "a.py")) == "secret"
    assert text_of(str(tmp_path / "linked" / "a.py")) == text_of(str(tmp_path / "a.py")) == ""


def test_one_file_by_two_names(tmp_path: Path):
    (tmp_path / "a.py").write_text("")
    (tmp_path / "b.py").hardlink_to(tmp_path / "a.py")
    (tmp_path / "c.py").write_text("")
    assert are_same_file(str(tmp_path / "a.py"), str(tmp_path / "b.py"))
    assert not are_same_file(str(tmp_path / "a.py"), str(tmp_path / "c.py"))
    assert not are_same_file(str(tmp_path / "a.py"), str(tmp_path / "none.py"))
