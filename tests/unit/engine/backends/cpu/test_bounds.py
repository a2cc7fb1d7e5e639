"""The kernels' own check: whatever Python passes, sizes, indices and arrays that do not fit are refused.

Each case is a call that is computed, the twin, and the same call with one number that is too large, too small
or too short by the least possible. ``make sanitize`` runs them on kernels that stop at the first access
outside of an array.
"""

from __future__ import annotations

import ctypes
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from copilot_server.engine.backends.cpu import library as c
from copilot_server.engine.backends.cpu.layout import Dtype
from copilot_server.engine.backends.cpu.model import build_model
from copilot_server.engine.backends.cpu.weights import Weights
from copilot_server.engine.runner import Chunk
from copilot_server.errors import EngineError
from tests.support.cpu_runner import GREEDY, open_model_weights, open_runner

PAGES, WIDTH, SEQUENCES = 4, 3, 2


@dataclass
class Call:
    """A step of 20 tokens of one sequence and 2 of another, and the model it is a step of."""

    weights: Weights
    model: c.Model
    owned: list[Any]
    tokens: int = 22
    wanted: int = 3
    table_width: int = WIDTH
    sequences: int = SEQUENCES
    scratch_bytes: int = 0
    workers: bool = True
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    shorter: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Fill the arrays as a runner does."""
        tables = np.zeros((SEQUENCES, WIDTH), np.int32)
        tables[0], tables[1, 0] = [3, 0, 1], 2
        self.arrays = {
            "token_ids": np.arange(22, dtype=np.int32),
            "positions": np.array([*range(20), 0, 1], np.int32),
            "tables": np.array([0] * 20 + [1] * 2, np.int32),
            "page_tables": tables,
            "wanted_rows": np.array([0, 19, 21], np.int32),
            "logits": np.zeros((3, self.model.head.outputs), np.float32),
            "best": np.zeros(3, np.int32),
            "log_total": np.zeros(3, np.float32),
        }
        scratch_bytes = c.load_library().decoder_scratch_bytes
        self.scratch_bytes = scratch_bytes(ctypes.byref(self.model), self.tokens)

    def run(self) -> np.ndarray:
        """Compute; return the likeliest tokens."""
        library = c.load_library()
        sizes = [array.nbytes - self.shorter.get(name, 0) for name, array in self.arrays.items()]
        pointers = [array.ctypes.data for array in self.arrays.values()]
        numbers = (self.tokens, self.table_width, self.wanted, self.sequences)
        step = c.Step(*numbers, *pointers, tuple(sizes))
        scratch = np.empty(self.scratch_bytes, np.uint8)
        workers = library.pool_open(1)
        try:
            library.decoder_step(
                ctypes.byref(self.model),
                ctypes.byref(step),
                scratch.ctypes.data,
                scratch.nbytes,
                workers if self.workers else None,
            )
        finally:
            library.pool_close(workers)
        return self.arrays["best"]


def make_call(folder: Path, dtype: Dtype = "int8") -> Call:
    """The call for a model whose arrays end where they should, so that a sanitizer sees what lies behind."""
    mapped = open_model_weights(folder, dtype)
    weights = replace(mapped, tensors={name: np.array(one) for name, one in mapped.tensors.items()})
    return Call(weights, *build_model(weights, PAGES))


@pytest.fixture
def call(tiny_model_dir: Path) -> Call:
    return make_call(tiny_model_dir)


def set_array(name: str, index: Any, value: int) -> Callable[[Call], None]:  # noqa: ANN401 - numpy's indices
    def change(call: Call) -> None:
        call.arrays[name][index] = value

    return change


def shorten(name: str, count: int) -> Callable[[Call], None]:
    return lambda call: call.shorter.update({name: count})


def set_size(**numbers: int) -> Callable[[Call], None]:
    def change(call: Call) -> None:
        for name, number in numbers.items():
            setattr(call.model if hasattr(call.model, name) else call, name, number)

    return change


def in_step() -> list[tuple[str, Callable[[Call], None], Callable[[Call], None]]]:
    """What is refused, the largest that is not, and the change that is one too many."""
    return [
        ("a token is", set_array("token_ids", 4, 0), set_array("token_ids", 4, -1)),
        ("a position is", set_array("positions", 19, 47), set_array("positions", 19, 48)),
        ("a position is", set_array("positions", 20, 0), set_array("positions", 20, -1)),
        ("no such page", set_array("tables", 21, 1), set_array("tables", 21, 2)),
        ("no such page", set_array("tables", 21, 0), set_array("tables", 21, -1)),
        ("no such page", set_array("page_tables", (0, 0), 3), set_array("page_tables", (0, 0), 4)),
        ("no such page", set_array("page_tables", (0, 1), 0), set_array("page_tables", (0, 1), -1)),
        ("wanted row", set_array("wanted_rows", 1, 20), set_array("wanted_rows", 1, 21)),
        ("wanted row", set_array("wanted_rows", 2, 20), set_array("wanted_rows", 2, 22)),
        ("wanted row", set_array("wanted_rows", 0, 1), set_array("wanted_rows", 0, -1)),
        ("a size", set_size(wanted=0), set_size(wanted=-1)),
        ("a size", set_size(tokens=0, wanted=0), set_size(tokens=-1, wanted=0)),
        ("a size", set_size(wanted=3), set_size(tokens=2)),
        ("an array", set_size(sequences=2), set_size(sequences=3)),
        ("an array", set_size(wanted=3), set_size(wanted=4)),
        ("an array", set_size(tokens=22), set_size(tokens=23)),
    ] + [("an array", shorten(name, 0), shorten(name, 1)) for name in (
        "token_ids", "positions", "tables", "page_tables", "wanted_rows", "logits", "best", "log_total",
    )]  # fmt: skip


@pytest.mark.parametrize(("refusal", "largest", "too_large"), in_step())
def test_a_step_that_does_not_fit_is_refused(
    refusal: str, largest: Callable[[Call], None], too_large: Callable[[Call], None], call: Call
):
    largest(call)
    assert (call.run() >= 0).all()
    too_large(call)
    with pytest.raises(EngineError, match=refusal) as caught:
        call.run()
    assert "report" in caught.value.remedy


def test_the_last_token_of_the_vocabulary_is_read_and_the_next_is_not(call: Call):
    size = call.weights.architecture.vocab_size
    set_array("token_ids", 0, size - 1)(call)
    assert (call.run() < size).all()
    set_array("token_ids", 0, size)(call)
    with pytest.raises(EngineError, match="a token is"):
        call.run()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("layers", 3), ("layers", 0), ("layers", 2**31 - 1), ("hidden", 65), ("hidden", 0), ("hidden", -1),
        ("hidden", 2**17), ("intermediate", 129), ("intermediate", 0), ("intermediate", 2**31 - 1),
        ("heads", 8), ("heads", 3), ("heads", 0), ("kv_heads", 3), ("kv_heads", 0), ("kv_heads", -2),
        ("head_size", 7), ("head_size", 0), ("head_size", 34), ("head_size", 258), ("vocabulary", 2**23),
        ("vocabulary", 0), ("vocabulary", 1000), ("pages", PAGES + 1), ("pages", -1), ("pages", 2**31 - 1),
        ("cache_type", 0), ("cache_type", 2),
    ],
)  # fmt: skip
def test_a_model_whose_sizes_do_not_fit_its_arrays_is_refused(name: str, value: int, call: Call):
    true = getattr(call.model, name)
    set_size(**{name: value})(call)
    with pytest.raises(EngineError, match=r"a size|the weights|the KV cache"):
        call.run()
    set_size(**{name: true})(call)
    assert (call.run() >= 0).all()


MATRICES = ("qkv", "values", "output", "gate_up", "down", "embedding", "head")


def structure_of(call: Call, name: str) -> Any:  # noqa: ANN401 - one of the mirrors
    return getattr(call.model if name in {"embedding", "head"} else call.model.layer[1], name)


@pytest.mark.parametrize("dtype", ["int8", "bfloat16", "float32", "gguf"])
@pytest.mark.parametrize("name", MATRICES)
def test_a_matrix_that_does_not_fit_is_refused(name: str, dtype: Dtype, models: Mapping[Dtype, Path]):
    call = make_call(models[dtype], dtype)
    assert (call.run() >= 0).all()
    matrix = structure_of(call, name)
    if matrix.outputs == 0:  # the values, where they are with queries and keys
        matrix.outputs = 32
        with pytest.raises(EngineError, match="the weights"):
            call.run()
        return
    changes = [
        ("outputs", matrix.outputs + 32),
        ("inputs", matrix.inputs + 64),
        ("type", len(c.WEIGHT_TYPES)),
        ("type", -1),
    ]
    changes += [("outputs", 0), ("inputs", -64), ("data", None)]
    for attribute, value in changes:
        true = getattr(matrix, attribute)
        setattr(matrix, attribute, value)
        with pytest.raises(EngineError, match="the weights"):
            call.run()
        setattr(matrix, attribute, true)
    refuse_when_shorter(call, matrix.bytes, [size for size in range(3) if matrix.bytes[size]], "the weights")


def test_vectors_and_caches_that_are_too_short_are_refused(call: Call):
    refuse_when_shorter(call, call.model.layer[1].bytes, [0, 1], "the weights")
    refuse_when_shorter(call, call.model.bytes, [0, 1], "the weights")
    refuse_when_shorter(call, call.model.bytes, [3, 4], "the KV cache")


def refuse_when_shorter(call: Call, sizes: Any, indices: list[int], refusal: str) -> None:  # noqa: ANN401 - ctypes'
    for i in indices:
        sizes[i] -= 1
        with pytest.raises(EngineError, match=refusal):
            call.run()
        sizes[i] += 1
    assert (call.run() >= 0).all()


def test_a_position_that_the_rotation_lacks_is_refused(call: Call):
    one = 4 * call.model.head_size
    call.model.bytes[2] = 20 * one
    assert (call.run() >= 0).all()
    call.model.bytes[2] -= 1
    with pytest.raises(EngineError, match="a position"):
        call.run()


def test_too_little_scratch_memory_and_no_threads_are_refused(call: Call):
    assert (call.run() >= 0).all()
    call.scratch_bytes -= 1
    with pytest.raises(EngineError, match="scratch memory"):
        call.run()
    call.scratch_bytes, call.workers = call.scratch_bytes + 1, False
    with pytest.raises(EngineError, match="threads"):
        call.run()


@pytest.mark.parametrize("tokens", [-1, 2**13 + 1, 2**31 - 1])
def test_scratch_memory_for_steps_without_end_is_not_promised(tokens: int, call: Call):
    scratch_bytes = c.load_library().decoder_scratch_bytes
    assert 0 < scratch_bytes(ctypes.byref(call.model), 2**13) < 2**27
    with pytest.raises(EngineError, match="a size"):
        scratch_bytes(ctypes.byref(call.model), tokens)


@pytest.mark.parametrize(("source", "target"), [(0, PAGES), (PAGES, 0), (-1, 0), (0, -1)])
def test_a_page_that_the_cache_lacks_is_not_copied(source: int, target: int, call: Call):
    copy = c.load_library().decoder_copy_page
    assert copy(ctypes.byref(call.model), 0, PAGES - 1) == 0
    with pytest.raises(EngineError, match="no such page"):
        copy(ctypes.byref(call.model), source, target)


def test_a_runner_whose_arrays_are_gone_computes_no_more(tiny_model_dir: Path):
    """The kernels would read memory that was freed."""
    one = open_runner(tiny_model_dir, "int8")
    sequence = one.open()
    assert one.step([Chunk(sequence, [1], [GREEDY])])[0]
    one.release()
    with pytest.raises(EngineError, match="refused"):
        one.step([Chunk(sequence, [1], [GREEDY])])


def test_kernels_with_other_structures_are_not_used(tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch):
    path = Path(c.load_library()._name)
    assert c.open_library(path)

    class Longer(c.Step):
        _fields_ = (("more", ctypes.c_int64),)

    monkeypatch.setattr(c, "Step", Longer)
    with pytest.raises(AttributeError, match="structures"):
        c.open_library(path)


#: Numbers that a description may hold by mistake.
MISTAKES = (
    -(2**31),
    -1,
    0,
    1,
    2,
    3,
    4,
    7,
    15,
    16,
    17,
    31,
    32,
    33,
    63,
    64,
    65,
    128,
    1024,
    2**16,
    2**24,
    2**31 - 1,
)
COUNTS = (
    "layers",
    "hidden",
    "intermediate",
    "heads",
    "kv_heads",
    "head_size",
    "vocabulary",
    "cache_type",
    "pages",
)


def make_mistake(call: Call, chosen: random.Random) -> None:
    """Change one number, and no length of an array to more than it has."""
    value = chosen.choice(MISTAKES)
    kind = chosen.randrange(4)
    if kind == 0:
        setattr(call.model, chosen.choice(COUNTS), value)
    elif kind == 1:
        matrix = structure_of(call, chosen.choice(MATRICES))
        setattr(matrix, chosen.choice(("outputs", "inputs", "type")), value)
    elif kind == 2:
        setattr(call, chosen.choice(("tokens", "wanted", "table_width", "sequences")), value)
    else:
        name = chosen.choice(("token_ids", "positions", "tables", "page_tables", "wanted_rows"))
        call.arrays[name].flat[chosen.randrange(call.arrays[name].size)] = value


def outcome_of(models: Mapping[Dtype, Path], number: int) -> str:
    """Make one to three mistakes, which are the same for the same number, and compute."""
    dtype: Dtype = "gguf" if number % 2 else "int8"
    call, chosen = make_call(models[dtype], dtype), random.Random(number)
    for _ in range(chosen.randrange(1, 4)):
        make_mistake(call, chosen)
    try:
        call.run()
    except EngineError:
        return "refused"
    return "computed"


@pytest.mark.slow
def test_mistakes_are_refused_or_harmless(models: Mapping[Dtype, Path]):
    counted = Counter(outcome_of(models, number) for number in range(600))
    assert counted["refused"] > 300
    assert counted["computed"] > 20
