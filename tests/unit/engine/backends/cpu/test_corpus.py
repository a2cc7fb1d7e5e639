"""The corpus of hostile models, replayed: each is served, or refused with the message that stands there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.fuzzing import CORPUS, KINDS, expected, kept, outcome_of


def test_every_file_has_its_outcome():
    files = {(kind, path.stem) for kind in KINDS for path in kept(kind)[1:]}
    assert files == expected().keys()
    assert all(path.stat().st_size < 100_000 for path in CORPUS.rglob("*.*"))


def marked(kind: str, name: str) -> object:
    """Reading GGUF files imports transformers, which takes seconds."""
    return pytest.param(kind, name, id=f"{kind}-{name}", marks=[pytest.mark.slow] * (kind == "gguf"))


@pytest.mark.parametrize(("kind", "name"), [marked(kind, "the good one") for kind in KINDS])
def test_the_models_that_the_others_were_made_of_are_served(kind: str, name: str, tmp_path: Path):
    assert name
    assert outcome_of(kind, kept(kind)[0].read_bytes(), tmp_path) == "served"


@pytest.mark.parametrize(("kind", "name"), [marked(*one) for one in expected()])
def test_a_model_of_the_corpus(kind: str, name: str, tmp_path: Path):
    [path] = (CORPUS / kind).glob(f"{name}.*")
    outcome = outcome_of(kind, path.read_bytes(), tmp_path)
    wanted = expected()[kind, name]
    assert outcome == wanted if wanted in ("served", "other") else wanted in outcome
