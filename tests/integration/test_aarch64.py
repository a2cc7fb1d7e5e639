"""The kernels on ARM with 64 bits, in an emulator: the same checks as on this machine's processor.

They need a cross compiler and QEMU, which ``make emulators`` installs.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from copilot_server.engine.backends.cpu import library
from copilot_server.engine.backends.cpu.layout import Dtype
from tests.support.emulation import AARCH64, EmulatedLibrary, EmulatedProbes, Emulator, Target
from tests.support.kernels import use_instruction_set
from tests.support.tiny_gguf import MIXED, build_tiny_gguf
from tests.unit.engine.backends.cpu import test_attention, test_elementwise, test_gguf_blocks
from tests.unit.engine.backends.cpu.test_kernels import (  # noqa: F401 - the tests of this module
    test_a_choice_does_not_depend_on_which_others_are_wanted,
    test_a_gguf_file_gives_what_transformers_makes_of_it,
    test_float32_gives_what_transformers_gives,
    test_nothing_depends_on_how_a_prompt_is_cut,
    test_smaller_numbers_stay_near,
)

NEEDED = {command for target in AARCH64 for command in (target.compiler, target.runner[0])}
MISSING = sorted(command for command in NEEDED if not shutil.which(command))
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]
INSTRUCTION_SETS = ("neon", "portable")

# All tests of what the kernels inline.
for tests in (test_attention, test_elementwise, test_gguf_blocks):
    globals().update({name: test for name, test in vars(tests).items() if name.startswith("test_")})


@pytest.fixture(scope="module", params=AARCH64, ids=lambda target: target.compiler)
def emulator(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    target: Target = request.param
    started = target.start(tmp_path_factory.mktemp("aarch64"))
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


def test_dot_products_are_chosen_where_the_processor_has_them(emulator: Emulator):
    assert EmulatedLibrary(emulator).decoder_isa() == b"neon"
