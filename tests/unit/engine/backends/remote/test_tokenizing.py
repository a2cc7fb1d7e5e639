"""The tokens of a remote engine's model: exact if its tokenizer is on this machine, else estimates."""

from __future__ import annotations

import pytest

from copilot_server.catalog import manifest_for_unknown, resolve
from copilot_server.engine.backends.remote.tokenizing import RemoteTokens
from copilot_server.engine.models.gguf import prepared_folder
from copilot_server.engine.models.tokenizer import load_tokenizer
from copilot_server.engine.models.words import estimate_tokens
from copilot_server.fetch import ensure

CODE = "class Größe:\n    def fläche(self):\n        return self.breite * self."


def test_without_the_tokenizer_tokens_are_estimated_and_prompts_end_where_most_could() -> None:
    tokens = RemoteTokens(manifest_for_unknown("mine"))
    assert tokens.count(CODE) == estimate_tokens(CODE)
    assert CODE[tokens.stable_length(CODE) :] == "."


@pytest.mark.model
def test_with_the_tokenizer_both_are_the_models_own() -> None:
    ref = resolve("qwen2.5-coder-0.5b")
    tokenizer = load_tokenizer(prepared_folder(ensure(ref, offline=True)))
    tokens = RemoteTokens(ref.manifest)
    assert tokens.count(CODE) == len(tokenizer.encode_text(CODE)) != estimate_tokens(CODE)
    for end in range(len(CODE)):
        assert tokens.stable_length(CODE[:end]) == tokenizer.stable_length(CODE[:end])
