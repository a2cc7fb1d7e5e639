"""The kernels in another program give what they give in this one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from copilot_server.engine.backends.cpu import library
from tests.support.cpu_runner import greedy_choices, open_runner, random_tokens
from tests.support.emulation import EmulatedLibrary, EmulatedProbes, Emulator, Target
from tests.support.kernels import Probes, available_compilers, build_kernels, use_instruction_set

COMPILER = available_compilers()[0]


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    """One that needs none, since the program is for this processor."""
    started = Target(COMPILER).start(tmp_path)
    yield started
    started.close()


def test_a_function_gives_what_it_gives_here(emulator: Emulator):
    x = np.linspace(-5, 5, 64, dtype=np.float32)
    here, there = Probes(build_kernels(COMPILER), "portable"), EmulatedProbes(emulator, "portable")
    for probes in (here, there):
        assert (probes.map("exp", np.float32, x) == here.map("exp", np.float32, x)).all()
        assert (probes.rms_norm(x, x, 0.5) == here.rms_norm(x, x, 0.5)).all()
    assert (there.rms_norm(x, x, 0.5) != here.rms_norm(x, x, 0.25)).any()


def test_a_function_that_is_not_there_ends_the_program(emulator: Emulator):
    with pytest.raises(AssertionError, match="has ended: 1"):
        emulator.call("none")
    assert not emulator.is_open


def test_whole_steps_give_what_they_give_here(
    emulator: Emulator, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
):
    prompt = random_tokens(40)
    with use_instruction_set("portable"):
        expected = greedy_choices(open_runner(tiny_model_dir, "int8"), prompt, [30, 10])
    emulated = EmulatedLibrary(emulator)
    monkeypatch.setattr(library, "load_library", lambda: emulated)
    with use_instruction_set("portable") as available:
        assert available
        runner = open_runner(tiny_model_dir, "int8")
        assert runner.instruction_set == "portable"
        assert greedy_choices(runner, prompt, [30, 10]) == expected
        assert greedy_choices(runner, random_tokens(40, seed=1), [30, 10]) != expected
