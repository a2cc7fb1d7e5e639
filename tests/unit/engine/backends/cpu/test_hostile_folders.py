"""Model folders that anybody may have made: they are served, or refused with a remedy, and nothing else."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from copilot_server.errors import CopilotServerError
from tests.support.cpu_runner import open_runner
from tests.support.fuzzing import hostile_folder, load_and_step
from tests.support.tiny_models import build_tiny_model

#: Folders that once raised something else, or read memory that is not the model's.
FOUND: tuple[int, ...] = ()


def outcomes(good: Path, folder: Path, numbers: range) -> Counter[str]:
    counted: Counter[str] = Counter()
    for number in (*FOUND, *numbers):
        made = folder / str(number)
        name = hostile_folder(good, made, number)
        try:
            counted[load_and_step(made)] += 1
        except Exception as error:
            raise AssertionError(f"folder {number}, {name}: {error!r}") from error
    assert counted.keys() <= {"served", "other", "ModelError", "EngineError"}
    return counted


@pytest.mark.slow
def test_hostile_folders_are_served_or_refused(tiny_model_dir: Path, tmp_path: Path):
    counted = outcomes(tiny_model_dir, tmp_path, range(200))
    # Both must happen: else the changes are too small, or too large, to show anything.
    assert counted["ModelError"] > 50
    assert counted["served"] > 10


@pytest.mark.long
def test_many_more_hostile_folders(tmp_path: Path):
    assert outcomes(build_tiny_model("llama", tmp_path / "good"), tmp_path, range(1000, 6000))


@pytest.mark.parametrize(
    "changes",
    [
        {"num_attention_heads": 0},
        {"num_attention_heads": 3},
        {"num_attention_heads": -4},
        {"num_key_value_heads": 3},
        {"num_key_value_heads": 2**40},
        {"head_dim": 7},
        {"head_dim": 10**6},
        {"head_dim": 320},
        {"hidden_size": 2**31},
        {"hidden_size": "32"},
        {"num_hidden_layers": 10**9},
        {"num_hidden_layers": 0},
        {"intermediate_size": 10**400},
        {"vocab_size": 10**7},
        {"vocab_size": 601},
        {"max_position_embeddings": 0},
        {"max_position_embeddings": 10**12},
        {"rms_norm_eps": float("nan")},
        {"rms_norm_eps": 0},
        {"rope_parameters": {"rope_type": "default", "rope_theta": 0}},
        {"rope_parameters": {"rope_type": "linear", "factor": 0, "rope_theta": 1e6}},
        {"rope_parameters": [1]},
        {"tie_word_embeddings": "yes"},
        {"layer_types": 5},
    ],
)
def test_numbers_that_no_model_has_are_refused(changes: dict[str, Any], tiny_model_dir: Path, tmp_path: Path):
    folder = shutil.copytree(tiny_model_dir, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))
    with pytest.raises(CopilotServerError) as caught:
        open_runner(folder, "int8")
    assert caught.value.remedy


@pytest.mark.parametrize("text", ["", "[]", "3", "{}" * 2, "[" * 100_000, '{"model_type": "qwen2"', "\x00"])
def test_a_config_that_is_no_object_is_refused(text: str, tiny_model_dir: Path, tmp_path: Path):
    folder = shutil.copytree(tiny_model_dir, tmp_path / "model")
    (folder / "config.json").write_text(text)
    with pytest.raises(CopilotServerError) as caught:
        open_runner(folder)
    assert caught.value.remedy
