"""Which tensors of a GGUF file are used, and which formats they keep."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader, dequantize

from copilot_server.engine.backends.cpu import gguf_tensors
from copilot_server.engine.backends.cpu.gguf_tensors import formats_of, map_gguf
from copilot_server.engine.backends.cpu.tensors import as_float32
from copilot_server.engine.models.architecture import Architecture, read_architecture
from copilot_server.engine.models.gguf import described_folder
from tests.support.tiny_gguf import MIXED, build_tiny_gguf


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_gguf(tmp_path_factory.mktemp("gguf") / "mixed.gguf", MIXED)


@pytest.fixture(scope="module")
def architecture(gguf: Path) -> Architecture:
    folder = described_folder(gguf)
    assert folder is not None
    found = read_architecture(folder)
    assert found is not None
    return found


def test_the_tensors_are_those_that_the_gguf_package_reads(gguf: Path, architecture: Architecture):
    tensors = map_gguf(gguf, architecture)
    theirs = {tensor.name: tensor for tensor in GGUFReader(gguf).tensors}
    names = {
        "model.layers.1.self_attn.v_proj.weight": "blk.1.attn_v.weight",
        "model.layers.0.self_attn.q_proj.bias": "blk.0.attn_q.bias",
        "model.layers.2.mlp.down_proj.weight": "blk.2.ffn_down.weight",
        "model.norm.weight": "output_norm.weight",
        "lm_head.weight": "output.weight",
    }
    for ours, name in names.items():
        expected = dequantize(theirs[name].data, theirs[name].tensor_type)
        assert np.array_equal(as_float32(tensors[ours]), expected)


def test_the_table_of_tensors_is_read_once(
    gguf: Path, architecture: Architecture, monkeypatch: pytest.MonkeyPatch
):
    folder = described_folder(gguf)
    expected = map_gguf(gguf, architecture)
    monkeypatch.setattr(gguf_tensors, "read_header", None)
    mapped = map_gguf(gguf, architecture, folder)
    assert mapped.keys() == expected.keys()
    for name, (kind, array) in mapped.items():
        assert kind == expected[name][0]
        assert np.array_equal(array, expected[name][1])
    with pytest.raises(TypeError):
        map_gguf(gguf, architecture)


def test_a_folder_of_an_older_version_has_no_table(gguf: Path, architecture: Architecture, tmp_path: Path):
    assert map_gguf(gguf, architecture, tmp_path).keys() == map_gguf(gguf, architecture).keys()


def test_a_tied_head_is_taken_for_the_embedding(gguf: Path, architecture: Architecture):
    apart, tied = (map_gguf(gguf, replace(architecture, tied=tied)) for tied in (False, True))
    embedding, head = "model.embed_tokens.weight", "lm_head.weight"
    assert np.array_equal(tied[embedding][1], apart[head][1])
    assert not np.array_equal(tied[embedding][1], apart[embedding][1])
    assert head not in tied


def test_what_the_kernels_compute_with_stays_as_it_is(gguf: Path, architecture: Architecture):
    formats = formats_of(map_gguf(gguf, architecture), architecture)
    assert formats == {
        "layers.0.qkv": "q5_0",
        "layers.0.values": "q8_0",
        "layers.0.output": "q4_k",
        "layers.0.gate_up": "q4_0",
        "layers.0.down": "q6_k",
        "layers.1.qkv": "q4_k",
        "layers.1.values": "q6_k",
        "layers.1.output": "q5_0",
        "layers.1.gate_up": "q5_k",
        "layers.1.down": "q5_0",
        "layers.2.qkv": "q6_k",
        "layers.2.output": "q8_0",
        "layers.2.gate_up": "int8",
        "layers.2.down": "int8",
        "embedding": "int8",
        "head": "int8",
    }


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"layers": 4}, r"blk\.3\..* is missing"),
        ({"intermediate": 1024}, r"ffn_gate.* has the shape"),
        ({"vocab_size": 17}, r"token_embd.* has the shape"),
    ],
)
def test_a_file_that_does_not_have_what_the_architecture_needs_is_refused(
    changes: dict[str, int], refusal: str, gguf: Path, architecture: Architecture
):
    with pytest.raises(ValueError, match=refusal):
        map_gguf(gguf, replace(architecture, **changes))


def test_a_file_that_ends_within_a_tensor_is_refused(gguf: Path, architecture: Architecture, tmp_path: Path):
    short = tmp_path / "short.gguf"
    short.write_bytes(gguf.read_bytes()[:-100])
    with pytest.raises(ValueError, match="does not lie within the file"):
        map_gguf(short, architecture)
