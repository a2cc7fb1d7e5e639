"""A configuration that describes a larger model than its files hold is refused before memory is taken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from copilot_server.engine.backends.transformers.sizes import check_size
from copilot_server.errors import ModelError
from tests.support.tiny_models import ARCHITECTURES, build_tiny_model


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_model_as_large_as_its_files_is_accepted(architecture: str, tmp_path: Path):
    folder = build_tiny_model(architecture, tmp_path)
    check_size(folder, list(folder.glob("*.safetensors")))


@pytest.mark.parametrize(
    "changes",
    [
        {"n_layer": 10**6},
        {"n_layer": -1},
        {"n_layer": float("inf")},
        {"n_layer": 20, "n_inner": 2**20},
        {"vocab_size": 2**30},
        {"text_config": [{"num_hidden_layers": 10**9}]},
    ],
)
def test_a_configuration_of_a_larger_model_is_refused(changes: dict[str, object], tmp_path: Path):
    """Transformers would make the layers, and make up their weights."""
    folder = build_tiny_model("gpt2", tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))
    with pytest.raises(ModelError, match="describes") as caught:
        check_size(folder, [folder / "model.safetensors"])
    assert caught.value.remedy
