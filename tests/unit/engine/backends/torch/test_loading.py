"""From a folder to a runner: formats, faults in the files, and the warm-up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from copilot_server.engine.backends.torch.loading import (
    MOST_KV_TOKENS,
    Options,
    make_torch_runner,
    open_torch_runner,
    warm_up,
)
from copilot_server.engine.backends.torch.plan import GRAPH_SHAPES
from copilot_server.engine.backends.torch.weights import folder_source, random_source
from copilot_server.engine.models.architecture import Architecture
from copilot_server.errors import ModelError
from tests.support.tiny_models import build_tiny_model
from tests.support.torch_runners import CPU, Replayed, architecture_of, greedy, make_runner, random_tokens


@pytest.fixture(scope="module")
def folder(tiny_model_dir: Path) -> Path:
    return tiny_model_dir


# --- loading


def test_a_model_of_another_kind_is_refused(tmp_path: Path, folder: Path):
    build_tiny_model("gpt-neo", tmp_path)
    with pytest.raises(ModelError, match="no fast decoder") as caught:
        open_torch_runner(tmp_path, CPU, "float32")
    assert "speed.fast" in caught.value.remedy
    runner = open_torch_runner(folder, CPU, "float32", Options(kv_tokens=1024))
    assert (runner.device, runner.dtype, runner.free_tokens) == ("cpu", "float32", 1024)


def test_a_missing_tensor_or_file_is_a_model_error(folder: Path, tmp_path: Path):
    source = folder_source(folder)
    architecture = architecture_of(folder)
    lacking = "model.layers.1.mlp.up_proj.weight"
    with pytest.raises(ModelError, match=lacking):
        make_torch_runner(lambda n: None if n == lacking else source(n), architecture, CPU, "float32")
    make_torch_runner(source, architecture, CPU, "float32")
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    with pytest.raises(ModelError, match="safetensors"):
        open_torch_runner(tmp_path, CPU, "float32")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("model.layers.1.mlp.gate_proj.weight", lambda tensor: tensor.repeat(2, 1)),
        ("model.layers.0.mlp.down_proj.weight", lambda tensor: tensor[:, :-1]),
        ("model.layers.0.self_attn.k_proj.bias", lambda tensor: tensor[:4]),
        ("model.layers.1.self_attn.v_proj.bias", lambda _: None),
        ("model.embed_tokens.weight", lambda tensor: tensor[:-1]),
        ("model.norm.weight", lambda tensor: tensor[None]),
        ("model.norm.weight", lambda tensor: tensor.to(torch.int32)),
    ],
)
def test_a_tensor_of_another_shape_or_kind_is_refused(
    name: str, change: Callable[[Any], torch.Tensor | None], folder: Path
):
    """Triton's kernels read as many numbers as the architecture says."""
    source = folder_source(folder)
    architecture = architecture_of(folder)
    make_torch_runner(source, architecture, CPU, "float32")
    with pytest.raises(ModelError, match="self_attn.v_proj" if "v_proj" in name else name) as caught:
        make_torch_runner(
            lambda n: change(source(n)) if n == name else source(n), architecture, CPU, "float32"
        )
    assert caught.value.remedy


def test_weights_in_several_files(folder: Path, tmp_path: Path):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.save_pretrained(tmp_path, max_shard_size="50KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    assert greedy(make_runner(tmp_path), random_tokens(30), 8) == greedy(
        make_runner(folder), random_tokens(30), 8
    )


def test_warming_up_leaves_no_trace(folder: Path):
    runner = make_runner(folder, shapes=GRAPH_SHAPES, graphs=Replayed())
    free = runner.free_tokens
    warm_up(runner)
    assert runner.free_tokens == free
    assert greedy(runner, random_tokens(30), 8) == greedy(make_runner(folder), random_tokens(30), 8)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8", "int4"])
def test_random_weights_run_in_every_format(dtype: str):
    shape = Architecture(
        layers=2,
        hidden=128,
        heads=4,
        kv_heads=2,
        head_dim=32,
        intermediate=256,
        vocab_size=600,
        context_length=512,
    )
    runner = make_torch_runner(random_source(shape, device=CPU), shape, CPU, dtype, Options(kv_tokens=1024))
    assert runner.dtype == dtype
    assert len(greedy(runner, random_tokens(20), 4)) == 4


def test_a_context_beyond_every_cache_takes_no_memory():
    """The table of its positions would: of these, four gigabytes."""
    shape = Architecture(
        layers=1,
        hidden=64,
        heads=1,
        kv_heads=1,
        head_dim=64,
        intermediate=64,
        vocab_size=600,
        context_length=2**24,
    )
    source = random_source(shape, device=CPU)
    runner = make_torch_runner(source, shape, CPU, "float32", Options(kv_tokens=1024))
    assert runner.decoder.architecture.context_length == MOST_KV_TOKENS
    assert len(greedy(runner, random_tokens(20), 4)) == 4
