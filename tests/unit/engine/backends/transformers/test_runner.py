"""The runner on transformers: batches, forks and cuts change nothing, whatever kind of cache a model has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Lfm2Config,
    MistralConfig,
    PreTrainedConfig,
    PreTrainedModel,
    Qwen2Config,
)

from copilot_server.engine.backends.transformers.runner import TransformersRunner
from copilot_server.engine.runner import Choice, Chunk, Drawn
from copilot_server.errors import EngineError

SIZES = {"vocab_size": 90, "hidden_size": 32, "num_hidden_layers": 2, "max_position_embeddings": 128}
HEADS = {"intermediate_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2}
#: Keys and values of all tokens, of a window of 8 in every layer or in every other, and a recurrent state.
CONFIGS: dict[str, PreTrainedConfig] = {
    "full": Qwen2Config(**SIZES, **HEADS),
    "sliding": MistralConfig(**SIZES, **HEADS, sliding_window=8),
    "alternating": Gemma2Config(**SIZES, **HEADS, sliding_window=8, head_dim=8),
    "recurrent": Lfm2Config(**SIZES, **HEADS, layer_types=["conv", "full_attention"]),
}
GREEDY = [Choice()]


@pytest.fixture(scope="module", params=sorted(CONFIGS))
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    torch.manual_seed(3)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(CONFIGS[request.param]).eval()
    with torch.no_grad():  # far from uniform, so that greedy choices are clear
        for weight in model.parameters():
            weight.mul_(3.0)
    return model


@pytest.fixture
def runner(model: PreTrainedModel) -> TransformersRunner:
    return TransformersRunner(model, context_length=128, max_tokens=1024)


def text(length: int, seed: int = 0) -> list[int]:
    return np.random.default_rng(seed).integers(0, 90, length).tolist()


def expected(model: PreTrainedModel, token_ids: list[int]) -> Drawn:
    """What follows a text, computed without a cache."""
    with torch.inference_mode():
        logprobs = model(torch.tensor([token_ids]), use_cache=False).logits[0, -1].log_softmax(-1)
    return Drawn(int(logprobs.argmax()), float(logprobs.max()))


def assert_same(drawn: Drawn, other: Drawn) -> None:
    assert drawn.token_id == other.token_id
    assert drawn.logprob == pytest.approx(other.logprob, abs=1e-4)


def read(runner: TransformersRunner, token_ids: list[int]) -> int:
    sequence = runner.open()
    runner.step([Chunk(sequence, token_ids)])
    return sequence


class Texts:
    """Sequences of a runner, each beside the tokens that it ought to hold."""

    def __init__(self, runner: TransformersRunner, model: PreTrainedModel) -> None:
        self.runner, self.model = runner, model
        self.held: dict[int, list[int]] = {}

    def open(self, token_ids: list[int]) -> int:
        sequence = read(self.runner, token_ids)
        self.held[sequence] = list(token_ids)
        return sequence

    def fork(self, sequence: int, length: int) -> int:
        fork = self.runner.fork(sequence, length)
        self.held[fork] = self.held[sequence][:length]
        return fork

    def truncate(self, sequence: int, length: int) -> None:
        self.runner.truncate(sequence, length)
        del self.held[sequence][length:]

    def close(self, sequence: int) -> None:
        self.runner.close(sequence)
        del self.held[sequence]

    def step(self, tokens: dict[int, list[int]]) -> None:
        """Append tokens to some sequences in one step, and compare what is sampled after each."""
        chunks = [Chunk(sequence, appended, GREEDY) for sequence, appended in tokens.items()]
        for chunk, [drawn] in zip(chunks, self.runner.step(chunks), strict=True):
            self.held[chunk.sequence] += chunk.token_ids
            assert_same(drawn, expected(self.model, self.held[chunk.sequence]))


@pytest.fixture
def texts(runner: TransformersRunner, model: PreTrainedModel) -> Texts:
    return Texts(runner, model)


def test_sequences_of_different_lengths_step_together(texts: Texts):
    sequences = [texts.open(text(length, seed=length)) for length in (20, 3, 11)]
    for token in range(4):
        texts.step({sequence: [token + sequence] for sequence in sequences})


def test_members_of_a_batch_come_and_go(texts: Texts):
    one, two, three = (texts.open(text(length, seed=length)) for length in (12, 5, 17))
    texts.step({one: [1], two: [2], three: [3]})
    texts.step({three: [4], one: [5]})  # one of them rests, and the order changes
    four = texts.open(text(9))
    texts.step({two: [6], four: [7], one: [8]})
    texts.close(one)
    texts.step({four: [1], two: [2]})
    texts.step({two: [3]})
    texts.step({three: [5], two: [6], four: [7]})
    for sequence in list(texts.held):
        texts.close(sequence)


def test_the_others_go_on_when_a_member_of_their_batch_is_closed(texts: Texts):
    one, two, three = (texts.open(text(length, seed=length)) for length in (12, 5, 17))
    texts.step({one: [1], two: [2], three: [3]})
    texts.close(one)
    texts.step({two: [4], three: [5]})


def test_a_prompt_is_read_beside_sequences_that_decode(texts: Texts):
    one, two = texts.open(text(10)), texts.open(text(4, seed=1))
    new = texts.runner.open()
    texts.held[new] = []
    texts.step({one: [1], new: text(15, seed=2), two: [2]})
    texts.step({one: [3], new: [4], two: [5]})


@pytest.mark.parametrize("length", [0, 1, 9, 19, 20])
def test_a_fork_goes_its_own_way(texts: Texts, length: int):
    original = texts.open(text(20))
    fork = texts.fork(original, length)
    texts.step({original: [1], fork: [2]})
    texts.step({fork: [3], original: [4]})


def test_a_member_of_a_batch_can_be_forked_and_cut(texts: Texts):
    one, two = texts.open(text(20)), texts.open(text(6, seed=1))
    texts.step({one: [1], two: [2]})
    fork = texts.fork(one, 15)
    texts.truncate(two, 4)
    texts.step({one: [3], two: [4], fork: [5]})
    texts.truncate(one, 0)
    texts.step({one: [6], two: [7, 8], fork: [9]})


def test_a_cut_within_a_window_and_beyond_it_is_exact(texts: Texts):
    sequence = texts.open(text(30))
    for length in (28, 12, 3):
        texts.truncate(sequence, length)
        texts.step({sequence: [5, 6, 7]})


def test_every_choice_of_a_chunk_samples_a_token(runner: TransformersRunner, model: PreTrainedModel):
    token_ids = text(12)
    sequence = read(runner, token_ids[:6])
    [drawn] = runner.step([Chunk(sequence, token_ids[6:], GREEDY * 4)])
    for length, one in zip(range(9, 13), drawn, strict=True):
        assert_same(one, expected(model, token_ids[:length]))


@contextmanager
def failing(model: PreTrainedModel, after: int) -> Iterator[None]:
    """Have the model's last layer fail in its forward pass number ``after``, counted from 0."""
    count = 0

    def fail(*_args: object) -> None:
        nonlocal count
        count += 1
        if count == after + 1:
            msg = "can't allocate memory"
            raise RuntimeError(msg)

    handle = model.base_model.layers[-1].register_forward_hook(fail)
    try:
        yield
    finally:
        handle.remove()


