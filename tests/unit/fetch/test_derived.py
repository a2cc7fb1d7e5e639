"""What is made of a model: where it is kept, and when it is believed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from copilot_server.errors import ModelError
from copilot_server.fetch.derived import (
    are_ours,
    derived_folder,
    derived_from,
    is_intact,
    is_ours,
    make_private,
    remove,
    seal,
)

#: A user who is neither this one nor the administrator.
OTHER = 12345


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COPILOT_SERVER_HOME", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


def give_away(path: Path, patch: pytest.MonkeyPatch) -> None:
    """Let a file belong to another user; only the administrator can, and others become another one."""
    if os.geteuid() == 0:
        os.chown(path, OTHER, -1)
    else:
        patch.setenv("COPILOT_SERVER_HOME", "/")
        patch.setattr(os, "geteuid", lambda: OTHER)


def test_nothing_is_kept_beside_a_model_that_anybody_may_have_made(cache: Path, tmp_path: Path):
    model = tmp_path / "theirs" / "model.gguf"
    model.parent.mkdir()
    model.write_bytes(b"x")
    for one in (model, model.parent):
        folder = derived_folder(one)
        assert folder.parent == cache / "prepared"
        assert not folder.stat().st_mode & 0o077
    assert derived_folder(model) != derived_folder(model.parent)


def test_what_is_made_of_a_pulled_model_is_kept_beside_it(cache: Path):
    model = cache / "models" / "tiny" / "model.gguf"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"x")
    assert derived_folder(model) == model.parent


def test_a_link_into_the_cached_models_counts_as_what_it_leads_to(cache: Path, tmp_path: Path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (cache / "models").mkdir()
    (cache / "models" / "link").symlink_to(theirs)
    assert derived_folder(cache / "models" / "link") == derived_folder(theirs)


def test_another_file_of_the_same_name_has_another_folder(cache: Path, tmp_path: Path):
    model = tmp_path / "model.gguf"
    model.write_bytes(b"x")
    before = derived_folder(model)
    assert derived_folder(model) == before
    os.utime(model, ns=(1, 1))
    assert derived_folder(model) != before
    assert before.parent == cache / "prepared"


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_file_that_others_may_write_to_is_not_believed(mode: int, cache: Path):
    path = cache / "file"
    path.touch(mode=0o644)
    path.chmod(0o644)
    assert is_ours(path)
    assert are_ours(cache)
    path.chmod(mode)
    assert not is_ours(path)
    assert not are_ours(cache)
    make_private(cache)
    assert are_ours(cache)


def test_another_users_file_is_not_believed(cache: Path, monkeypatch: pytest.MonkeyPatch):
    path = cache / "file"
    path.touch(mode=0o600)
    assert is_ours(path)
    give_away(path, monkeypatch)
    assert not is_ours(path)


def test_a_link_and_a_missing_file_are_not_believed(cache: Path):
    (cache / "link").symlink_to(cache)
    assert is_ours(cache)
    assert not is_ours(cache / "link")
    assert not is_ours(cache / "nothing")


@pytest.mark.skipif(os.name == "nt", reason="the owner of a file has no number")
def test_a_folder_that_another_user_has_put_there_is_refused(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    derived_folder(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("copilot_server.fetch.derived.is_ours", lambda path: path.name != "prepared")
        with pytest.raises(ModelError, match="prepared") as caught:
            derived_folder(tmp_path)
    assert caught.value.remedy
    assert derived_folder(tmp_path).parent == cache / "prepared"


def test_a_folder_that_a_group_may_write_to_becomes_private(cache: Path, tmp_path: Path):
    """As older versions made it where the umask is 002, which is no attack."""
    (cache / "prepared").mkdir()
    (cache / "prepared").chmod(0o775)
    assert is_ours(derived_folder(tmp_path).parent)


def test_what_has_changed_since_it_was_made_is_found(cache: Path):
    model = cache / "models" / "tiny" / "a.gguf"
    unpacked = model.parent / "a-123"
    unpacked.mkdir(parents=True)
    packed = unpacked / "packed-int8.weights"
    for path in (model, packed, unpacked / "config.json"):
        path.write_bytes(b"made")
        path.chmod(0o600)
    unpacked.chmod(0o700)
    assert list(derived_from(model)) == [packed, unpacked]
    assert not is_intact(packed)  # nothing says how it was made
    assert not is_intact(unpacked)
    for path in (packed, unpacked):
        seal(path)
        assert is_intact(path)
    packed.write_bytes(b"else")
    (unpacked / "config.json").write_bytes(b"else")
    assert not is_intact(packed)
    assert not is_intact(unpacked)
    seal(unpacked)
    assert is_intact(unpacked)
    (unpacked / "more.json").write_bytes(b"")
    assert not is_intact(unpacked)
    for path in (packed, unpacked):
        remove(path)
        assert not path.exists()
    assert [path.name for path in model.parent.iterdir()] == ["a.gguf"]
