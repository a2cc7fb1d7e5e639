"""Transformers reads a model's folder as data: it runs no code from it, and asks nobody whether it may."""

from __future__ import annotations

import ast
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from copilot_server.engine.backends.transformers.loading import open_transformers_runner
from copilot_server.errors import ModelError
from tests.support.paths import REPOSITORY
from tests.support.tiny_models import build_tiny_model

#: Loads a folder as the server does where no fast decoder serves the model.
LOAD = """
import sys
from pathlib import Path
from copilot_server.engine.loader import load_transformers_engine
from copilot_server.errors import ModelError
try:
    load_transformers_engine(Path(sys.argv[1]), device="cpu")
except ModelError as error:
    print(error.message, error.remedy)
else:
    print("loaded")
"""
#: A configuration with a class of its own, in a file of the folder.
CODE = """
from pathlib import Path
from transformers import GPT2Config, GPT2LMHeadModel
Path({marker!r}).write_text("the folder's code ran")
class OwnConfig(GPT2Config):
    model_type = "own"
class OwnModel(GPT2LMHeadModel):
    config_class = OwnConfig
"""


class Writes:
    """Writes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.marker, "the pickle ran")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return build_tiny_model("gpt2", tmp_path / "model")


def load(folder: Path, answer: str = "") -> str:
    """Load the folder in a process of its own, which is answered ``answer`` if it asks."""
    command = [sys.executable, "-c", LOAD, str(folder)]
    done = subprocess.run(command, input=answer, capture_output=True, text=True, check=True)
    return done.stdout


def refused(folder: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        open_transformers_runner(folder, torch.device("cpu"), torch.float32)
    assert caught.value.remedy
    return caught.value


def change_config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_code_of_the_folder_is_not_run_and_nobody_is_asked(folder: Path, tmp_path: Path):
    """Transformers would ask, and take the first line of what an editor sends for the answer."""
    marker = tmp_path / "marker"
    assert load(folder, "y\n" * 8) == "loaded\n"
    (folder / "own.py").write_text(CODE.format(marker=str(marker)))
    classes = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}
    change_config(folder, model_type="own", architectures=["OwnModel"], auto_map=classes)
    said = load(folder, "y\n" * 8)
    assert not marker.exists()
    assert "run the custom code?" not in said
    assert "safetensors" in said


@pytest.mark.parametrize("payload", [False, True])
def test_weights_in_a_pickle_are_refused(payload: bool, folder: Path, tmp_path: Path):
    tensors: dict[str, Any] = dict(load_file(folder / "model.safetensors"))
    (folder / "model.safetensors").unlink()
    if payload:
        (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Writes(tmp_path / "marker")))
    else:
        torch.save(tensors, folder / "pytorch_model.bin")
    assert "safetensors" in refused(folder).message
    assert not (tmp_path / "marker").exists()
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    open_transformers_runner(folder, torch.device("cpu"), torch.float32)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "../model.safetensors", 5, None, [1]])
def test_an_index_names_files_in_safetensors_and_in_the_folder_only(name: object, folder: Path):
    tensors = load_file(folder / "model.safetensors")
    save_file(tensors, folder.parent / "model.safetensors", {"format": "pt"})
    torch.save(tensors, folder / "pytorch_model.bin")
    part = "model-00001-of-00001.safetensors"
    (folder / "model.safetensors").rename(folder / part)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": dict.fromkeys(tensors, part)}))
    open_transformers_runner(folder, torch.device("cpu"), torch.float32)
    index.write_text(json.dumps({"metadata": {}, "weight_map": dict.fromkeys(tensors, name)}))
    assert "safetensors" in refused(folder).message


def test_a_tensor_of_another_shape_than_the_configuration_has_is_refused(folder: Path):
    change_config(folder, n_inner=16)
    refused(folder)


def test_every_call_that_loads_with_transformers_says_that_it_runs_no_code():
    for path in sorted((REPOSITORY / "copilot_server").rglob("*.py")):
        assert not list(calls_that_may_run_code(path.read_text("utf-8"))), path


def test_a_call_that_may_run_code_would_be_found():
    assert list(calls_that_may_run_code("AutoConfig.from_pretrained(folder)"))
    assert list(calls_that_may_run_code("AutoConfig.from_pretrained(folder, trust_remote_code=True)"))
    assert list(calls_that_may_run_code("torch.load(path)"))
    assert not list(calls_that_may_run_code("AutoConfig.from_pretrained(folder, trust_remote_code=False)"))


def calls_that_may_run_code(source: str) -> Any:  # noqa: ANN401 - an iterator of syntax nodes
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            trusts = node.func.attr == "from_pretrained" and keywords.get("trust_remote_code") != "False"
            if trusts or ast.unparse(node.func) == "torch.load":
                yield node
