"""Builds sdist, wheel and .vsix into ``dist/`` and checks each in a clean environment.

The wheel is built from the sdist, so that the sdist is known to be complete. It is installed into a virtual
environment of its own, outside the repository, and asked for its version, its models and its kernels.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from copilot_server import __version__  # noqa: E402 - the repository's own

DIST = ROOT / "dist"
EXTENSION = ROOT / "editors" / "vscode" / "copilot-server.vsix"

IN_SDIST = ("models/qwen2.5-coder-0.5b.toml", "setup.py", "pyproject.toml", "LICENSE", "README.md")
IN_WHEEL = ("copilot_server/_models/qwen2.5-coder-0.5b.toml", "copilot_server/cli/main.py")
IN_EXTENSION = ("package.json", "dist/extension.js", "media/icon.png", "readme.md", "LICENSE.txt")
#: Prints where the installed package is, its models and its kernels.
ASK = """
import json, pathlib
import copilot_server
from copilot_server.catalog import all_manifests
kernels = sorted(pathlib.Path(copilot_server.__file__).parent.glob("engine/backends/cpu/_kernels*"))
print(json.dumps({
    "file": copilot_server.__file__,
    "models": [manifest.id for manifest in all_manifests()],
    "kernels": [path.name for path in kernels],
}))
"""


class CheckError(Exception):
    """What was built is not what it should be."""


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Run a command and return what it printed; its errors go to the terminal."""
    print("+", *command, flush=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def require(names: Iterable[str], wanted: Sequence[str], what: str) -> None:
    """Check that an archive has all files that are wanted.

    Raises:
        CheckError: naming those that it lacks.
    """
    lacking = set(wanted) - set(names)
    if lacking:
        raise CheckError(f"{what} lacks {', '.join(sorted(lacking))}")


def build_sdist() -> Path:
    """Build the sdist of the repository and check what is in it."""
    _build("build_sdist", ROOT)
    (path,) = DIST.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    kernels = ROOT / "copilot_server/engine/backends/cpu/kernels"
    sources = [str(one.relative_to(ROOT)) for one in kernels.glob("*.[ch]")]
    require(names, [*IN_SDIST, *sources], path.name)
    return path


def build_wheel(sdist: Path, folder: Path) -> Path:
    """Build the wheel from the sdist alone and check what is in it."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (unpacked,) = folder.iterdir()
    _build("build_wheel", unpacked)
    (path,) = DIST.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    models = [f"copilot_server/_models/{manifest.name}" for manifest in (ROOT / "models").glob("*.toml")]
    require(names, [*IN_WHEEL, *models], path.name)
    if any(name.startswith(("tests/", "benchmarks/", "scripts/")) for name in names):
        raise CheckError(f"{path.name} contains more than the package")
    return path


def _build(hook: str, source: Path) -> None:
    """Call setuptools as any front end of PEP 517 does, in a process of its own."""
    code = f"from setuptools.build_meta import {hook}; {hook}({str(DIST)!r})"
    run(sys.executable, "-c", code, cwd=source)


def build_extension() -> Path:
    """Package the VS Code extension and check what is in it."""
    EXTENSION.unlink(missing_ok=True)
    run(ROOT / "tests/editors/vscode.sh", "package")
    path = DIST / f"copilot-server-{__version__}.vsix"
    shutil.copy(EXTENSION, path)
    with zipfile.ZipFile(path) as archive:
        names = [name.removeprefix("extension/") for name in archive.namelist()]
        version = json.loads(archive.read("extension/package.json"))["version"]
    require(names, IN_EXTENSION, path.name)
    if any(name.endswith(".ts") or "node_modules" in name for name in names):
        raise CheckError(f"{path.name} contains sources or node_modules")
    if version != __version__:
        raise CheckError(f"{path.name} has version {version}, but the server has {__version__}")
    return path


def check_wheel(wheel: Path, folder: Path) -> None:
    """Install the wheel into a clean environment and ask what was installed."""
    run(sys.executable, "-m", "venv", folder / "venv")
    python, program = folder / "venv/bin/python", folder / "venv/bin/copilot-server"
    constraints = ROOT / "constraints.txt"
    run(python, "-m", "pip", "install", "--quiet", "--constraint", constraints, wheel, cwd=folder)
    check_installed(python, program, folder)


def check_installed(python: Path, program: Path, folder: Path) -> None:
    """Check the package that is installed in an environment.

    Raises:
        CheckError: it is not the one that was built, or something of it is missing.
    """
    if not run(program, "--version", cwd=folder).strip().endswith(__version__):
        raise CheckError(f"the installed program does not have version {__version__}")
    said = json.loads(run(python, "-c", ASK, cwd=folder))
    if Path(said["file"]).is_relative_to(ROOT):
        raise CheckError("the repository was imported instead of the installed package")
    require(said["models"], [path.stem for path in (ROOT / "models").glob("*.toml")], "the catalogue")
    listed = json.loads(run(program, "models", "--json", cwd=folder))
    require([model["id"] for model in listed], said["models"], "`copilot-server models`")
    if not said["kernels"]:
        if shutil.which("gcc") or shutil.which("clang"):
            raise CheckError("there is a C compiler, but the wheel has no kernels")
        print("Without a C compiler the wheel has no kernels: it decodes with transformers.")


def main() -> int:
    """Build and check everything; return the exit code."""
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    try:
        with tempfile.TemporaryDirectory() as folder:
            sources, clean = Path(folder, "sources"), Path(folder, "clean")
            clean.mkdir()
            wheel = build_wheel(build_sdist(), sources)
            build_extension()
            check_wheel(wheel, clean)
    except CheckError as error:
        print(f"Not fit for release: {error}.", file=sys.stderr)
        return 1
    for path in sorted(DIST.iterdir()):
        print(f"{path.stat().st_size:>10,}  {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
