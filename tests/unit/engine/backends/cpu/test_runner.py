"""The runner on the CPU: sequences that share pages, checked input, and steps that happen or do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from copilot_server.engine.backends.cpu import runner as module
from copilot_server.engine.backends.cpu.library import INSTRUCTION_SETS, PAGE_TOKENS
from copilot_server.engine.backends.cpu.runner import CpuRunner
from copilot_server.engine.runner import Choice, Chunk
from copilot_server.errors import EngineError
from tests.support.cpu_runner import GREEDY, greedy_choices, open_runner, random_tokens
from tests.support.tiny_models import build_tiny_model


def test_a_fork_goes_its_own_way(tiny_model_dir: Path):
    one = open_runner(tiny_model_dir)
    prompt, left, right = random_tokens(37), random_tokens(20, 1), random_tokens(20, 2)
    expected = [greedy_choices(one, prompt + tail, [57])[37:] for tail in (left, right)]
    sequence = one.open()
    one.step([Chunk(sequence, prompt)])
    fork = one.fork(sequence, 37)
    drawn = one.step([Chunk(sequence, left, [GREEDY] * 20), Chunk(fork, right, [GREEDY] * 20)])
    assert [[(token.token_id, token.logprob) for token in row] for row in drawn] == expected
    assert expected[0] != expected[1]


def test_a_truncated_sequence_goes_on_as_if_nothing_had_been_there(tiny_model_dir: Path):
    one = open_runner(tiny_model_dir)
    prompt, wrong, right = random_tokens(30), random_tokens(25, 1), random_tokens(20, 2)
    expected = greedy_choices(one, prompt + right, [50])[30:]
    sequence = one.open()
    one.step([Chunk(sequence, prompt)])
    one.step([Chunk(sequence, wrong)])
    one.truncate(sequence, 30)
    drawn = one.step([Chunk(sequence, right, [GREEDY] * 20)])[0]
    assert [(token.token_id, token.logprob) for token in drawn] == expected


def test_pages_come_back_and_running_out_of_them_is_said(tiny_model_dir: Path):
    one = open_runner(tiny_model_dir, cache_tokens=4 * PAGE_TOKENS, max_sequences=2)
    assert one.free_tokens == 4 * PAGE_TOKENS
    first = one.open()
    one.step([Chunk(first, random_tokens(3 * PAGE_TOKENS + 1))])
    second = one.fork(first, 2 * PAGE_TOKENS)
    assert one.free_tokens == 0
    with pytest.raises(EngineError, match="no room") as caught:
        one.step([Chunk(second, random_tokens(1))])
    assert caught.value.remedy
    one.close(first)
    assert one.free_tokens == PAGE_TOKENS  # two pages, of which the open sequence may waste one
    assert one.step([Chunk(second, random_tokens(1), [GREEDY])])[0]
    one.close(second)
    assert one.free_tokens == 4 * PAGE_TOKENS
    one.open(), one.open()
    with pytest.raises(EngineError, match="All 2 sequences"):
        one.open()


def test_a_choice_among_few_and_a_sample(tiny_model_dir: Path):
    one = open_runner(tiny_model_dir)
    sequence = one.open()
    chosen = one.step([Chunk(sequence, random_tokens(5), [Choice(allowed=[17, 23])])])[0][0]
    assert chosen.token_id in (17, 23)
    draws = set()
    for i in range(20):
        one.truncate(sequence, 4)
        draws.add(one.step([Chunk(sequence, [9], [Choice(temperature=2.0, uniform=i / 20)])])[0][0].token_id)
    assert len(draws) > 5


def lengths(one: CpuRunner, sequences: list[int]) -> list[int]:
    return [one._sequences.length(sequence) for sequence in sequences]


def test_a_step_that_finds_no_room_changes_no_sequence(tiny_model_dir: Path):
    """The first chunk would fit: it used to be appended to the cache, without its keys and values."""
    one = open_runner(tiny_model_dir, cache_tokens=4 * PAGE_TOKENS, max_sequences=2)
    first, second = one.open(), one.open()
    one.step([Chunk(first, random_tokens(PAGE_TOKENS + 1))])
    free = one.free_tokens
    with pytest.raises(EngineError, match="room"):
        one.step([Chunk(first, random_tokens(3)), Chunk(second, random_tokens(3 * PAGE_TOKENS))])
    assert lengths(one, [first, second]) == [PAGE_TOKENS + 1, 0]
    assert one.free_tokens == free
    one.step([Chunk(first, random_tokens(3)), Chunk(second, random_tokens(PAGE_TOKENS))])
    assert lengths(one, [first, second]) == [PAGE_TOKENS + 4, PAGE_TOKENS]


def test_a_step_that_fails_after_computing_is_undone(tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch):
    one = open_runner(tiny_model_dir)
    prompt, tail = random_tokens(20), random_tokens(9, 1)
    expected = greedy_choices(one, prompt + tail, [29])[20:]
    sequence = one.open()
    one.step([Chunk(sequence, prompt)])
    with monkeypatch.context() as patch:
        patch.setattr(module, "choose_token", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            one.step([Chunk(sequence, random_tokens(9, 2), [Choice(temperature=1.0)])])
    assert lengths(one, [sequence]) == [20]
    chosen = one.step([Chunk(sequence, tail, [GREEDY] * 9)])[0]
    assert [(token.token_id, token.logprob) for token in chosen] == expected


@pytest.mark.parametrize("token", [-1, 2**31 - 1, 2**31, 2**40, "size"])
def test_a_token_that_the_vocabulary_lacks_is_an_error(token: int | str, tiny_model_dir: Path):
    """The kernels would read what lies behind the embedding."""
    one = open_runner(tiny_model_dir)
    size = one._weights.architecture.vocab_size
    sequence = one.open()
    assert one.step([Chunk(sequence, [size - 1], [GREEDY])])[0]
    with pytest.raises(EngineError, match="vocabulary") as caught:
        one.step([Chunk(sequence, [5, size if token == "size" else int(token)], [GREEDY])])
    assert caught.value.remedy
    assert lengths(one, [sequence]) == [1]


def test_a_sequence_ends_with_the_context_window(tmp_path: Path):
    """The window ends within a page: the kernels would read positions that the rotation's table lacks."""
    folder = build_tiny_model("qwen2", tmp_path)
    config = (folder / "config.json").read_text()
    longest = 3 * PAGE_TOKENS - 5
    shorter = f'"max_position_embeddings": {longest}'
    (folder / "config.json").write_text(config.replace('"max_position_embeddings": 512', shorter))
    one = open_runner(folder)
    sequence = one.open()
    assert one.step([Chunk(sequence, random_tokens(longest), [GREEDY])])[0]
    with pytest.raises(EngineError, match="window") as caught:
        one.step([Chunk(sequence, [9], [GREEDY])])
    assert caught.value.remedy


def test_more_choices_than_tokens_are_a_mistake_of_the_caller(tiny_model_dir: Path):
    one = open_runner(tiny_model_dir)
    with pytest.raises(ValueError, match="choices"):
        one.step([Chunk(one.open(), [7], [GREEDY, GREEDY])])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_weights_that_give_no_finite_logits_are_an_error(value: float, tmp_path: Path):
    folder = build_tiny_model("qwen2", tmp_path)
    weights = load_file(folder / "model.safetensors")
    weights["model.layers.1.mlp.down_proj.weight"][:] = value
    weights["model.layers.1.mlp.up_proj.weight"][:] = 3e38
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    one = open_runner(folder)
    with pytest.raises(EngineError, match="finite") as caught:
        one.step([Chunk(one.open(), random_tokens(5), [GREEDY])])
    assert "fetch the model again" in caught.value.remedy


def test_the_instruction_set_in_use_is_named(tiny_model_dir: Path):
    assert open_runner(tiny_model_dir).instruction_set in INSTRUCTION_SETS
