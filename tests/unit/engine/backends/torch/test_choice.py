"""Choosing tokens on the device, against the definition in numpy."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from copilot_server.engine.backends.torch.plan import GRAPH_SHAPES
from copilot_server.engine.backends.torch.runner import TorchRunner
from copilot_server.engine.decoding.sampling import sample_token
from copilot_server.engine.runner import Choice, Chunk
from tests.support.torch_runners import (
    Replayed,
    assert_alike,
    logits_after,
    make_runner,
    random_tokens,
    read_prompt,
)


@pytest.fixture(scope="module")
def folder(tiny_model_dir: Path) -> Path:
    return tiny_model_dir


@pytest.fixture(scope="module", params=["exact", "padded and replayed"])
def runner(request: pytest.FixtureRequest, folder: Path) -> TorchRunner:
    if request.param == "exact":
        return make_runner(folder)
    return make_runner(folder, shapes=GRAPH_SHAPES, graphs=Replayed())


@pytest.fixture(scope="module")
def reference(folder: Path) -> PreTrainedModel:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


# --- choices

_TEMPERATURES, _NUCLEI = (0.2, 0.8, 1.0, 2.5), (0.1, 0.6, 0.95, 1.0)


@pytest.mark.parametrize("restricted", [False, True])
def test_draws_follow_the_definition(runner: TorchRunner, reference: PreTrainedModel, restricted: bool):
    ids = random_tokens(70)
    rng = random.Random(1)
    logits = logits_after(reference, ids)
    seen_missing = False
    for _ in range(6):
        choices = [
            Choice(
                temperature=rng.choice((0.0, *_TEMPERATURES)),
                top_p=rng.choice(_NUCLEI),
                uniform=rng.random(),
                allowed=rng.sample(range(600), rng.choice((1, 5, 400))) if restricted and i % 2 else None,
            )
            for i in range(40)
        ]
        sequence = read_prompt(runner, ids[:30])
        [drawn] = runner.step([Chunk(sequence, ids[30:], choices)])
        runner.close(sequence)
        expected = [sample_token(row, choice) for row, choice in zip(logits[30:], choices, strict=True)]
        assert_alike(drawn, expected)
        ranks = [(row > row[one.token_id]).sum() for row, one in zip(logits[30:], expected, strict=True)]
        seen_missing |= any(rank >= 256 for rank in ranks)
    assert restricted or seen_missing  # some draws fell outside the likeliest, and were made again
