"""The kernels on ARM with 64 bits, in an emulator: the same checks as on this machine's processor.

They need a cross compiler and QEMU, which ``make emulators`` installs.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from benchmarks.instructions.counting import counting, of_product
from copilot_server.engine.backends.cpu import library
from copilot_server.engine.backends.cpu.layout import Dtype
from tests.support.emulation import AARCH64_COMPILERS, EmulatedLibrary, EmulatedProbes, Emulator, aarch64
from tests.support.gguf_blocks import random_blocks
from tests.support.kernels import use_instruction_set
from tests.support.packed_reference import PACK_BLOCKS
from tests.support.tiny_gguf import MIXED, build_tiny_gguf
from tests.unit.engine.backends.cpu import test_attention, test_elementwise, test_gguf_blocks
from tests.unit.engine.backends.cpu.test_kernels import (  # noqa: F401 - the tests of this module
    test_a_choice_does_not_depend_on_which_others_are_wanted,
    test_a_gguf_file_gives_what_transformers_makes_of_it,
    test_float32_gives_what_transformers_gives,
    test_nothing_depends_on_how_a_prompt_is_cut,
    test_smaller_numbers_stay_near,
)

MISSING = [command for command in (*AARCH64_COMPILERS, "qemu-aarch64") if not shutil.which(command)]
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]
INSTRUCTION_SETS = ("i8mm", "neon", "portable")

# All tests of what the kernels inline.
for tests in (test_attention, test_elementwise, test_gguf_blocks):
    globals().update({name: test for name, test in vars(tests).items() if name.startswith("test_")})


@pytest.fixture(scope="module", params=AARCH64_COMPILERS)
def emulator(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    started = aarch64(request.param).start(tmp_path_factory.mktemp("aarch64"))
    yield started
    started.close()


@pytest.fixture(params=INSTRUCTION_SETS)
def probes(request: pytest.FixtureRequest, emulator: Emulator) -> EmulatedProbes:
    return EmulatedProbes(emulator, request.param)


@pytest.fixture(params=INSTRUCTION_SETS)
def isa(request: pytest.FixtureRequest, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An instruction set for whole steps of a model."""
    emulated = EmulatedLibrary(emulator)
    monkeypatch.setattr(library, "load_library", lambda: emulated)
    with use_instruction_set(request.param) as available:
        assert available
        assert emulated.decoder_isa() == request.param.encode()
        yield request.param


@pytest.fixture(scope="session")
def models(tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[Dtype, Path]:
    gguf = build_tiny_gguf(tmp_path_factory.mktemp("gguf") / "mixed.gguf", MIXED)
    return {"float32": tiny_model_dir, "bfloat16": tiny_model_dir, "int8": tiny_model_dir, "gguf": gguf}


@pytest.mark.parametrize(
    ("processor", "expected"), [("cortex-a53", b"portable"), ("cortex-a76", b"neon"), ("max", b"i8mm")]
)
def test_the_fastest_instruction_set_of_the_processor_is_chosen(
    processor: str, expected: bytes, tmp_path: Path
):
    emulator = aarch64(AARCH64_COMPILERS[0], processor).start(tmp_path)
    assert EmulatedLibrary(emulator).decoder_isa() == expected
    emulator.close()


@pytest.mark.parametrize("kind", ["int8", *test_gguf_blocks.KINDS])
def test_products_of_pairs_of_rows_are_those_of_dot_products(kind: str, emulator: Emulator):
    """To the last bit: only whole numbers are added in another order."""
    draw, scales = np.random.default_rng(1), None
    if kind == "int8":
        whole = draw.integers(-127, 128, (64, 512), np.int8)
        packed, scales = test_gguf_blocks.pack_int8(whole, draw.integers(0x3C00, 0x3D00, (64, 8), np.uint16))
    else:
        packed = PACK_BLOCKS[kind](random_blocks(kind.upper(), 64, 512))
    x = draw.standard_normal((7, 512)).astype(np.float32)
    i8mm, neon, portable = (
        EmulatedProbes(emulator, isa).product(packed, kind, 512, x, scales) for isa in INSTRUCTION_SETS
    )
    assert (i8mm == neon).all()
    assert (i8mm != portable).any()  # which rounds sums of floats once more


@pytest.mark.parametrize(("isa", "most"), [("i8mm", 13), ("neon", 12), ("portable", 21)])
def test_no_number_format_takes_many_times_the_instructions_of_another(isa: str, most: float):
    """For 32 products of a prompt. A loop that gcc had made of single bytes took 139."""
    with counting(AARCH64_COMPILERS[0]) as counter:
        for kind in ("int8", *test_gguf_blocks.KINDS):
            assert of_product(counter, isa, kind, 60) < most, kind
            # The twin: something is counted. Each instruction multiplies at most 32 pairs.
            assert of_product(counter, isa, kind, 60) > 1
