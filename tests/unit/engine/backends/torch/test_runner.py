"""The runner on PyTorch, on the CPU: against transformers, and its promises about batches, forks and memory.

What only a GPU can show, that captured graphs and Triton's kernels compute the same, is checked by
``benchmarks/gpu_bench.py`` wherever that runs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, PreTrainedModel, Qwen2Config

from copilot_server.engine.backends.torch.cuda_graphs import Eager, Graphs
from copilot_server.engine.backends.torch.decoder import Decoder
from copilot_server.engine.backends.torch.kernels import Kernels
from copilot_server.engine.backends.torch.kv_cache import BLOCK, KvCache
from copilot_server.engine.backends.torch.loading import (
    Options,
    make_torch_runner,
    open_torch_runner,
    warm_up,
)
from copilot_server.engine.backends.torch.matrix import DenseMatrix, Matrix
from copilot_server.engine.backends.torch.plan import EXACT_SHAPES, GRAPH_SHAPES, Shapes
from copilot_server.engine.backends.torch.quantize import to_int4, to_int8
from copilot_server.engine.backends.torch.runner import TorchRunner
from copilot_server.engine.backends.torch.weights import folder_source, load_weights, random_source
from copilot_server.engine.backends.transformers.runner import TransformersRunner
from copilot_server.engine.decoding.engine import DecodingEngine
from copilot_server.engine.decoding.sampling import sample_token
from copilot_server.engine.models.architecture import Architecture
from copilot_server.engine.runner import Choice, Chunk, Drawn
from copilot_server.errors import EngineError, ModelError
from tests.support.tiny_models import build_tiny_model

T = TypeVar("T")

CPU = torch.device("cpu")
GREEDY = (Choice(),)


@dataclass
class Replayed:
    """Runs the first function that came with a key whenever the key comes up, as a captured graph would."""

    captured: dict[Hashable, Callable[[], object]] = field(default_factory=dict)

    def run(self, key: Hashable, function: Callable[[], T]) -> T:
        return cast("T", self.captured.setdefault(key, function)())


def make(
    folder: Path,
    *,
    shapes: Shapes = EXACT_SHAPES,
    graphs: Graphs | None = None,
    tokens: int = 4096,
    max_sequences: int = 16,
    kernels: type[Kernels] = Kernels,
) -> TorchRunner:
    weights_of = folder_source(folder)
    architecture = Architecture.from_config(_config(folder))
    weights = load_weights(weights_of, architecture, device=CPU, dtype=torch.float32)
    decoder = Decoder(architecture, weights, kernels(architecture))
    cache = KvCache(architecture, tokens=tokens, max_sequences=max_sequences, device=CPU, dtype=torch.float32)
    return TorchRunner(decoder, cache, dtype="float32", graphs=graphs or Eager(), shapes=shapes)


def _config(folder: Path) -> dict[str, Any]:
    config: dict[str, Any] = AutoModelForCausalLM.from_pretrained(folder).config.to_dict()
    return config


@pytest.fixture(scope="module")
def folder(tiny_model_dir: Path) -> Path:
    return tiny_model_dir


@pytest.fixture(scope="module", params=["exact", "padded and replayed"])
def runner(request: pytest.FixtureRequest, folder: Path) -> TorchRunner:
    if request.param == "exact":
        return make(folder)
    return make(folder, shapes=GRAPH_SHAPES, graphs=Replayed())


@pytest.fixture(scope="module")
def reference(folder: Path) -> PreTrainedModel:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def tokens(count: int, seed: int = 0) -> list[int]:
    draw_ids = random.Random(seed)
    return [draw_ids.randrange(10, 600) for _ in range(count)]


def logits_after(model: PreTrainedModel, ids: Sequence[int]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Of every token, (tokens, vocab_size)."""
    with torch.inference_mode():
        return model(torch.tensor([ids])).logits[0].numpy()


def read(runner: TorchRunner, ids: Sequence[int]) -> int:
    sequence = runner.open()
    runner.step([Chunk(sequence, ids)])
    return sequence


