"""The first start with a GGUF file: what is read from it, and that only our own messages are printed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from copilot_server.catalog import resolve
from copilot_server.engine.models.architecture import read_architecture
from copilot_server.engine.models.gguf import described_folder, prepared_folder, unpacked_folder
from copilot_server.fetch import ensure
from tests.support.lsp_client import inline_params, running_server
from tests.support.tiny_gguf import build_tiny_gguf

UNPACK = """
import sys
from pathlib import Path
from copilot_server.engine.models import unpacking
{before}
unpacking.unpack(Path(sys.argv[1]), Path(sys.argv[1]).with_suffix(""))
"""


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    return build_tiny_gguf(tmp_path / "tiny.gguf")


async def test_a_server_that_unpacks_its_model_prints_nothing(gguf: Path) -> None:
    async with running_server("--model", str(gguf), "--dtype", "bfloat16", "--max-new-tokens", "4") as client:
        await client.initialize()
        uri = client.open("import os\n\nprint(os.path")
        await client.request("textDocument/inlineCompletion", inline_params(uri, 2, 13, invoked=True))
        assert await client.shut_down() == 0
        assert client.stderr == b""
    assert list(unpacked_folder(gguf).glob("*.safetensors")), "nothing has been unpacked"


def printed(gguf: Path, before: str) -> str:
    command = [sys.executable, "-c", UNPACK.format(before=before), str(gguf)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stderr


def test_transformers_gives_advice_only_where_it_is_not_silenced(gguf: Path) -> None:
    assert "GGUF checkpoint" in printed(gguf, "unpacking.silence_transformers = lambda: None")
    gguf.with_suffix("").rename(gguf.with_suffix(".noisy"))
    assert printed(gguf, "") == ""


def test_the_default_model_is_described_as_transformers_describes_it() -> None:
    gguf = ensure(resolve("qwen2.5-coder-0.5b"), offline=True)
    described, unpacked = described_folder(gguf), prepared_folder(gguf)
    assert described is not None
    assert read_architecture(described) == read_architecture(unpacked)
    ours, theirs = (json.loads((folder / "tokenizer.json").read_text()) for folder in (described, unpacked))
    assert ours == theirs


LOAD = """
import sys
from pathlib import Path
from copilot_server.engine.loader import load_engine
engine = load_engine(Path(sys.argv[1]), device="cpu", dtype=sys.argv[2])
print(engine.dtype, "torch" in sys.modules, "transformers" in sys.modules)
"""


WITHOUT_TORCH = f"""
import sys
from copilot_server.engine.backends.cpu import loading  # imports what is this system's
sys.modules.update(torch=None, transformers=None)
sys.platform = "darwin"
{LOAD.replace('device="cpu"', 'device="auto"')}
"""


def test_without_torch_the_kernels_serve_and_what_needs_it_is_refused_with_a_remedy(gguf: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_TORCH, str(gguf)]
    done = subprocess.run([*command, "auto"], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] in {"int8", "gguf"}
    refused = subprocess.run([*command, "bfloat16"], capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "EngineError: tiny.gguf needs PyTorch here, which is not installed" in refused.stderr


@pytest.mark.parametrize(("dtype", "imported"), [("int8", "False"), ("gguf", "False"), ("bfloat16", "True")])
def test_what_the_kernels_read_themselves_needs_neither_torch_nor_transformers(
    dtype: str, imported: str, gguf: Path
) -> None:
    command = [sys.executable, "-c", LOAD, str(gguf), dtype]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [dtype, imported, imported]
