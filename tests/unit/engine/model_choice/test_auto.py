"""The setting ``auto`` with what is on this machine."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from copilot_server.catalog import find
from copilot_server.config import Settings
from copilot_server.engine.model_choice import auto, measuring
from copilot_server.engine.model_choice.auto import with_model
from copilot_server.engine.model_choice.machine import Machine
from copilot_server.errors import ModelNotCachedError

AUTO = Settings(model="auto", device="cpu")
FAST = Machine("cpu", "int8", 1e12, 6e10, 32 * 10**9)


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The ids of the models that a fast machine has on its disk."""
    ids: set[str] = set()
    monkeypatch.setattr(measuring, "this_machine", lambda *_: FAST)
    monkeypatch.setattr(measuring, "measured_models", lambda *_: {})
    monkeypatch.setattr(auto, "cached_path", lambda one: Path(one.id) if one.id in ids else None)
    return ids


def test_auto_becomes_a_model_that_is_on_this_machine_and_nothing_else_changes(on_disk: set[str]):
    on_disk.add("qwen2.5-coder-0.5b")
    settings, choice = with_model(AUTO)
    assert settings == attrs.evolve(AUTO, model="qwen2.5-coder-0.5b")
    assert choice is not None
    assert choice.suited == find("qwen2.5-coder-1.5b")
    on_disk.add("qwen2.5-coder-1.5b")
    assert with_model(AUTO)[0].model == "qwen2.5-coder-1.5b"


def test_with_nothing_on_this_machine_nothing_is_fetched_and_the_error_says_what_to_do(on_disk: set[str]):
    assert not on_disk
    with pytest.raises(ModelNotCachedError, match=r"`copilot-server pull qwen2\.5-coder-1\.5b` fetches"):
        with_model(AUTO)


def test_where_a_model_may_be_fetched_the_one_that_suits_the_machine_is_chosen(on_disk: set[str]):
    settings, choice = with_model(AUTO, may_be_absent=True)
    assert settings.model == "qwen2.5-coder-1.5b"
    assert choice is not None
    assert choice.served_id == "qwen2.5-coder-1.5b"
    assert "pull" not in choice.reason
    on_disk.add("qwen2.5-coder-0.5b")  # what is here is used until the user asks for more
    assert with_model(AUTO, may_be_absent=True)[0].model == "qwen2.5-coder-0.5b"


@pytest.mark.parametrize(
    "settings",
    [Settings(), Settings(model="./auto"), Settings(model="auto", engine=("https://gpu.example.com",))],
)
def test_a_named_model_and_a_remote_engine_are_left_alone(settings: Settings):
    assert with_model(settings) == (settings, None)