def write(runner: TorchRunner, sequence: int, first: Sequence[int], count: int) -> list[int]:
    """Greedy tokens after ``first``."""
    ids, written = list(first), []
    for _ in range(count):
        [[drawn]] = runner.step([Chunk(sequence, ids, GREEDY)])
        ids = [drawn.token_id]
        written += ids
    return written


def greedy(runner: TorchRunner, prompt: Sequence[int], count: int) -> list[int]:
    sequence = runner.open()
    written = write(runner, sequence, prompt, count)
    runner.close(sequence)
    return written


def greedy_of(model: PreTrainedModel, prompt: Sequence[int], count: int) -> list[int]:
    ids = torch.tensor([prompt])
    output = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=count,
        eos_token_id=None,
        pad_token_id=0,
    )
    return output[0, len(prompt) :].tolist()


def assert_alike(drawn: Iterable[Drawn], expected: Iterable[Drawn]) -> None:
    for one, other in zip(drawn, expected, strict=True):
        assert one.token_id == other.token_id
        assert one.logprob == pytest.approx(other.logprob, abs=1e-4)


# --- against transformers


@pytest.mark.parametrize("architecture", ["qwen2", "llama"])
@pytest.mark.parametrize("length", [1, 5, 33, 300])
def test_greedy_is_token_identical_to_transformers(architecture: str, length: int, tmp_path: Path):
    folder = build_tiny_model(architecture, tmp_path)
    expected = greedy_of(AutoModelForCausalLM.from_pretrained(folder).eval(), tokens(length), 24)
    assert greedy(make(folder), tokens(length), 24) == expected
    replayed = make(folder, shapes=GRAPH_SHAPES, graphs=Replayed())
    assert greedy(replayed, tokens(length), 24) == expected


_SMALL = {
    "vocab_size": 600,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
}


