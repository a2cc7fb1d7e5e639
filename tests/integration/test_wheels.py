"""The wheels of ``make wheels``: what is in them, what their libraries compute, and a completion by one.

The libraries for Linux and Windows run on this processor, in QEMU and in Wine; those for macOS are only read.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from copilot_server.engine.backends.cpu.library import INSTRUCTION_SETS, load_library
from scripts import bundle, wheels
from scripts.checks import CheckError
from scripts.wheels import PLATFORMS, Platform
from tests.support.installed_wheel import install
from tests.support.kernels import KERNELS
from tests.support.lsp_client import inline_params, running_server
from tests.support.paths import REPOSITORY
from tests.support.shared_libraries import SharedLibrary, read_library

STEP = REPOSITORY / "tests" / "support" / "kernel_programs" / "step.c"
NAMES = [platform.tag for platform in PLATFORMS]
X86_LINUX, ARM_LINUX, ARM_MACOS, X86_MACOS, WINDOWS = PLATFORMS
#: What library.py calls.
FUNCTIONS = {"pool_open", "pool_close", "decoder_isa", "decoder_isa_with", "decoder_use_isa"} | {
    "decoder_structures",
    "decoder_scratch_bytes",
    "decoder_step",
    "decoder_copy_page",
    "decoder_pack",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Mapping[Platform, Path]:
    """Every platform's wheel."""
    folder = tmp_path_factory.mktemp("wheels")
    bundle.build("build_sdist", folder)
    (sdist,) = folder.glob("*.tar.gz")
    return dict(zip(PLATFORMS, wheels.build_all(sdist, folder), strict=True))


