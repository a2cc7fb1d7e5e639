"""A tokenizer is served only if each of its tokens has a row in the model's embedding."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from copilot_server.engine.base import Special
from copilot_server.engine.models.tokenizer import load_tokenizer
from copilot_server.errors import EngineError, ModelError

Change = Callable[[dict[str, Any], int], None]


def _with_vocabulary_word(tokenizer: dict[str, Any], token_id: int) -> None:
    tokenizer["model"]["vocab"]["w" * 30] = token_id


def _with_added_token(tokenizer: dict[str, Any], token_id: int) -> None:
    added = tokenizer["added_tokens"]
    added.append(dict(added[-1], id=token_id, content="<|one_too_many|>", special=False))


@pytest.mark.parametrize("change", [_with_vocabulary_word, _with_added_token])
def test_a_token_outside_the_vocabulary_is_refused(change: Change, tiny_model_dir: Path, tmp_path: Path):
    folder = shutil.copytree(tiny_model_dir, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    size = config["vocab_size"]
    tokenizer = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    change(tokenizer, size)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), "utf-8")
    with pytest.raises(ModelError, match=f"has the token {size}") as caught:
        load_tokenizer(folder)
    assert caught.value.remedy
    # The twin: the same tokenizer with a vocabulary that has the token.
    (folder / "config.json").write_text(json.dumps(config | {"vocab_size": size + 1}), "utf-8")
    assert load_tokenizer(folder).encode_text("def f(): pass")


def test_a_control_token_outside_the_vocabulary_is_one_the_model_does_not_know(
    tiny_model_dir: Path, tmp_path: Path
):
    """Fine-tuned models have such a token for padding."""
    folder = shutil.copytree(tiny_model_dir, tmp_path / "model")
    size = json.loads((folder / "config.json").read_text("utf-8"))["vocab_size"]
    tokenizer = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    added = tokenizer["added_tokens"]
    known = added[-1]["content"]
    added.append(dict(added[-1], id=size, content="[PAD]", special=True))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), "utf-8")
    loaded = load_tokenizer(folder)
    assert loaded.knows(Special(known))
    assert not loaded.knows(Special("[PAD]"))
    with pytest.raises(EngineError, match="no token"):
        loaded.control_id(Special("[PAD]"))
    assert size not in loaded.control_ids
    assert max(loaded.encode_text("x = '[PAD]'")) < size
