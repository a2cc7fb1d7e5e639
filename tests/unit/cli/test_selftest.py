"""The folder that follows ``--selftest repository``."""

from __future__ import annotations

import pytest

from copilot_server.cli.selftest import with_repository_flag


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("--selftest repository .", "--selftest repository --repository ."),
        ("--selftest=repository models --limit 2", "--selftest=repository --repository models --limit 2"),
        (
            "--model m --selftest repository a --json -",
            "--model m --selftest repository --repository a --json -",
        ),
        ("--selftest repository", "--selftest repository"),
        ("--selftest repository --limit 2", "--selftest repository --limit 2"),
        ("--selftest humaneval repository .", "--selftest humaneval repository ."),
        ("--data repository models", "--data repository models"),
        ("pull repository", "pull repository"),
    ],
)
def test_the_folder_gets_a_flag(given: str, read: str):
    assert with_repository_flag(given.split()) == read.split()