@pytest.mark.parametrize(
    "config",
    [
        Qwen2Config(**_SMALL, num_key_value_heads=4, tie_word_embeddings=True),
        LlamaConfig(**_SMALL, num_key_value_heads=1, head_dim=16),
        LlamaConfig(**_SMALL, rope_parameters={"rope_type": "linear", "factor": 4.0, "rope_theta": 5e4}),
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
    assert greedy(make(tmp_path), tokens(60), 24) == greedy_of(model, tokens(60), 24)


def test_logprobs_are_those_of_transformers(runner: TorchRunner, reference: PreTrainedModel):
    ids = tokens(40)
    sequence = read(runner, ids[:30])
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
    ids = tokens(300)
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
    config = Qwen2Config(**{**_SMALL, "max_position_embeddings": 8192}, num_key_value_heads=2)
    model = AutoModelForCausalLM.from_config(config).eval()
    model.save_pretrained(tmp_path)
    runner, ids = make(tmp_path, tokens=8192), tokens(2100)
    [drawn] = runner.step([Chunk(runner.open(), ids, GREEDY * 60)])  # the choices lie in two passes
    assert_alike(drawn, [sample_token(row, Choice()) for row in logits_after(model, ids)[-60:]])


def test_a_batch_gives_what_each_sequence_gives_alone(runner: TorchRunner):
    prompts = [tokens(length, seed=length) for length in (1, 7, 8, 20, 33, 64, 130, 200)]
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
    prompts = [tokens(start + length, seed=start) for start, length in zip(starts, lengths, strict=True)]
    sequences = [
        read(runner, ids[:start]) if start else runner.open()
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
    prompt = tokens(45)
    written = greedy(runner, prompt, drafts + 1)
    sequence = read(runner, prompt[:-1])
    [right] = runner.step([Chunk(sequence, [prompt[-1], *written[:-1]], GREEDY * (drafts + 1))])
    assert [one.token_id for one in right] == written
    runner.truncate(sequence, len(prompt) - 1)
    wrong = [(token + 1) % 600 for token in written[:-1]]
    [refuted] = runner.step([Chunk(sequence, [prompt[-1], *wrong], GREEDY * (drafts + 1))])
    assert refuted[0].token_id == written[0]
    runner.truncate(sequence, len(prompt))
    assert write(runner, sequence, written[:1], drafts) == written[1:]  # the refuted drafts left no trace
    runner.close(sequence)


def test_more_choices_than_are_made_at_once(folder: Path):
    runner = make(folder, tokens=8192, max_sequences=48)
    ids = [tokens(20, seed=i) for i in range(40)]
    alone = [runner.step([Chunk(runner.open(), one, GREEDY * 16)])[0] for one in ids[:8]]
    runner = make(folder, tokens=8192, max_sequences=48)
    together = runner.step([Chunk(runner.open(), one, GREEDY * 16) for one in ids])  # 640 choices
    for drawn, expected in zip(together[:8], alone, strict=True):
        assert_alike(drawn, expected)
    assert all(len(drawn) == 16 for drawn in together)


# --- forks


def test_a_fork_goes_its_own_way(runner: TorchRunner):
    prompt, other = tokens(50), tokens(20, seed=9)
    sequence = read(runner, prompt[:-1])
    fork = runner.fork(sequence, 40)
    assert write(runner, sequence, prompt[-1:], 12) == greedy(runner, prompt, 12)
    assert write(runner, fork, other, 12) == greedy(runner, prompt[:40] + other, 12)
    runner.truncate(fork, 35)
    runner.truncate(sequence, 48)
    assert write(runner, sequence, prompt[48:], 12) == greedy(runner, prompt, 12)
    runner.close(sequence)
    assert write(runner, fork, other, 12) == greedy(runner, prompt[:35] + other, 12)
    runner.close(fork)


def test_many_forks_of_one_prompt_in_one_step(runner: TorchRunner):
    prompt = tokens(50)
    sequence = read(runner, prompt[:-1])
    forks = [runner.fork(sequence, 49) for _ in range(6)]
    lasts = [prompt[-1] + i for i in range(6)]
    runner.step([Chunk(fork, [last]) for fork, last in zip(forks, lasts, strict=True)])
    for fork, last in zip(forks, lasts, strict=True):
        assert write(runner, fork, [77], 6) == greedy(runner, [*prompt[:-1], last, 77], 6)
        runner.close(fork)
    runner.close(sequence)


# --- choices

_TEMPERATURES, _NUCLEI = (0.2, 0.8, 1.0, 2.5), (0.1, 0.6, 0.95, 1.0)


@pytest.mark.parametrize("restricted", [False, True])
def test_draws_follow_the_definition(runner: TorchRunner, reference: PreTrainedModel, restricted: bool):
    ids = tokens(70)
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
        sequence = read(runner, ids[:30])
        [drawn] = runner.step([Chunk(sequence, ids[30:], choices)])
        runner.close(sequence)
        expected = [sample_token(row, choice) for row, choice in zip(logits[30:], choices, strict=True)]
        assert_alike(drawn, expected)
        ranks = [(row > row[one.token_id]).sum() for row, one in zip(logits[30:], expected, strict=True)]
        seen_missing |= any(rank >= 256 for rank in ranks)
    assert restricted or seen_missing  # some draws fell outside the likeliest, and were made again


# --- memory


def test_too_many_sequences_are_an_error_with_a_remedy(folder: Path):
    runner = make(folder, max_sequences=2)
    first, second = runner.open(), runner.open()
    runner.step([Chunk(first, tokens(5))])
    for one_more in (runner.open, lambda: runner.fork(first, 3)):
        with pytest.raises(EngineError, match="in use") as caught:
            one_more()
        assert caught.value.remedy
    runner.close(second)
    assert runner.fork(first, 3) not in (first, second)


def test_a_full_cache_is_an_error_with_a_remedy_and_changes_nothing(folder: Path):
    runner = make(folder, tokens=8 * BLOCK)
    sequence, other = read(runner, tokens(5 * BLOCK)), read(runner, tokens(BLOCK, seed=1))
    free = runner.free_tokens
    with pytest.raises(EngineError, match="used up") as caught:
        runner.step([Chunk(sequence, [7]), Chunk(other, tokens(3 * BLOCK))])
    assert caught.value.remedy
    assert runner.free_tokens == free
    written = write(runner, sequence, [7], 5)
    runner.close(other)
    assert written == greedy(make(folder), [*tokens(5 * BLOCK), 7], 5)


def test_a_sequence_longer_than_the_window_is_an_error(folder: Path):
    runner = make(folder)
    assert runner.context_length == 512
    assert make(folder, tokens=128).context_length == 128
    sequence = read(runner, tokens(512))
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
    runner = make(folder, kernels=Failing)
    sequence = read(runner, tokens(40))
    free = runner.free_tokens
    monkeypatch.setattr(Failing, "fails", True)
    with pytest.raises(EngineError, match="ran out") as caught:
        runner.step([Chunk(sequence, tokens(60))])
    assert caught.value.remedy
    assert runner.free_tokens == free
    monkeypatch.setattr(Failing, "fails", False)
    assert write(runner, sequence, [7], 5) == greedy(runner, [*tokens(40), 7], 5)


_ARCHITECTURE = Architecture(
    layers=1,
    hidden=8,
    heads=1,
    kv_heads=1,
    head_dim=4,
    intermediate=8,
    vocab_size=8,
    context_length=1024,
)


@settings(max_examples=60)
@given(data=st.data())
def test_the_promised_tokens_always_fit(data: st.DataObject):
    """Whatever was opened, forked, lengthened, truncated and closed before, and however they are spread."""
    cache = KvCache(_ARCHITECTURE, tokens=640, max_sequences=6, device=CPU, dtype=torch.float32)
    whole = cache.free_tokens
    lengths: dict[int, int] = {}
    for _ in range(data.draw(st.integers(1, 25))):
        action = data.draw(st.sampled_from(["open", "fork", "lengthen", "truncate", "close"]))
        if action == "open" and len(lengths) < 6:
            lengths[cache.open()] = 0
        if not lengths or action == "open":
            continue
        sequence = data.draw(st.sampled_from(sorted(lengths)))
        shorter = data.draw(st.integers(0, lengths[sequence]))
        if action == "fork" and len(lengths) < 6:
            lengths[cache.fork(sequence, shorter)] = shorter
        elif action == "lengthen":
            more = data.draw(st.integers(0, cache.free_tokens))
            cache.reserve([(sequence, more)])
            lengths[sequence] += more
        elif action == "truncate":
            cache.truncate(sequence, shorter)
            lengths[sequence] = shorter
        elif action == "close":
            cache.close(sequence)
            del lengths[sequence]
    rest, wanted = cache.free_tokens, []
    for sequence in lengths:
        wanted.append((sequence, data.draw(st.integers(0, rest))))
        rest -= wanted[-1][1]
    cache.reserve(wanted)
    for sequence in lengths:
        cache.close(sequence)
    assert cache.free_tokens == whole


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


def test_what_is_captured_never_asks_the_device_for_a_value(folder: Path):
    graphs = Watched()
    runner = make(folder, shapes=GRAPH_SHAPES, graphs=graphs)
    sequence = read(runner, tokens(20))
    sampled = Choice(temperature=0.8, top_p=0.9, uniform=0.3)
    runner.step([Chunk(sequence, [5, 6, 7], [Choice(), sampled, sampled])])
    runner.step([Chunk(sequence, [8], GREEDY)])
    assert len(graphs.keys) == 5
    assert graphs.asked == []
    graphs.run("twin", lambda: torch.ones(3).max().item())
    assert graphs.asked == ["_local_scalar_dense"]


# --- loading


def test_a_model_of_another_kind_is_refused(tmp_path: Path, folder: Path):
    build_tiny_model("gpt-neo", tmp_path)
    with pytest.raises(ModelError, match="no fast decoder") as caught:
        open_torch_runner(tmp_path, CPU, "float32")
    assert "speed.fast" in caught.value.remedy
    runner = open_torch_runner(folder, CPU, "float32", Options(kv_tokens=1024))
    assert (runner.device, runner.dtype, runner.free_tokens) == ("cpu", "float32", 1024)


def test_a_missing_tensor_or_file_is_a_model_error(folder: Path, tmp_path: Path):
    source = folder_source(folder)
    architecture = Architecture.from_config(_config(folder))
    lacking = "model.layers.1.mlp.up_proj.weight"
    with pytest.raises(ModelError, match=lacking):
        make_torch_runner(lambda n: None if n == lacking else source(n), architecture, CPU, "float32")
    make_torch_runner(source, architecture, CPU, "float32")
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    with pytest.raises(ModelError, match="safetensors"):
        open_torch_runner(tmp_path, CPU, "float32")


def test_weights_in_several_files(folder: Path, tmp_path: Path):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.save_pretrained(tmp_path, max_shard_size="50KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    assert greedy(make(tmp_path), tokens(30), 8) == greedy(make(folder), tokens(30), 8)


def test_warming_up_leaves_no_trace(folder: Path):
    runner = make(folder, shapes=GRAPH_SHAPES, graphs=Replayed())
    free = runner.free_tokens
    warm_up(runner)
    assert runner.free_tokens == free
    assert greedy(runner, tokens(30), 8) == greedy(make(folder), tokens(30), 8)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8", "int4"])
def test_random_weights_run_in_every_format(dtype: str):
    shape = Architecture(
        layers=2,
        hidden=128,
        heads=4,
        kv_heads=2,
        head_dim=32,
        intermediate=256,
        vocab_size=600,
        context_length=512,
    )
    runner = make_torch_runner(random_source(shape, device=CPU), shape, CPU, dtype, Options(kv_tokens=1024))
    assert runner.dtype == dtype
    assert len(greedy(runner, tokens(20), 4)) == 4


# --- quantized weights


def test_quantized_weights_are_near_the_originals():
    torch.manual_seed(0)
    matrix = DenseMatrix(torch.randn(300, 256), torch.randn(300))
    for convert, error, size in ((to_int8, 0.01, 0.26), (to_int4, 0.1, 0.2)):
        quantized = convert(matrix)
        dense = quantized.dense(0, 300, torch.float32)  # type: ignore[attr-defined]
        assert (dense - matrix.weight).norm() < error * matrix.weight.norm()
        assert quantized.nbytes < size * matrix.nbytes
        x = torch.randn(5, 256)
        expected = x @ dense.T + matrix.bias
        torch.testing.assert_close(quantized.multiply(x), expected)


def test_int4_needs_inputs_that_divide_into_groups():
    assert type(to_int4(DenseMatrix(torch.randn(8, 192)))).__name__ == "Int8Matrix"
    assert type(to_int4(DenseMatrix(torch.randn(8, 128)))).__name__ == "Int4Matrix"


def test_narrowing_a_groups_range_pays(monkeypatch: pytest.MonkeyPatch):
    """Choosing among ranges is better than taking the widest, or it would be needless."""
    torch.manual_seed(0)
    matrix = DenseMatrix(torch.randn(64, 512))

    def error() -> float:
        dense = to_int4(matrix).dense(0, 64, torch.float32)  # type: ignore[attr-defined]
        return float((dense - matrix.weight).norm())

    searched = error()
    monkeypatch.setattr("copilot_server.engine.backends.torch.quantize.SHRINKS", (1.0,))
    assert searched < 0.97 * error()


def test_int8_gives_nearly_the_same_logprobs(folder: Path):
    ids = tokens(60)
    plain = make(folder)
    rounded = open_torch_runner(folder, CPU, "int8", Options(kv_tokens=1024))
    [expected] = plain.step([Chunk(plain.open(), ids, GREEDY * 60)])
    [drawn] = rounded.step([Chunk(rounded.open(), ids, GREEDY * 60)])
    same = [
        abs(a.logprob - b.logprob) for a, b in zip(drawn, expected, strict=True) if a.token_id == b.token_id
    ]
    assert len(same) > 50
    assert np.mean(same) < 0.1
