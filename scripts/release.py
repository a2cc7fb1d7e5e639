"""Builds sdist, wheels and .vsix into ``dist/``, and checks the one for this machine in a clean environment.

The wheels are built from the sdist, so that the sdist is known to be complete. The one that fits this machine
is installed into a virtual environment of its own, outside the repository, and asked for its version, its
models and its kernels. Beside them are lists of all that they consist of (SBOM), about which the advisory
databases are asked first.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import shutil
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from copilot_server import __version__  # noqa: E402 - the repository's own
from scripts import audit, bundle, gallery, neovim, sbom, wheels  # noqa: E402
from scripts.checks import DIST, VSCODE, CheckError, require, run  # noqa: E402

EXTENSION = VSCODE / "copilot-server.vsix"

IN_SDIST = ("models/qwen2.5-coder-0.5b.toml", "setup.py", "pyproject.toml", "LICENSE", "README.md")
IN_WHEEL = ("copilot_server/_models/qwen2.5-coder-0.5b.toml", "copilot_server/cli/main.py")
SERVER = f"server/copilot_server-{__version__}.tar.gz"
LOCKS = tuple(f"server/{name}" for name in (bundle.LOCK.name, bundle.WITHOUT_TORCH, bundle.UV))
IN_EXTENSION = (
    "package.json",
    "dist/extension.js",
    "media/icon.png",
    "readme.md",
    "LICENSE.txt",
    "changelog.md",
    "dist/web.js",
    "server/sizes.json",
    SERVER,
    *LOCKS,
)
#: Prints where the installed package is, its models and its kernels.
ASK = """
import json, pathlib
import copilot_server
from copilot_server.catalog import all_manifests
from copilot_server.engine.backends.cpu.library import load_library
print(json.dumps({
    "file": copilot_server.__file__,
    "models": [manifest.id for manifest in all_manifests()],
    "kernels": load_library().decoder_isa().decode(),
}))
"""


def build_sdist() -> Path:
    """Build the sdist of the repository and check what is in it."""
    bundle.build("build_sdist", DIST)
    (path,) = DIST.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    kernels = ROOT / "copilot_server/engine/backends/cpu/kernels"
    sources = [str(one.relative_to(ROOT)) for one in kernels.glob("*.[ch]")]
    require(names, [*IN_SDIST, *sources], path.name)
    return path


def build_wheels(sdist: Path) -> list[Path]:
    """Build every platform's wheel from the sdist alone and check what is in it."""
    built = wheels.build_all(sdist, DIST)
    models = [f"copilot_server/_models/{manifest.name}" for manifest in (ROOT / "models").glob("*.toml")]
    for path in built:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        require(names, [*IN_WHEEL, *models], path.name)
        if any(name.startswith(("tests/", "benchmarks/", "scripts/")) for name in names):
            raise CheckError(f"{path.name} contains more than the package")
    return built


def build_extension(sdist: Path, wheels: Sequence[Path], repository: str) -> Path:
    """Package the VS Code extension and check what is in it, the server and its lock files among it.

    ``repository``: the URL that the galleries show, and that the README's pictures come from; may be empty.
    """
    EXTENSION.unlink(missing_ok=True)
    os.environ["COPILOT_SERVER_WHEELS"] = str(DIST)
    os.environ["COPILOT_SERVER_REPOSITORY"] = repository
    run(ROOT / "tests/editors/vscode.sh", "package")
    path = DIST / f"copilot-server-{__version__}.vsix"
    shutil.copy(EXTENSION, path)
    with zipfile.ZipFile(path) as archive:
        names = [name.removeprefix("extension/") for name in archive.namelist()]
        version = json.loads(archive.read("extension/package.json"))["version"]
        check_bundled(archive, sdist)
        check_wheels(archive, wheels)
        gallery.check(archive, published=bool(repository))
    require(names, IN_EXTENSION, path.name)
    if any(name.endswith(".ts") or "node_modules" in name for name in names):
        raise CheckError(f"{path.name} contains sources or node_modules")
    if version != __version__:
        raise CheckError(f"{path.name} has version {version}, but the server has {__version__}")
    return path


def check_bundled(extension: zipfile.ZipFile, sdist: Path) -> None:
    """Check that the extension has this server and these lock files in it.

    Raises:
        CheckError: it has another one, or none.
    """
    names = [name.removeprefix("extension/") for name in extension.namelist()]
    require(names, [SERVER, *LOCKS], "the extension")
    for name, text in bundle.lock_files().items():
        if extension.read(f"extension/server/{name}").decode() != text:
            raise CheckError(f"the extension has another {name} than the repository")
    if contents(extension.read(f"extension/{SERVER}")) != contents(sdist.read_bytes()):
        raise CheckError("the server in the extension is not that of the sdist")


def check_wheels(extension: zipfile.ZipFile, wheels: Sequence[Path]) -> None:
    """Check that the extension has these wheels in it, and no others.

    Raises:
        CheckError: it has not.
    """
    names = {name for name in extension.namelist() if name.endswith(".whl")}
    if names != {f"extension/server/{wheel.name}" for wheel in wheels}:
        raise CheckError(f"the extension has other wheels than the release: {', '.join(sorted(names))}")
    for wheel in wheels:
        if extension.read(f"extension/server/{wheel.name}") != wheel.read_bytes():
            raise CheckError(f"the extension has another {wheel.name} than the release")


def contents(sdist: bytes) -> dict[str, str]:
    """Return the hash of each file of an sdist, whose times differ each time that it is built."""
    with tarfile.open(fileobj=io.BytesIO(sdist)) as archive:
        files = ((member.name, archive.extractfile(member)) for member in archive if member.isfile())
        return {name: hashlib.sha256(file.read()).hexdigest() for name, file in files if file is not None}


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
    print(f"The kernels that were installed compute with {said['kernels']}.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Build and check everything; return the exit code."""
    options = _options(arguments)
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    try:
        _audit(options)
        with tempfile.TemporaryDirectory() as folder:
            sdist = build_sdist()
            built = build_wheels(sdist)
            build_extension(sdist, built, options.repository)
            neovim.pack(DIST)
            sbom.write_all(__version__)
            check_wheel(wheels.for_this_machine(built), Path(folder))
    except CheckError as error:
        print(f"Not fit for release: {error}.", file=sys.stderr)
        return 1
    for path in sorted(DIST.iterdir()):
        print(f"{path.stat().st_size:>10,}  {path.relative_to(ROOT)}")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="ID",
        help="a vulnerability that does not matter here",
    )
    parser.add_argument(
        "--unaudited", action="store_true", help="go on where the advisory databases cannot be asked"
    )
    parser.add_argument("--repository", default=_repository(), help="the URL of the public repository")
    return parser.parse_args(arguments)


def _repository() -> str:
    """Return the repository's URL, where a workflow of GitHub's runs; it is not known elsewhere."""
    name = os.environ.get("GITHUB_REPOSITORY", "")
    return f"{os.environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{name}" if name else ""


def _audit(options: argparse.Namespace) -> None:
    try:
        audit.check(options.accept)
    except audit.NotAuditedError as error:
        if not options.unaudited:
            raise audit.NotAuditedError(f"{error}; --unaudited goes on without an audit") from error
        print(f"NOT AUDITED: {error}.", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
