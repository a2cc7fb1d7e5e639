"""The runner on PyTorch, on the CPU: against transformers, in batches, with forks, and short of memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest
import torch
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, PreTrainedModel, Qwen2Config

from copilot_server.config import SpeedSettings
from copilot_server.engine.backends.torch.kernels import Kernels
from copilot_server.engine.backends.torch.kv_cache import BLOCK_TOKENS, KvCache
from copilot_server.engine.backends.torch.loading import Options, open_torch_runner
from copilot_server.engine.backends.torch.matrix import Matrix
from copilot_server.engine.backends.torch.plan import GRAPH_SHAPES
from copilot_server.engine.backends.torch.runner import TorchRunner
from copilot_server.engine.backends.transformers.runner import TransformersRunner
from copilot_server.engine.base import GenerationRequest, Prompt, Sampling
from copilot_server.engine.decoding.engine import DecodingEngine
from copilot_server.engine.decoding.sampling import sample_token
from copilot_server.engine.models.tokenizer import load_tokenizer
from copilot_server.engine.runner import Choice, Chunk
from copilot_server.errors import EngineError
from tests.support.tiny_models import build_tiny_model
from tests.support.torch_runners import (
    CPU,
    GREEDY,
    SMALL,
    Replayed,
    assert_alike,
    greedy,
    greedy_of,
    logits_after,
    make_runner,
    random_tokens,
    read_prompt,
    write_greedily,
)

T = TypeVar("T")


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


# --- against transformers


@pytest.mark.parametrize("architecture", ["qwen2", "llama"])
@pytest.mark.parametrize("length", [1, 5, 33, 300])
def test_greedy_is_token_identical_to_transformers(architecture: str, length: int, tmp_path: Path):
    folder = build_tiny_model(architecture, tmp_path)
    expected = greedy_of(AutoModelForCausalLM.from_pretrained(folder).eval(), random_tokens(length), 24)
    assert greedy(make_runner(folder), random_tokens(length), 24) == expected
    replayed = make_runner(folder, shapes=GRAPH_SHAPES, graphs=Replayed())
    assert greedy(replayed, random_tokens(length), 24) == expected


@pytest.mark.parametrize(
    "config",
    [
        Qwen2Config(**SMALL, num_key_value_heads=4, tie_word_embeddings=True),
        LlamaConfig(**SMALL, num_key_value_heads=1, head_dim=16),
        LlamaConfig(**SMALL, rope_parameters={"rope_type": "linear", "factor": 4.0, "rope_theta": 5e4}),
    ],
    ids=["tied", "one key head, wide heads", "scaled positions"],
)
def test_variants_are_token_identical_to_transformers(config: Qwen2Config | LlamaConfig, tmp_path: Path):
    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(4.0)
    model.save_pretrained(tmp_path)
    assert greedy(make_runner(tmp_path), random_tokens(60), 24) == greedy_of(model, random_tokens(60), 24)


def test_logprobs_are_those_of_transformers(runner: TorchRunner, reference: PreTrainedModel):
    ids = random_tokens(40)
    sequence = read_prompt(runner, ids[:30])
    [drawn] = runner.step([Chunk(sequence, ids[30:], GREEDY * 10)])
    runner.close(sequence)
    assert_alike(drawn, [sample_token(row, Choice()) for row in logits_after(reference, ids)[30:]])


@pytest.mark.model
def test_greedy_is_token_identical_on_the_real_model(real_engine: DecodingEngine):
    assert isinstance(real_engine.runner, TransformersRunner)
    model = real_engine.runner.model
    runner = open_torch_runner(Path(model.name_or_path), CPU, "float32", Options(kv_tokens=2048))
    tokenizer = AutoTokenizer.from_pretrained(model.name_or_path)
    for text in (
        "def fibonacci(n):\n",
        "import os\n\n\ndef walk(folder):\n    for ",
        "class Stack:\n    def ",
    ):
        prompt = tokenizer(text)["input_ids"]
        assert greedy(runner, prompt, 16) == greedy_of(model, prompt, 16)


# --- how tokens are cut and grouped makes no difference


@pytest.mark.parametrize("cuts", [(100,), (1,), (290,), (17, 40, 299), (128, 256)])
def test_a_prompt_in_chunks_gives_what_it_gives_whole(runner: TorchRunner, cuts: tuple[int, ...]):
    ids = random_tokens(300)
    whole, cut = runner.open(), runner.open()
    expected = runner.step([Chunk(whole, ids, GREEDY)])
    start = 0
    for end in cuts:
        assert runner.step([Chunk(cut, ids[start:end])]) == [[]]
        start = end
    drawn = runner.step([Chunk(cut, ids[start:], GREEDY)])
    runner.close(whole)
    runner.close(cut)
    assert_alike(drawn[0], expected[0])


def test_a_chunk_longer_than_one_pass_is_read_in_order(tmp_path: Path):
    config = Qwen2Config(**{**SMALL, "max_position_embeddings": 8192}, num_key_value_heads=2)
    model = AutoModelForCausalLM.from_config(config).eval()
    model.save_pretrained(tmp_path)
    runner, ids = make_runner(tmp_path, tokens=8192), random_tokens(2100)
    [drawn] = runner.step([Chunk(runner.open(), ids, GREEDY * 60)])  # the choices lie in two passes
    assert_alike(drawn, [sample_token(row, Choice()) for row in logits_after(model, ids)[-60:]])


def test_a_batch_gives_what_each_sequence_gives_alone(runner: TorchRunner):
    prompts = [random_tokens(length, seed=length) for length in (1, 7, 8, 20, 33, 64, 130, 200)]
    alone = [greedy(runner, prompt, 8) for prompt in prompts]
    sequences = [runner.open() for _ in prompts]
    chunks = [Chunk(s, prompt, GREEDY) for s, prompt in zip(sequences, prompts, strict=True)]
    together: list[list[int]] = [[] for _ in prompts]
    for _ in range(8):
        drawn = runner.step(chunks)
        for written, [one] in zip(together, drawn, strict=True):
            written.append(one.token_id)
        chunks = [Chunk(s, [one.token_id], GREEDY) for s, [one] in zip(sequences, drawn, strict=True)]
    for sequence in sequences:
        runner.close(sequence)
    assert together == alone


def test_reading_writing_and_verifying_share_a_step(runner: TorchRunner, reference: PreTrainedModel):
    """One sequence begins a long prompt, one goes on, one verifies three drafts, one ends its prompt."""
    starts, lengths, chosen = (0, 50, 20, 33), (150, 1, 4, 7), (0, 1, 4, 1)
    prompts = [
        random_tokens(start + length, seed=start) for start, length in zip(starts, lengths, strict=True)
    ]
    sequences = [
        read_prompt(runner, ids[:start]) if start else runner.open()
        for ids, start in zip(prompts, starts, strict=True)
    ]
    drawn = runner.step(
        [
            Chunk(sequence, ids[start:], GREEDY * count)
            for sequence, ids, start, count in zip(sequences, prompts, starts, chosen, strict=True)
        ]
    )
    for sequence, ids, count, tokens_drawn in zip(sequences, prompts, chosen, drawn, strict=True):
        runner.close(sequence)
        rows = logits_after(reference, ids)[len(ids) - count :]
        assert_alike(tokens_drawn, [sample_token(row, Choice()) for row in rows])


@pytest.mark.parametrize("drafts", [1, 2, 3, 7, 15, 40])
def test_verifying_drafts_gives_what_writing_gives(runner: TorchRunner, drafts: int):
    prompt = random_tokens(45)
    written = greedy(runner, prompt, drafts + 1)
    sequence = read_prompt(runner, prompt[:-1])
    [right] = runner.step([Chunk(sequence, [prompt[-1], *written[:-1]], GREEDY * (drafts + 1))])
    assert [one.token_id for one in right] == written
    runner.truncate(sequence, len(prompt) - 1)
    wrong = [(token + 1) % 600 for token in written[:-1]]
    [refuted] = runner.step([Chunk(sequence, [prompt[-1], *wrong], GREEDY * (drafts + 1))])
    assert refuted[0].token_id == written[0]
    runner.truncate(sequence, len(prompt))
    assert (
        write_greedily(runner, sequence, written[:1], drafts) == written[1:]
    )  # the refuted drafts left no trace
    runner.close(sequence)


def test_more_choices_than_are_made_at_once(folder: Path):
    runner = make_runner(folder, tokens=8192, max_sequences=48)
    ids = [random_tokens(20, seed=i) for i in range(40)]
    alone = [runner.step([Chunk(runner.open(), one, GREEDY * 16)])[0] for one in ids[:8]]
    runner = make_runner(folder, tokens=8192, max_sequences=48)
    together = runner.step([Chunk(runner.open(), one, GREEDY * 16) for one in ids])  # 640 choices
    for drawn, expected in zip(together[:8], alone, strict=True):
        assert_alike(drawn, expected)
    assert all(len(drawn) == 16 for drawn in together)


# --- forks


def test_a_fork_goes_its_own_way(runner: TorchRunner):
    prompt, other = random_tokens(50), random_tokens(20, seed=9)
    sequence = read_prompt(runner, prompt[:-1])
    fork = runner.fork(sequence, 40)
    assert write_greedily(runner, sequence, prompt[-1:], 12) == greedy(runner, prompt, 12)
    assert write_greedily(runner, fork, other, 12) == greedy(runner, prompt[:40] + other, 12)
    runner.truncate(fork, 35)
    runner.truncate(sequence, 48)
    assert write_greedily(runner, sequence, prompt[48:], 12) == greedy(runner, prompt, 12)
    runner.close(sequence)
    assert write_greedily(runner, fork, other, 12) == greedy(runner, prompt[:35] + other, 12)
    runner.close(fork)


def test_many_forks_of_one_prompt_in_one_step(runner: TorchRunner):
    prompt = random_tokens(50)
    sequence = read_prompt(runner, prompt[:-1])
    forks = [runner.fork(sequence, 49) for _ in range(6)]
    lasts = [prompt[-1] + i for i in range(6)]
    runner.step([Chunk(fork, [last]) for fork, last in zip(forks, lasts, strict=True)])
    for fork, last in zip(forks, lasts, strict=True):
        assert write_greedily(runner, fork, [77], 6) == greedy(runner, [*prompt[:-1], last, 77], 6)
        runner.close(fork)
    runner.close(sequence)


# --- memory


def test_too_many_sequences_are_an_error_with_a_remedy(folder: Path):
    runner = make_runner(folder, max_sequences=2)
    first, second = runner.open(), runner.open()
    runner.step([Chunk(first, random_tokens(5))])
    for one_more in (runner.open, lambda: runner.fork(first, 3)):
        with pytest.raises(EngineError, match="in use") as caught:
            one_more()
        assert caught.value.remedy
    runner.close(second)
    assert runner.fork(first, 3) != first


def test_a_full_cache_is_an_error_with_a_remedy_and_changes_nothing(folder: Path):
    runner = make_runner(folder, tokens=8 * BLOCK_TOKENS)
    sequence, other = (
        read_prompt(runner, random_tokens(5 * BLOCK_TOKENS)),
        read_prompt(runner, random_tokens(BLOCK_TOKENS, seed=1)),
    )
    free = runner.free_tokens
    with pytest.raises(EngineError, match="no room for") as caught:
        runner.step([Chunk(sequence, [7]), Chunk(other, random_tokens(3 * BLOCK_TOKENS))])
    assert caught.value.remedy
    assert runner.free_tokens == free
    written = write_greedily(runner, sequence, [7], 5)
    runner.close(other)
    assert written == greedy(make_runner(folder), [*random_tokens(5 * BLOCK_TOKENS), 7], 5)


def test_the_cache_grows_around_what_it_holds(folder: Path):
    """Captured functions, which know the old addresses, are forgotten."""
    graphs = Replayed()
    runner = make_runner(folder, tokens=128, kv_limit=640, graphs=graphs, shapes=GRAPH_SHAPES)
    assert runner.context_length == 512
    expected = greedy(make_runner(folder), random_tokens(40), 20)
    sequence = runner.open()
    assert write_greedily(runner, sequence, random_tokens(40), 8) == expected[:8]
    size = runner.memory_bytes["KV cache"]
    runner.make_room(100)
    assert (runner.cache.tokens, runner.memory_bytes["KV cache"]) == (128, size)
    assert graphs.captured
    runner.make_room(10_000)  # more than it may
    assert runner.cache.tokens == 640
    assert runner.memory_bytes["KV cache"] > 4 * size
    assert not graphs.captured
    assert write_greedily(runner, sequence, expected[7:8], 12) == expected[8:]
    read_prompt(runner, random_tokens(500))


def test_where_memory_does_not_allow_it_the_cache_grows_less(folder: Path, monkeypatch: pytest.MonkeyPatch):
    grow = KvCache.grow

    def short(cache: KvCache, tokens: int) -> None:
        if tokens > 300:
            msg = "CUDA out of memory"
            raise torch.OutOfMemoryError(msg)
        grow(cache, tokens)

    monkeypatch.setattr(KvCache, "grow", short)
    runner = make_runner(folder, tokens=128, kv_limit=512)
    runner.make_room(512)
    assert runner.cache.tokens == 256
    monkeypatch.setattr(KvCache, "grow", lambda *_: short(runner.cache, 512))
    runner.make_room(512)
    assert runner.cache.tokens == 256


def test_an_engine_takes_room_for_its_batch(folder: Path):
    runner = open_torch_runner(folder, CPU, "float32")
    start = runner.cache.tokens
    engine = DecodingEngine(runner, load_tokenizer(folder), SpeedSettings())
    short = GenerationRequest(Prompt(("x = 1\n",)), Sampling(max_new_tokens=1))
    engine.generate(short, threading.Event())
    assert runner.cache.tokens == start  # what an editor asks for is there already
    long = GenerationRequest(Prompt(("x = 1\n",)), Sampling(max_new_tokens=480, n=40), until=lambda _: True)
    engine.generate_batch([long], threading.Event(), batch_size=40)
    assert start < runner.cache.tokens < 2 * start


def test_a_sequence_longer_than_the_window_is_an_error(folder: Path):
    runner = make_runner(folder)
    assert runner.context_length == 512
    assert make_runner(folder, tokens=128).context_length == 128
    sequence = read_prompt(runner, random_tokens(512))
    with pytest.raises(EngineError, match="513 tokens is too long"):
        runner.step([Chunk(sequence, [7])])


class Failing(Kernels):
    """Runs out of memory when told to."""

    fails = False

    def norm_gate(self, x: torch.Tensor, norm: torch.Tensor, gate_up: Matrix) -> torch.Tensor:
        if self.fails:
            msg = "CUDA out of memory"
            raise torch.OutOfMemoryError(msg)
        return super().norm_gate(x, norm, gate_up)


def test_memory_that_runs_out_in_a_step_leaves_the_sequences_as_they_were(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    runner = make_runner(folder, kernels=Failing)
    sequence = read_prompt(runner, random_tokens(40))
    free = runner.free_tokens
    monkeypatch.setattr(Failing, "fails", True)
    with pytest.raises(EngineError, match="ran out") as caught:
        runner.step([Chunk(sequence, random_tokens(60))])
    assert caught.value.remedy
    assert runner.free_tokens == free
    monkeypatch.setattr(Failing, "fails", False)
    assert write_greedily(runner, sequence, [7], 5) == greedy(runner, [*random_tokens(40), 7], 5)


# --- what is captured


class Watching(TorchDispatchMode):
    """Notes the operations that a captured graph may not hold: they ask the device for a value."""

    ASKING = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "is_nonzero", "equal")

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def __torch_dispatch__(
        self, func: OpOverload, types: object, args: tuple[object, ...] = (), kwargs: object = None
    ) -> object:
        if func.overloadpacket.__name__ in self.ASKING:
            self.asked.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


@dataclass
class Watched:
    """Runs captured functions under ``Watching``."""

    asked: list[str] = field(default_factory=list)
    keys: list[Hashable] = field(default_factory=list)

    def run(self, key: Hashable, function: Callable[[], T]) -> T:
        with Watching() as watching:
            result = function()
        self.asked += watching.asked
        self.keys.append(key)
        return result

    def clear(self) -> None:
        pass

    def finish_warm_up(self) -> None:
        pass


def test_what_is_captured_never_asks_the_device_for_a_value(folder: Path):
    graphs = Watched()
    runner = make_runner(folder, shapes=GRAPH_SHAPES, graphs=graphs)
    sequence = read_prompt(runner, random_tokens(20))
    sampled = Choice(temperature=0.8, top_p=0.9, uniform=0.3)
    runner.step([Chunk(sequence, [5, 6, 7], [Choice(), sampled, sampled])])
    runner.step([Chunk(sequence, [8], GREEDY)])
    assert len(graphs.keys) == 5
    assert graphs.asked == []
    graphs.run("twin", lambda: torch.ones(3).max().item())
    assert graphs.asked == ["_local_scalar_dense"]


@pytest.mark.parametrize("token", [-1, 2**40, "size"])
def test_a_token_that_the_vocabulary_lacks_is_an_error(token: int | str, folder: Path):
    """On a GPU it would end the use of the device for the whole process."""
    runner = make_runner(folder)
    size = runner.decoder.architecture.vocab_size
    sequence = read_prompt(runner, random_tokens(5))
    assert runner.step([Chunk(sequence, [size - 1], GREEDY)])
    with pytest.raises(EngineError, match="vocabulary") as caught:
        runner.step([Chunk(sequence, [5, size if token == "size" else int(token)], GREEDY)])
    assert caught.value.remedy
    assert runner.step([Chunk(sequence, [5], GREEDY)])
