"""What the statistics call a model: its name only if everybody may know it."""

from __future__ import annotations

from pathlib import Path

import pytest

from copilot_server.statistics.names import (
    KEY_BYTES,
    earlier_name,
    hashed_name,
    is_hub_name,
    key_path,
    make_key,
    read_key,
    stored_name,
)

KEY = bytes(KEY_BYTES)


@pytest.mark.parametrize("model", ["qwen2.5-coder-0.5b", "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF"])
def test_a_model_of_the_catalogue_keeps_its_name(model: str):
    assert stored_name(model, KEY) == model


@pytest.mark.parametrize(
    "model",
    [
        "secret/secret",
        "secret",
        "/home/me/secret.gguf",
        "secret.GGUF",
        "~/secret",
        "./secret",
        r"C:\me\secret",
        "a/b/secret",
        "secret\x1b[31m",
        "secret\ud800",
        "qwen2.5-coder-0.5b-secret",
    ],
)
def test_any_other_has_a_hash_of_at_least_64_bits_that_needs_the_key(model: str):
    kept = stored_name(model, KEY)
    assert kept.startswith("local-")
    assert len(bytes.fromhex(kept.removeprefix("local-"))) >= 8
    assert "secret" not in kept
    assert kept == stored_name(model, KEY) != stored_name(model, b"x" * KEY_BYTES)


def test_earlier_versions_needed_no_key():
    assert earlier_name("secret/secret") == "secret/secret"
    assert earlier_name("/home/me/secret") == "local-ce81a05b"


def test_the_metrics_name_what_looks_like_a_name_on_a_hub():
    assert is_hub_name("org/name")
    assert not is_hub_name("./org/name")
    assert hashed_name("./org/name", KEY) != hashed_name("./org/other", KEY)


def test_the_key_is_made_once_and_again_if_it_is_damaged(tmp_path: Path):
    database = tmp_path / "suggestions.sqlite3"
    assert read_key(database) is None
    key = make_key(database)
    assert make_key(database) == read_key(database) == key
    assert len(key) == KEY_BYTES
    key_path(database).write_bytes(key[:5])
    assert read_key(database) is None
    assert len(make_key(database)) == KEY_BYTES
