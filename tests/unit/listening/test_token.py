"""The token that editors present to a server that listens."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from copilot_server.errors import ConfigError
from copilot_server.listening.token import is_right, make_token, read_token


def test_tokens_are_long_and_differ() -> None:
    tokens = {make_token() for _ in range(100)}
    assert len(tokens) == 100
    assert min(map(len, tokens)) >= 32


@pytest.mark.parametrize("presented", [None, "", "toke", "token ", "tökén", "\udc00", 5, ["token"]])
def test_only_the_token_itself_is_right(presented: object) -> None:
    assert not is_right(presented, "token")
    assert is_right("token", "token")


def test_a_file_is_made_for_its_owner_alone_and_read_again(tmp_path: Path) -> None:
    token = read_token(tmp_path / "token")
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600
    assert read_token(tmp_path / "token") == token


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    read_token(file)
    file.chmod(0o640)
    with pytest.raises(ConfigError, match="other users may read or change it"):
        read_token(file)


@pytest.mark.parametrize("content", ["", "short", "a" * 500, "with spaces in it that a header has\n"])
def test_a_file_without_a_token_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "token"
    file.touch(0o600)
    file.write_text(content)
    with pytest.raises(ConfigError, match="holds no token"):
        read_token(file)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "token", 0o600)
    with pytest.raises(ConfigError, match="not a regular file"):
        read_token(tmp_path / "token")


def test_a_folder_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be made"):
        read_token(tmp_path / "none" / "token")
