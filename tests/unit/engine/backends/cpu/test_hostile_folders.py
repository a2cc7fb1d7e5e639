"""Model folders that anybody may have made: they are served, or refused with a remedy, and nothing else."""

from __future__ import annotations

import json
import random
import shutil
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from copilot_server.errors import CopilotServerError
from copilot_server.fetch.derived import derived_folder
from tests.support import fuzzing
from tests.support.cpu_runner import open_runner
from tests.support.fuzzing import (
    KINDS,
    change_file,
    hostile_data,
    make_model,
    numbers,
    outcome_of,
    outcome_of_gguf,
)
from tests.support.tiny_gguf import MIXED, build_tiny_gguf


def outcomes(kind: str, numbers: Iterable[int], scratch: Path) -> Counter[str]:
    """Count what happens to the models with these numbers; ``refused`` stands for every message."""
    counted: Counter[str] = Counter()
    for number in numbers:
        data = hostile_data(kind, number)
        try:
            outcome = outcome_of(kind, data, scratch)
        except Exception as error:
            (scratch / "found").write_bytes(data)
            raise AssertionError(f"{kind} {number}, {scratch / 'found'}: {error!r}") from error
        assert "without a remedy" not in outcome, f"{kind} {number}: {outcome}"
        counted[outcome if outcome in ("served", "other") else "refused"] += 1
    return counted


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_hostile_models_are_served_or_refused(kind: str, tmp_path: Path):
    counted = outcomes(kind, range(200), tmp_path)
    # Both must happen: else the changes are too small, or too large, to show anything.
    assert counted["refused"] > 50
    assert counted["served"] > 10


def outcomes_of_blocks(numbers: Iterable[int], scratch: Path) -> Counter[str]:
    """Count what happens to changed GGUF files with blocks that the kernels read by themselves."""
    good = build_tiny_gguf(scratch / "good.gguf", MIXED).read_bytes()
    counted: Counter[str] = Counter()
    for number in numbers:
        model = make_model("gguf", change_file("gguf", good, random.Random(number)), scratch / "model")
        try:
            counted[outcome_of_gguf(model)] += 1
        except Exception as error:
            raise AssertionError(f"blocks {number}: {error!r}") from error
        shutil.rmtree(derived_folder(model))
    assert counted.keys() <= {"served", "refused", "other"}
    return counted


def test_hostile_blocks_are_served_or_refused(tmp_path: Path):
    counted = outcomes_of_blocks(range(150), tmp_path)
    assert counted["refused"] > 30
    assert counted["served"] > 10


@pytest.mark.long
def test_hostile_blocks_for_as_long_as_fuzzers_run(tmp_path: Path):
    counted = outcomes_of_blocks(numbers(1000), tmp_path)
    sys.stdout.write(f"blocks: {counted.total()} models, {dict(counted)}\n")
    assert min(counted["refused"], counted["served"]) > 0


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_hostile_models_for_as_long_as_fuzzers_run(kind: str, tmp_path: Path):
    counted = outcomes(kind, numbers(1000), tmp_path)
    sys.stdout.write(f"{kind}: {counted.total()} models, {dict(counted)}\n")
    assert counted["refused"] > counted["served"] > 0


def test_a_fuzzer_reports_what_is_no_error_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert outcomes("config", range(5), tmp_path)
    monkeypatch.setattr(fuzzing, "read_architecture", lambda folder: {}[folder])
    with pytest.raises(AssertionError, match=r"config 0, .*found: KeyError"):
        outcomes("config", range(5), tmp_path)
    assert (tmp_path / "found").read_bytes() == hostile_data("config", 0)


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
