"""The kernels' tests run on the installed kernels, or on a build that an environment variable names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from copilot_server.engine.backends.cpu import library
from copilot_server.engine.backends.cpu.layout import Dtype
from tests.support.kernels import (
    LIBRARY_VARIABLE,
    Probes,
    available_compilers,
    available_instruction_sets,
    build_emulation,
    build_kernels,
    builds,
    can_emulate,
    emulated_instruction_sets,
    use_instruction_set,
)
from tests.support.tiny_gguf import MIXED, build_tiny_gguf


@pytest.fixture(scope="session", autouse=True)
def given_kernels() -> Iterator[None]:
    """Use the library that ``LIBRARY_VARIABLE`` names, such as one with sanitizers."""
    with pytest.MonkeyPatch.context() as patch:
        if given := os.environ.get(LIBRARY_VARIABLE):
            opened = library.open_library(Path(given))
            patch.setattr(library, "load_library", lambda: opened)
        yield


@pytest.fixture(scope="session", params=available_compilers())
def build(request: pytest.FixtureRequest) -> Path:
    """The kernels as each compiler of this machine builds them."""
    return build_kernels(request.param)


@pytest.fixture(scope="session")
def emulation() -> Path:
    """The kernels for every instruction set of x86-64, in instructions that this processor has."""
    if not can_emulate():
        pytest.skip("SIMD Everywhere (libsimde-dev) is not installed, which emulates instruction sets")
    return build_emulation()


@pytest.fixture(params=builds(), ids="-".join)
def probes(request: pytest.FixtureRequest) -> Probes:
    """The inlined functions of an instruction set."""
    compiler, isa = request.param
    if compiler == "emulation":
        return Probes(request.getfixturevalue("emulation"), isa)
    return Probes(build_kernels(compiler), isa)


@pytest.fixture(params=[*available_instruction_sets(), *emulated_instruction_sets()])
def isa(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Each instruction set; the kernels compute with it, or with its emulation."""
    if request.param in emulated_instruction_sets():
        opened = library.open_library(request.getfixturevalue("emulation"))
        monkeypatch.setattr(library, "load_library", lambda: opened)
    with use_instruction_set(request.param) as available:
        assert available
        yield request.param


@pytest.fixture(scope="session")
def models(tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[Dtype, Path]:
    """A model for each number format: a GGUF file for those of GGUF files."""
    gguf = build_tiny_gguf(tmp_path_factory.mktemp("gguf") / "mixed.gguf", MIXED)
    return {"float32": tiny_model_dir, "bfloat16": tiny_model_dir, "int8": tiny_model_dir, "gguf": gguf}
