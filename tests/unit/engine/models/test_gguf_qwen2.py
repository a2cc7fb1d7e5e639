"""What a GGUF file of a Qwen2 model says of itself is what transformers reads from it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from copilot_server.engine.models.architecture import read_architecture
from copilot_server.engine.models.gguf import described_folder, prepared_folder
from copilot_server.engine.models.gguf_header import read_header
from copilot_server.engine.models.gguf_qwen2 import describe
from tests.support.tiny_gguf import MIXED, build_tiny_gguf


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf", MIXED)


def test_a_tiny_model_is_described_as_transformers_describes_it(tiny: Path):
    folder = described_folder(tiny)
    assert folder is not None
    assert read_architecture(folder) == read_architecture(prepared_folder(tiny))
    assert {path.name for path in folder.iterdir()} >= {"config.json", "tokenizer.json"}


def test_torch_is_not_imported(tiny: Path, tmp_path: Path):
    program = f"""
import sys
from pathlib import Path
from copilot_server.engine.models.gguf_qwen2 import describe
print(describe(Path({str(tiny)!r}), Path({str(tmp_path)!r})), "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]


@pytest.mark.parametrize(
    ("name", "value", "other"),
    [
        ("general.architecture", b"qwen2", b"llama"),
        ("tokenizer.ggml.model", b"gpt2", b"bert"),
        ("tokenizer.ggml.pre", b"qwen2", b"gpt-2"),
    ],
)
def test_another_kind_of_model_is_left_to_transformers(
    name: str, value: bytes, other: bytes, tiny: Path, tmp_path: Path
):
    assert read_header(tiny.read_bytes()).values[name] == value.decode()
    key = len(name).to_bytes(8, "little") + name.encode() + b"\x08\0\0\0" + len(value).to_bytes(8, "little")
    data = tiny.read_bytes()
    assert data.count(key + value) == 1
    path = tmp_path / "other.gguf"
    path.write_bytes(data.replace(key + value, key + other))
    assert not describe(path, tmp_path)
    assert not (tmp_path / "config.json").exists()
