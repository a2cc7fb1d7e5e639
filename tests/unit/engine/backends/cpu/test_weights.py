"""Packed weights: made once, again when anything changed, and only of tensors that fit the architecture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from copilot_server.engine.backends.cpu.gguf_tensors import map_gguf
from copilot_server.engine.backends.cpu.layout import PAIR, PIECES, Dtype, matrix_shapes
from copilot_server.engine.backends.cpu.packing import matrix_sources
from copilot_server.engine.backends.cpu.tensors import as_float32, metadata, write_tensors
from copilot_server.errors import ModelError
from copilot_server.fetch.derived import derived_folder, is_intact
from tests.support.cpu_runner import greedy_choices, open_model_weights, open_runner, random_tokens
from tests.support.packed_reference import PACK_BLOCKS, round_to_int8
from tests.support.tiny_gguf import MIXED, build_tiny_gguf
from tests.support.tiny_models import build_tiny_model


def packed(folder: Path) -> Path:
    return derived_folder(folder) / "packed-int8.weights"


def test_packed_weights_are_made_once_and_again_when_spoilt(tmp_path: Path):
    folder = build_tiny_model("qwen2", tmp_path)
    before = greedy_choices(open_runner(folder, "int8"), random_tokens(9), [9])
    path = packed(folder)
    assert is_intact(path)
    made = path.stat().st_mtime_ns
    assert greedy_choices(open_runner(folder, "int8"), random_tokens(9), [9]) == before
    assert path.stat().st_mtime_ns == made
    path.write_bytes(b"nothing")
    assert greedy_choices(open_runner(folder, "int8"), random_tokens(9), [9]) == before
    assert path.stat().st_size > 1000


@pytest.mark.parametrize("dtype", ["int8", "gguf"])
def test_the_packed_weights_of_a_gguf_file_are_those_that_numpy_packs(dtype: Dtype, tmp_path: Path):
    """To the last bit, in every matrix: files that older versions packed stay valid."""
    gguf = build_tiny_gguf(tmp_path / "mixed.gguf", MIXED)
    made = open_model_weights(gguf, dtype)
    architecture = made.architecture
    sources = map_gguf(gguf, architecture)
    for name, (outputs, _) in matrix_shapes(architecture, made.formats).items():
        rows = [sources[one] for one in matrix_sources(name, made.formats)]
        kind = made.formats[name]
        arrays = [array if kind in PIECES else as_float32((of, array)) for of, array in rows]
        if name.endswith(".gate_up"):
            arrays = [np.stack([one.reshape(-1, 16, one.shape[1]) for one in arrays], 1)]
        joined = np.pad(np.concatenate(arrays).reshape(outputs, -1), ((0, -outputs % PAIR), (0, 0)))
        data, *scales = [PACK_BLOCKS[kind](joined)] if kind in PIECES else round_to_int8(joined)
        assert np.array_equal(made.tensors[f"{name}.data"], data), name
        assert not scales or np.array_equal(made.tensors[f"{name}.scales"], scales[0]), name


def test_packed_weights_are_made_again_when_the_models_own_change(tmp_path: Path):
    folder = build_tiny_model("qwen2", tmp_path)
    before = greedy_choices(open_runner(folder, "int8"), random_tokens(9), [9])
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"] = -weights["model.norm.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert greedy_choices(open_runner(folder, "int8"), random_tokens(9), [9]) != before


def test_a_packed_file_that_came_with_a_folder_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Whoever made the folder may have put other weights there than those that everybody can look at."""
    folder = build_tiny_model("qwen2", tmp_path / "model")
    before = greedy_choices(open_runner(folder, "int8"), random_tokens(9), [9])
    path = packed(folder)
    true = path.read_bytes()
    forged = true[:-4096] + bytes(4096)
    (folder / path.name).write_bytes(forged)
    monkeypatch.setenv("COPILOT_SERVER_HOME", str(tmp_path / "home"))
    assert greedy_choices(open_runner(folder, "int8"), random_tokens(9), [9]) == before
    assert (folder / path.name).read_bytes() == forged
    # The twin: among the cached models the file is believed, and its weights are other ones indeed.
    packed(folder).write_bytes(forged)
    assert greedy_choices(open_runner(folder, "int8"), random_tokens(9), [9]) != before


