"""Loading the compiled kernels, and choosing among the instruction sets that they are compiled for."""

from __future__ import annotations

import _ctypes
import ctypes
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from copilot_server.engine.backends import cpu
from copilot_server.engine.backends.cpu import library
from copilot_server.engine.backends.cpu.library import load_library
from copilot_server.errors import EngineError
from tests.support.kernels import (
    KERNELS,
    X86_INSTRUCTION_SETS,
    available_instruction_sets,
    use_instruction_set,
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where ``load_library`` looks, empty as yet."""
    load_library.cache_clear()
    monkeypatch.setattr(library, "__file__", str(tmp_path / "library.py"))
    yield tmp_path
    load_library.cache_clear()


def test_without_compiled_kernels_the_remedy_is_named(folder: Path):
    with pytest.raises(EngineError) as caught:
        load_library()
    assert "compiler" in (caught.value.remedy or "")


def test_an_older_versions_library_under_another_name_is_not_used(folder: Path):
    installed = Path(cpu.__file__).with_name(library.FILE)
    for suffix in EXTENSION_SUFFIXES[:-1]:
        (folder / f"_kernels{suffix}").symlink_to(installed)
    with pytest.raises(EngineError, match="were not compiled"):
        load_library()
    (folder / library.FILE).symlink_to(installed)
    assert load_library().decoder_isa()


def test_kernels_that_the_system_cannot_load_are_an_error_with_a_remedy(folder: Path):
    (folder / library.FILE).write_bytes(b"no library")
    with pytest.raises(EngineError, match="cannot be loaded") as caught:
        load_library()
    assert caught.value.remedy


def test_kernels_of_another_version_are_an_error_with_a_remedy(folder: Path):
    (folder / library.FILE).symlink_to(_ctypes.__file__)
    with pytest.raises(EngineError, match="another version's sources") as caught:
        load_library()
    assert caught.value.remedy


@pytest.mark.parametrize(("wanted", "shown"), [("portable", "portable"), ("mmx", "'mmx'")])
def test_the_environment_may_name_the_instruction_set(wanted: str, shown: str):
    code = f"import {library.__name__} as it; print(it.load_library().decoder_isa().decode())"
    environment = {**os.environ, "COPILOT_SERVER_ISA": wanted}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert (ran.returncode == 0) == (wanted == "portable")
    assert shown in (ran.stdout or ran.stderr)


def test_an_instruction_set_can_be_forced_and_one_that_is_not_there_cannot():
    best = load_library().decoder_isa().decode()
    assert best == available_instruction_sets()[0]
    with use_instruction_set("portable") as available:
        assert available
        assert load_library().decoder_isa() == b"portable"
    with use_instruction_set("none") as available:
        assert not available
    assert load_library().decoder_isa().decode() == best


def test_the_names_of_instruction_sets_are_those_of_the_kernels_and_documented():
    files = {path.stem.removeprefix("isa_") for path in KERNELS.glob("isa_*.c")}
    assert {*library.INSTRUCTION_SETS} == files
    documented = (KERNELS.parents[4] / "docs" / "settings.md").read_text("utf-8")
    (row,) = (line for line in documented.splitlines() if line.startswith("| `COPILOT_SERVER_ISA`"))
    assert {*re.findall(r"`(\w+)`", row)} == {"COPILOT_SERVER_ISA"} | files


def features() -> dict[str, int]:
    """The bits of isa.h, by the names that compilers use."""
    found = re.findall(r"FEATURE_(\w+) = 1 << (\d+)", (KERNELS / "isa.h").read_text())
    return {name.lower(): 1 << int(bit) for name, bit in found}


#: The names of features in Linux' list, where they are not those of compilers.
LISTED_AS = {"avx512_vnni": "avx512vnni", "avx_vnni": "avxvnni", "asimddp": "dotprod"}


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="the system does not list the features")
def test_the_fastest_set_that_the_system_lists_the_features_of_is_chosen():
    listed = re.search(r"(?m)^(?:flags|Features)\s*: (.*)", Path("/proc/cpuinfo").read_text())
    assert listed
    names = {LISTED_AS.get(name, name) for name in listed[1].split()}
    bits = sum(bit for name, bit in features().items() if name in names)
    assert load_library().decoder_isa() == load_library().decoder_isa_with(bits)


def compiled_for(name: str) -> set[str]:
    """The features that the compiler may use in an instruction set's file."""
    found = re.search(r'TARGET_BEGIN\("(.*)"\)', (KERNELS / f"isa_{name}.c").read_text())
    assert found
    return set(found[1].replace("-", "_").split(","))


@pytest.mark.parametrize("name", X86_INSTRUCTION_SETS)
def test_every_feature_that_a_file_is_compiled_for_is_looked_for(name: str):
    """avx2 was chosen on processors without F16C, which its file uses too."""
    bits = features()
    needed = compiled_for(name)
    choose = load_library().decoder_isa_with
    if choose(ctypes.c_uint32(sum(bits.values()))).decode() not in X86_INSTRUCTION_SETS:
        assert not {*available_instruction_sets()} & {*X86_INSTRUCTION_SETS}  # another kind of processor
        return
    assert choose(sum(bits[feature] for feature in needed)).decode() == name
    for missing in needed:
        assert choose(sum(bits[feature] for feature in needed - {missing})).decode() != name
