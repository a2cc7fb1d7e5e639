"""Infilling is found in the vocabulary of a model that no manifest describes."""

from __future__ import annotations

from pathlib import Path

import pytest

from copilot_server.catalog import find, manifest_for_unknown
from copilot_server.engine.loader import load_engine
from copilot_server.engine.models.vocabulary import FIM_FAMILIES, detect_fim


def test_the_family_is_the_one_whose_tokens_it_has(tiny_model_dir: Path):
    engine = load_engine(tiny_model_dir, device="cpu")
    manifest = detect_fim(manifest_for_unknown("mine"), engine)
    assert manifest.fim == FIM_FAMILIES[0]
    assert manifest.protocols.middle == "fim"
    engine.close()


def test_what_a_manifest_says_is_not_changed(tiny_model_dir: Path):
    engine = load_engine(tiny_model_dir, device="cpu")
    known = find("qwen2.5-coder-0.5b")
    assert detect_fim(known, engine) is known
    engine.close()


def test_without_the_tokens_there_is_only_continuation(tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("copilot_server.engine.models.vocabulary.FIM_FAMILIES", FIM_FAMILIES[2:])
    engine = load_engine(tiny_model_dir, device="cpu")
    manifest = manifest_for_unknown("mine")
    assert detect_fim(manifest, engine) is manifest
    engine.close()
