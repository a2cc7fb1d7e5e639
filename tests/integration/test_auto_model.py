"""``model = "auto"`` on this machine: the server with its status, ``pull auto``, and sizes that are true."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from copilot_server.catalog import ModelRef, all_manifests, find, resolve
from copilot_server.cli import pull as cli
from copilot_server.engine.backends.cpu.weights import open_weights
from copilot_server.engine.models.architecture import read_architecture
from copilot_server.engine.models.gguf import described_folder
from copilot_server.fetch import HOME_VARIABLE, cached_path, ensure
from tests.support.lsp_client import LspClient, inline_params, running_server

DEFAULT = "qwen2.5-coder-0.5b"
INLINE = "textDocument/inlineCompletion"


async def status_when(client: LspClient, state: str) -> dict[str, Any]:
    await client.wait_for(lambda one: one.get("params", {}).get("state") == state)
    return dict(client.messages("didChangeStatus")[-1])


@pytest.mark.model
async def test_a_server_serves_what_is_on_the_machine_and_says_why() -> None:
    ensure(resolve(DEFAULT), offline=True)
    on_disk = {one.id for one in all_manifests() if cached_path(one) is not None}
    async with running_server("--model", "auto", "--device", "cpu") as client:
        await client.initialize()
        status = await status_when(client, "ready")
        assert status["model"] in on_disk
        assert status["choice"].startswith(f"{status['model']} is the ")
        uri = client.open("def add(a, b):\n    return ")
        assert (await client.request(INLINE, inline_params(uri, 1, 11, invoked=True)))["items"]
        assert await client.shut_down() == 0
    async with running_server("--model", DEFAULT, "--device", "cpu") as client:
        await client.initialize()
        assert (await status_when(client, "ready"))["choice"] is None


async def test_offline_nothing_is_asked_and_the_status_says_what_would_suit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    async with running_server("--model", "auto", "--device", "cpu", "--offline") as client:
        await client.initialize()
        status = await status_when(client, "error")
        assert status["reason"] == "engine"
        assert "`copilot-server pull qwen2.5-coder-" in status["message"]
        assert client.messages("window/showMessageRequest") == []


def test_pull_auto_fetches_one_of_the_models_that_auto_chooses_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    pulled: list[ModelRef] = []

    def pull_nothing(ref: ModelRef, *_arguments: object, **_flags: object) -> Path:
        pulled.append(ref)
        return tmp_path

    monkeypatch.setattr(cli, "_pulled", pull_nothing)
    cli.pull(["auto", "gpt-j-6b"])
    assert [one.manifest.automatic for one in pulled] == [True, False]


@pytest.mark.model
def test_the_sizes_in_the_manifest_are_those_of_the_file() -> None:
    manifest = find(DEFAULT)
    path = ensure(resolve(DEFAULT), offline=True)
    folder = described_folder(path)
    assert folder is not None
    architecture = read_architecture(folder)
    assert architecture is not None
    weights = open_weights(folder, architecture, "gguf", path)
    matrices_bytes = sum(
        array.nbytes
        for name, array in weights.tensors.items()
        if name.startswith("layers.") and name.endswith((".data", ".scales"))
    )
    assert manifest.file is not None
    assert manifest.file.layer_bytes == pytest.approx(matrices_bytes, rel=0.01)