@pytest.fixture(scope="module")
def libraries(
    built: Mapping[Platform, Path], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[Platform, Path]:
    """The library of every wheel."""
    found = {}
    for platform, wheel in built.items():
        with zipfile.ZipFile(wheel) as archive:
            name = (wheels.CPU / platform.library).as_posix()
            found[platform] = Path(archive.extract(name, tmp_path_factory.mktemp(platform.tag)))
    return found


def read(path: Path) -> SharedLibrary:
    return read_library(path.read_bytes())


@pytest.mark.long
@pytest.mark.parametrize("platform", PLATFORMS, ids=NAMES)
def test_a_library_is_what_its_wheel_is_for(platform: Platform, libraries: Mapping[Platform, Path]):
    library = read(libraries[platform])
    system = platform.target.split("-")[1].split(".")[0]
    assert library.format == {"linux": "ELF", "macos": "Mach-O", "windows": "PE"}[system]
    assert library.machine == platform.target.split("-")[0]
    assert library.exports >= FUNCTIONS


@pytest.mark.long
@pytest.mark.parametrize("platform", [X86_LINUX, ARM_LINUX], ids=lambda one: one.tag)
def test_no_newer_glibc_is_needed_than_the_tag_promises(
    platform: Platform, libraries: Mapping[Platform, Path], tmp_path: Path
):
    library = read(libraries[platform])
    assert library.system <= (2, 17)
    assert library.needs <= {"libc.so.6", "libm.so.6", "libpthread.so.0"}
    newer = Platform(platform.target.replace("2.17", "2.34"), platform.tag, platform.library)
    assert read(wheels.compile_library(newer, REPOSITORY, tmp_path)).system == (2, 34)


@pytest.mark.long
@pytest.mark.parametrize("platform", [ARM_MACOS, X86_MACOS], ids=lambda one: one.tag)
def test_a_library_for_macos_needs_its_system_alone(platform: Platform, libraries: Mapping[Platform, Path]):
    library = read(libraries[platform])
    assert (library.system, library.needs) == ((11, 0), {"/usr/lib/libSystem.B.dylib"})
    # On ARM, macOS loads no library without a signature.
    assert library.signed or platform is X86_MACOS


@pytest.mark.long
def test_a_library_for_windows_needs_its_system_alone(libraries: Mapping[Platform, Path]):
    needs = read(libraries[WINDOWS]).needs
    assert {name for name in needs if not name.startswith("api-ms-win-crt-")} == {"KERNEL32.dll"}


def steps(program: Path, library: Path, runner: Sequence[str | Path] = ()) -> dict[str, str]:
    """What a library computes with each instruction set that the processor, or its emulator, has."""
    command = [*runner, program, library, *INSTRUCTION_SETS]
    environment = os.environ | {"WINEPREFIX": str(program.parent / "wine"), "WINEDEBUG": "-all"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    lines = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    return {name: line for name, line in lines.items() if line != "absent"}


def tokens(steps: Mapping[str, str]) -> dict[str, str]:
    """What was computed, without the hashes of all bits."""
    return {name: line.rpartition(" ")[0] for name, line in steps.items()}


def compile_step(target: str, program: Path) -> Path:
    # With the options of the libraries, since zig compiles the system's for each degree of optimization.
    wheels.zig("-target", target, "-O3", *wheels.OPTIONS, f"-I{KERNELS}", STEP, "-o", program)
    return program


@pytest.fixture(scope="module")
def expected(libraries: Mapping[Platform, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the library for this processor computes."""
    program = compile_step(X86_LINUX.target, tmp_path_factory.mktemp("step") / "step")
    return steps(program, libraries[X86_LINUX])


@pytest.mark.long
def test_a_wheels_library_computes_what_the_installed_one_does(expected: dict[str, str], tmp_path: Path):
    program = compile_step(X86_LINUX.target, tmp_path / "step")
    installed = steps(program, Path(load_library()._name))
    assert expected == installed
    assert next(iter(installed)) == load_library().decoder_isa().decode()
    # The numbers differ where anything is computed in another order.
    assert len(set(installed.values())) == len(installed)


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("qemu-aarch64"), reason="QEMU is not installed")
def test_the_library_for_arm_computes_the_same(
    expected: dict[str, str], libraries: Mapping[Platform, Path], tmp_path: Path
):
    program = compile_step(ARM_LINUX.target, tmp_path / "step")
    found = steps(program, libraries[ARM_LINUX], ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"])
    assert set(found) == {"neon", "portable"}
    assert found["portable"] == expected["portable"]


WINE = next(filter(None, map(shutil.which, ("wine64", "wine", "/usr/lib/wine/wine64"))), None)


@pytest.mark.long
@pytest.mark.skipif(WINE is None, reason="Wine is not installed")
def test_the_library_for_windows_computes_the_same_tokens(
    expected: dict[str, str], libraries: Mapping[Platform, Path], tmp_path: Path
):
    assert WINE is not None
    program = compile_step(WINDOWS.target, tmp_path / "step.exe")
    found = steps(program, libraries[WINDOWS], [WINE])
    # The same tokens. The last bits differ, since expf and logf are those of another C library.
    assert tokens(found) == tokens(expected)
    assert len(set(tokens(found).values())) == len(found)


CODE = "def fibonacci(n: int) -> int:\n    if n < 2:\n        return n\n    return fibonacci(n - 1) + "


@pytest.mark.long
@pytest.mark.model
async def test_an_installed_wheel_completes_without_a_compiler_and_without_torch(
    built: Mapping[Platform, Path], tmp_path: Path
):
    programs = install(wheels.for_this_machine(list(built.values())), tmp_path / "environment")
    environment = os.environ | {"PATH": str(programs)}
    assert not any(shutil.which(name, path=str(programs)) for name in ("cc", "gcc", "clang"))
    python = str(programs / "python")
    missing = subprocess.run([python, "-c", "import torch"], capture_output=True, text=True, check=False)
    assert "No module named 'torch'" in missing.stderr

    async def completed() -> str:
        program = (str(programs / "copilot-server"),)
        model = ("--model", "qwen2.5-coder-0.5b")
        async with running_server(*model, program=program, python=python, environment=environment) as client:
            await client.initialize()
            uri = client.open(CODE)
            place = inline_params(uri, 3, len(CODE.splitlines()[3]), invoked=True)
            answer = await client.request("textDocument/inlineCompletion", place)
            assert await client.shut_down() == 0
        return "".join(item["insertText"] for item in answer["items"])

    assert "fibonacci(n - 2)" in await completed()
    (library,) = programs.parent.glob("lib/*/site-packages/copilot_server/engine/backends/cpu/_kernels.*")
    library.unlink()
    assert await completed() == ""
    bench = [programs / "copilot-server", "bench", "--model", "qwen2.5-coder-0.5b"]
    said = subprocess.run(bench, capture_output=True, text=True, env=environment, check=False)
    assert said.returncode != 0
    assert "needs PyTorch here" in said.stderr
    assert "Traceback" not in said.stderr


class TestCheck:
    """What the script itself looks for in a wheel."""

    @staticmethod
    def wheel(folder: Path, name: str, *libraries: str) -> Path:
        path = folder / f"copilot_server-1.0-py3-none-{name}.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for library in libraries:
                archive.writestr(f"copilot_server/engine/backends/cpu/{library}", b"library")
        return path

    def test_a_wheel_for_its_platform_is_fit(self, tmp_path: Path):
        wheels.check(self.wheel(tmp_path, "win_amd64", "_kernels.dll"), WINDOWS, b"library")

    @pytest.mark.parametrize(
        ("name", "libraries", "content", "problem"),
        [
            ("linux_x86_64", ["_kernels.dll"], b"library", "not for win_amd64"),
            ("win_amd64", [], b"library", "lacks"),
            ("win_amd64", ["_kernels.so"], b"library", "lacks"),
            ("win_amd64", ["_kernels.dll", "_kernels.so"], b"library", "has .*_kernels.so"),
            ("win_amd64", ["_kernels.dll"], b"another", "another library"),
        ],
    )
    def test_any_other_is_not(
        self, name: str, libraries: list[str], content: bytes, problem: str, tmp_path: Path
    ):
        with pytest.raises(CheckError, match=problem):
            wheels.check(self.wheel(tmp_path, name, *libraries), WINDOWS, content)

    def test_the_wheel_for_this_machine_is_found(self):
        paths = [Path(f"copilot_server-1.0-py3-none-{one.tag}.whl") for one in PLATFORMS]
        other = "win_amd64" if os.name != "nt" else "manylinux_2_17_x86_64"
        assert other not in wheels.for_this_machine(paths).name
        with pytest.raises(CheckError, match="no wheel fits"):
            wheels.for_this_machine([Path(f"copilot_server-1.0-py3-none-{other}.whl")])