@pytest.mark.parametrize("after", [0, 1])
def test_a_step_that_fails_half_way_has_not_happened(texts: Texts, after: int):
    one, two, three = (texts.open(text(length, seed=length)) for length in (12, 5, 17))
    texts.step({one: [1], two: [2]})
    steps: list[dict[int, list[int]]] = [{one: [3], three: [4, 5]}, {one: [3], two: [4], three: [5, 6]}]
    for tokens in steps:
        with failing(texts.model, after), pytest.raises(RuntimeError, match="memory"):
            texts.runner.step([Chunk(sequence, ids, GREEDY) for sequence, ids in tokens.items()])
    for tokens in steps:
        texts.step(tokens)


def test_room_is_counted_by_the_token_and_is_an_error_when_it_ends(runner: TransformersRunner):
    sequence = read(runner, text(100))
    fork = runner.fork(sequence, 60)
    assert runner.free_tokens == 1024 - 160
    runner.truncate(sequence, 50)
    runner.close(fork)
    assert runner.free_tokens == 1024 - 50
    with pytest.raises(EngineError, match="no room for 975 more"):
        runner.step([Chunk(sequence, [1] * 975)])
    assert runner.free_tokens == 1024 - 50


@pytest.mark.parametrize("begin", [TransformersRunner.open, lambda runner: runner.fork(1, 0)])
def test_too_many_sequences_are_an_error(runner: TransformersRunner, begin: Callable[[Any], int]):
    for _ in range(runner.max_sequences):
        runner.open()
    with pytest.raises(EngineError, match="All 256 sequences"):
        begin(runner)
    runner.close(2)
    begin(runner)


def test_a_runner_says_what_its_model_is(runner: TransformersRunner, model: PreTrainedModel):
    assert (runner.device, runner.dtype, runner.context_length) == ("cpu", "float32", 128)
    assert runner.model is model


@pytest.mark.parametrize("token", [-1, 90, 2**40])
def test_a_token_that_the_vocabulary_lacks_is_an_error(token: int, runner: TransformersRunner):
    """On a GPU it would end the use of the device for the whole process."""
    sequence = runner.open()
    assert runner.step([Chunk(sequence, [5, 89], GREEDY)])
    with pytest.raises(EngineError, match="vocabulary") as caught:
        runner.step([Chunk(sequence, [5, token], GREEDY)])
    assert caught.value.remedy
    assert runner.step([Chunk(sequence, [5], GREEDY)])
