"""The kernels under AddressSanitizer and UndefinedBehaviorSanitizer, and the pool under ThreadSanitizer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.fuzzing import SANITIZED_FUZZ_S, SECONDS_VARIABLE
from tests.support.kernels import (
    KERNELS,
    LIBRARY_VARIABLE,
    PROBES,
    SANITIZE,
    build_kernels,
    compile_kernels,
    first_gcc,
    sanitizer_environment,
)
from tests.support.paths import REPOSITORY

SOURCES = [KERNELS / "pool.c", PROBES / "pool_check.c"]
CPU_TESTS = REPOSITORY / "tests" / "unit" / "engine" / "backends" / "cpu"
#: The tests that reach the kernels.
SANITIZED = (
    "test_bounds.py",
    "test_corpus.py",
    "test_elementwise.py",
    "test_gguf_blocks.py",
    "test_kernels.py",
    "test_packer.py",
    "test_runner.py",
    "test_hostile_folders.py",
)


def check_pool(folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    program = folder / "pool_check"
    compile_kernels(first_gcc(), ["-O1", "-g", "-fsanitize=thread", *flags], SOURCES, program)
    environment = os.environ | {"TSAN_OPTIONS": "halt_on_error=1"}
    return subprocess.run([program, "200"], capture_output=True, text=True, env=environment, check=False)


def test_the_thread_pool_has_no_data_race(tmp_path: Path):
    done = check_pool(tmp_path)
    sys.stdout.write(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert "8 threads: 200 rounds" in done.stdout


def test_a_data_race_between_tasks_would_be_found(tmp_path: Path):
    done = check_pool(tmp_path, "-DRACE")
    assert done.returncode != 0
    assert "data race" in done.stderr


@pytest.fixture(scope="module")
def sanitized() -> dict[str, str]:
    """The environment of a process that uses kernels with sanitizers."""
    library = build_kernels(first_gcc(), SANITIZE)
    return os.environ | sanitizer_environment(first_gcc()) | {LIBRARY_VARIABLE: str(library)}


@pytest.mark.long
@pytest.mark.parametrize("module", SANITIZED)
def test_the_kernels_neither_leave_their_arrays_nor_rely_on_undefined_behaviour(
    module: str, sanitized: dict[str, str]
):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(CPU_TESTS / module)]
    done = subprocess.run(command, capture_output=True, text=True, env=sanitized, cwd=REPOSITORY, check=False)
    sys.stdout.write(done.stdout)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


#: The fuzzers whose models reach the kernels. Of GGUF files only those that the kernels read by themselves:
#: transformers, which reads the others, takes minutes to start under a sanitizer.
FUZZERS = (
    "test_hostile_models_for_as_long_as_fuzzers_run[config]",
    "test_hostile_models_for_as_long_as_fuzzers_run[safetensors]",
    "test_hostile_models_for_as_long_as_fuzzers_run[tokenizer]",
    "test_hostile_blocks_for_as_long_as_fuzzers_run",
)


@pytest.mark.long
@pytest.mark.parametrize("name", FUZZERS)
def test_no_hostile_model_makes_the_kernels_leave_their_arrays(name: str, sanitized: dict[str, str]):
    fuzzer = f"{CPU_TESTS / 'test_hostile_folders.py'}::{name}"
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-m", "long", "-p", "no:cacheprovider", fuzzer]
    environment = {SECONDS_VARIABLE: str(SANITIZED_FUZZ_S)} | sanitized
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=REPOSITORY, check=False
    )
    sys.stdout.write(done.stdout)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


READ_TOO_FAR = """
import os, numpy as np
from pathlib import Path
from tests.support.kernels import LIBRARY_VARIABLE, Probes
probes = Probes(Path(os.environ[LIBRARY_VARIABLE]), "portable")
probes._call("exp", np.zeros(16, np.float32), np.zeros(64, np.float32), {count})
"""


@pytest.mark.long
@pytest.mark.parametrize(("count", "found"), [(16, False), (64, True)])
def test_a_read_behind_an_array_would_be_found(count: int, found: bool, sanitized: dict[str, str]):
    command = [sys.executable, "-c", READ_TOO_FAR.format(count=count)]
    done = subprocess.run(command, capture_output=True, text=True, env=sanitized, cwd=REPOSITORY, check=False)
    assert ("heap-buffer-overflow" in done.stderr) == found, done.stderr[-3000:]
    assert (done.returncode != 0) == found
