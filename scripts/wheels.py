"""Builds a wheel for each platform into ``dist/``, with the kernels compiled for it by zig's C compiler.

A machine needs no compiler to install one. zig comes from the package index, by its hash
(``scripts/tools.lock``), with the headers and libraries of every system, so that one machine builds all of
them. The kernels choose the instruction set when they are loaded: a library runs on every processor of its
kind.
"""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.tags import sys_tags
from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts import bundle, tools  # noqa: E402 - the repository's own
from scripts.checks import DIST, CheckError, require  # noqa: E402

CPU = Path("copilot_server/engine/backends/cpu")
#: Where zig keeps what it has compiled of the systems' libraries.
CACHE = ROOT / ".cache" / "zig"


@dataclass(frozen=True)
class Platform:
    """A system and a processor: zig's name for them, the wheel's tag, and the library's file name."""

    target: str
    tag: str
    library: str


#: The version behind "gnu" is the oldest glibc that the library may need, which the tag promises.
PLATFORMS = (
    Platform("x86_64-linux-gnu.2.17", "manylinux_2_17_x86_64", "_kernels.so"),
    Platform("aarch64-linux-gnu.2.17", "manylinux_2_17_aarch64", "_kernels.so"),
    Platform("aarch64-macos.11.0", "macosx_11_0_arm64", "_kernels.dylib"),
    Platform("x86_64-macos.11.0", "macosx_11_0_x86_64", "_kernels.dylib"),
    Platform("x86_64-windows-gnu", "win_amd64", "_kernels.dll"),
)
#: For the oldest processor of a kind, without checks that zig adds by itself, and without debugging symbols.
OPTIONS = ("-mcpu=baseline", "-fno-sanitize=undefined", "-s")


def zig(*arguments: str | Path) -> None:
    """Run zig's C compiler.

    Raises:
        subprocess.CalledProcessError: it fails.
    """
    command = [tools.tool("python"), "-P", "-m", "ziglang", "cc", *arguments]
    subprocess.run(command, env=os.environ | {"ZIG_GLOBAL_CACHE_DIR": str(CACHE)}, check=True)


def compile_library(platform: Platform, source: Path, folder: Path) -> Path:
    """Compile the kernels of the checkout or sdist ``source`` for a platform into ``folder``."""
    flags = runpy.run_path(str(source / "setup.py"))["COMPILE_ARGS"]
    shared = ["-shared"] if platform.library.endswith(".dll") else ["-shared", "-fPIC"]
    output = folder / platform.library
    sources = sorted((source / CPU / "kernels").glob("*.c"))
    zig("-target", platform.target, *flags, *OPTIONS, *shared, *sources, "-o", output, "-lm")
    return output


def build_wheel(platform: Platform, source: Path, folder: Path) -> Path:
    """Build a platform's wheel from the unpacked sdist ``source`` into ``folder``, and check it."""
    # Of another platform's wheel, setuptools would take the library that lies there for this one's.
    shutil.rmtree(source / "build", ignore_errors=True)
    with tempfile.TemporaryDirectory() as temporary:
        library = compile_library(platform, source, Path(temporary))
        settings = {"--build-option": [f"--plat-name={platform.tag}"]}
        bundle.build("build_wheel", Path(temporary), source, settings, library)
        (wheel,) = Path(temporary).glob("*.whl")
        check(wheel, platform, library.read_bytes())
        return Path(shutil.move(wheel, folder))


def check(wheel: Path, platform: Platform, content: bytes) -> None:
    """Check that a wheel is for a platform and any Python 3, and has that platform's library alone in it.

    ``content``: that library.

    Raises:
        CheckError: it is, or has, something else.
    """
    if not wheel.name.endswith(f"-py3-none-{platform.tag}.whl"):
        raise CheckError(f"{wheel.name} is not for {platform.tag}")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        library = (CPU / platform.library).as_posix()
        require(names, [library], wheel.name)
        if archive.read(library) != content:
            raise CheckError(f"{wheel.name} has another library than was compiled for it")
    libraries = [name for name in names if Path(name).suffix in {".so", ".dylib", ".dll", ".pyd"}]
    if libraries != [library]:
        raise CheckError(f"{wheel.name} has {', '.join(libraries)}")


def build_all(sdist: Path, folder: Path) -> list[Path]:
    """Build every platform's wheel from the sdist alone into ``folder``."""
    wheels = []
    with tempfile.TemporaryDirectory() as temporary:
        with tarfile.open(sdist) as archive:
            archive.extractall(temporary, filter="data")
        (source,) = Path(temporary).iterdir()
        for platform in PLATFORMS:
            print(f"Building the wheel for {platform.tag}.", flush=True)
            wheels.append(build_wheel(platform, source, folder))
    return wheels


def for_this_machine(wheels: Sequence[Path]) -> Path:
    """Return the wheel that pip would choose here.

    Raises:
        CheckError: none fits.
    """
    supported = set(sys_tags())
    for wheel in wheels:
        if parse_wheel_filename(wheel.name)[3] & supported:
            return wheel
    raise CheckError(f"no wheel fits this machine: {', '.join(wheel.name for wheel in wheels)}")


def main() -> int:
    """Build the sdist and the wheels; return the exit code."""
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    bundle.build("build_sdist", DIST)
    (sdist,) = DIST.glob("*.tar.gz")
    for wheel in build_all(sdist, DIST):
        print(f"{wheel.stat().st_size:>10,}  {wheel.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
