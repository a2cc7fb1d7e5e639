"""The first start with a GGUF file, which transformers unpacks, prints nothing but our own messages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from copilot_server.engine.models.gguf import unpacked_folder
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
    async with running_server("--model", str(gguf), "--max-new-tokens", "4") as client:
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