def test_a_packed_file_that_others_may_write_to_is_written_again(tmp_path: Path):
    folder = build_tiny_model("qwen2", tmp_path)
    before = greedy_choices(open_runner(folder, "int8"), random_tokens(9), [9])
    path = packed(folder)
    forged = path.read_bytes()[:-4096] + bytes(4096)
    path.write_bytes(forged)
    assert greedy_choices(open_runner(folder, "int8"), random_tokens(9), [9]) != before
    path.chmod(0o666)
    assert greedy_choices(open_runner(folder, "int8"), random_tokens(9), [9]) == before
    assert not path.stat().st_mode & 0o022


def test_the_packed_weights_of_a_pulled_model_lie_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where they have always been: such a model is not packed again."""
    monkeypatch.setenv("COPILOT_SERVER_HOME", str(tmp_path))
    folder = build_tiny_model("qwen2", tmp_path / "models" / "tiny" / "snapshot")
    open_runner(folder, "int8")
    assert (folder / "packed-int8.weights").is_file()
    assert not (tmp_path / "prepared").exists()


def test_weights_that_are_too_small_for_a_scale_become_zeros(tmp_path: Path):
    served = {}
    for factor in (0.0, 1e-40, 1.0):
        folder = build_tiny_model("qwen2", tmp_path / str(factor))
        tensors = load_file(folder / "model.safetensors")
        tensors["model.layers.0.mlp.up_proj.weight"] *= factor
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})
        served[factor] = greedy_choices(open_runner(folder, "int8"), random_tokens(9), [9])
    assert served[1e-40] == served[0.0] != served[1.0]


def test_weights_that_lack_a_tensor_are_refused(tmp_path: Path):
    folder = build_tiny_model("qwen2", tmp_path)
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(config.replace('"num_hidden_layers": 2', '"num_hidden_layers": 3'))
    with pytest.raises(ModelError, match=r"layers\.2"):
        open_runner(folder)
    assert not list(folder.glob(".packing-*"))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("model.embed_tokens.weight", lambda tensor: tensor[:-1]),
        ("model.layers.1.self_attn.q_proj.weight", lambda tensor: tensor[:, :-1]),
        ("model.layers.0.self_attn.k_proj.bias", lambda tensor: tensor[:4]),
        ("model.layers.1.mlp.gate_proj.weight", lambda tensor: tensor.T.contiguous()),
        ("model.layers.0.input_layernorm.weight", lambda tensor: tensor.repeat(2)),
        ("model.norm.weight", lambda tensor: tensor[None]),
        ("model.layers.1.mlp.down_proj.weight", lambda tensor: tensor.to(torch.uint8)),
        ("model.layers.1.mlp.up_proj.weight", lambda tensor: tensor.to(torch.float64)),
    ],
)
def test_a_tensor_of_another_shape_or_format_is_refused(name: str, change: object, tmp_path: Path):
    """The kernels read as many numbers as the architecture says."""
    folder = build_tiny_model("qwen2", tmp_path)
    tensors = load_file(folder / "model.safetensors")
    tensors[name] = change(tensors[name]).contiguous()
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=name) as caught:
        open_runner(folder)
    assert caught.value.remedy
    assert not list(folder.glob(".packing-*"))


def test_a_packed_file_with_other_tensors_is_written_again(tmp_path: Path):
    """Whoever made the folder may have put it there, with metadata that look right."""
    folder = build_tiny_model("qwen2", tmp_path)
    before = greedy_choices(open_runner(folder, "int8"), random_tokens(9), [9])
    path = packed(folder)
    size = path.stat().st_size
    nothing = {"embedding.data": ("u1", (0,))}
    write_tensors(path, nothing, [("embedding.data", [])], metadata(path))
    assert path.stat().st_size < size
    assert greedy_choices(open_runner(folder, "int8"), random_tokens(9), [9]) == before
    assert path.stat().st_size == size
