"""Makes ``requirements.lock``: every package that the server needs, with the hashes of its files.

The VS Code extension installs from it with ``pip install --require-hashes``. It holds for every system and
every Python that ``pyproject.toml`` allows, has the versions of ``constraints.txt`` where that names one, and
contains what builds the server: nothing at all is installed without a hash. ``problems`` tells whether
it is current.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts import tools  # noqa: E402 - the repository's own

LOCK = ROOT / "requirements.lock"
INDEX = "https://pypi.org/simple"
#: How uv names the two sources of requirements: the project and its build backend, which it reads from stdin.
OUR_OWN = frozenset({"copilot-server (pyproject.toml)", "-r -"})
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Locked:
    """A package of a lock file."""

    requirement: Requirement
    hashes: int
    #: What asks for it, as in the comment.
    via: frozenset[str]

    @property
    def name(self) -> str:
        """Its normalized name."""
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str:
        """The version that it is pinned to; empty if it is not pinned to exactly one."""
        clauses = list(self.requirement.specifier)
        pinned = len(clauses) == 1 and clauses[0].operator == "==" and "*" not in clauses[0].version
        return clauses[0].version if pinned else ""


def read(text: str) -> list[Locked]:
    """Read the packages of a lock file as ``make lock`` writes it.

    Raises:
        ValueError: it has a line that is no package, such as an option that names an index.
    """
    packages = []
    for block in _blocks(text):
        lines = [line.strip().removesuffix("\\").strip() for line in block.splitlines()]
        comments = [line.removeprefix("#").strip() for line in lines if line.startswith("#")]
        code = [line for line in lines if line and not line.startswith("#")]
        if not code:
            continue
        if not all(_HASH.fullmatch(line) for line in code[1:]):
            raise ValueError(f"the lock file has a line that is no hash: {code[1:]}")
        via = ", ".join(comments).removeprefix("via").strip(" ,").split(", ")
        packages.append(Locked(Requirement(code[0]), len(code) - 1, frozenset(filter(None, via))))
    return packages


def _blocks(text: str) -> list[str]:
    """The parts of a lock file, one for each package, and the comments at its beginning."""
    return re.split(r"\n(?=\S)", text.strip())


def only(text: str, names: Collection[str]) -> str:
    """Return a lock file with these packages alone."""
    blocks = [block for block in _blocks(text) if any(one.name in names for one in read(block))]
    return "\n".join([*blocks, ""])


def without(text: str, names: Collection[str], keep: Collection[str] = ()) -> str:
    """Return a lock file without these packages, and without those that only they need.

    ``keep``: packages that stay, whoever needs them.
    """
    dropped = set(names)
    packages = read(text)
    while True:
        more = {one.name for one in packages if _needed_by(one) and _needed_by(one) <= dropped}
        if more - set(keep) <= dropped:
            return only(text, {one.name for one in packages} - dropped)
        dropped |= more - set(keep)


def _needed_by(package: Locked) -> set[str]:
    return {via.partition("[")[0] for via in package.via if not via.startswith("-c ")}


def requirements(pyproject: Mapping[str, object]) -> list[Requirement]:
    """Return what ``pyproject.toml`` asks for, to run the server and to build it."""
    project, build = pyproject["project"], pyproject["build-system"]
    if not isinstance(project, dict) or not isinstance(build, dict):
        raise TypeError("pyproject.toml has no project or no build system")
    return [Requirement(one) for one in (*project["dependencies"], *build["requires"])]


def problems(lock: str, pyproject: Mapping[str, object], constraints: str) -> list[str]:
    """Return why a lock file is not what ``make lock`` would make of these files; nothing if it is."""
    try:
        packages = read(lock)
    except ValueError as error:
        return [str(error)]
    return [
        *_badly_pinned(packages),
        *_other_than_wanted(packages, requirements(pyproject)),
        *_other_than_constrained(packages, _pins(constraints)),
    ]


def _badly_pinned(packages: Iterable[Locked]) -> Iterable[str]:
    for package in packages:
        if not package.version or package.requirement.url:
            yield f"{package.name} is not pinned to a version"
        if not package.hashes:
            yield f"{package.name} has no hash"


def _other_than_wanted(packages: list[Locked], wanted: list[Requirement]) -> Iterable[str]:
    locked = {package.name: package for package in packages}
    names = {canonicalize_name(one.name) for one in wanted}
    for one in wanted:
        package = locked.get(canonicalize_name(one.name))
        if package is None:
            yield f"{one.name} is not in it"
        elif not one.specifier.contains(package.version, prereleases=True):
            yield f"{one.name} is {package.version}, but pyproject.toml wants {one.specifier}"
    for package in packages:
        if package.via & OUR_OWN and package.name not in names:
            yield f"{package.name} is in it, but pyproject.toml does not ask for it any more"
        if not package.via:
            yield f"{package.name} is in it, and nothing asks for it"


def _other_than_constrained(packages: Iterable[Locked], pins: Mapping[str, str]) -> Iterable[str]:
    for package in packages:
        if pins.get(package.name, package.version) != package.version:
            yield f"{package.name} is {package.version}, but constraints.txt has {pins[package.name]}"


def _pins(constraints: str) -> dict[str, str]:
    lines = [line for line in constraints.splitlines() if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}


def compile_lock(inputs: Path, output: Path, more: str, *options: str) -> None:
    """Write ``output`` from the requirements in ``inputs`` and ``more``, by uv.

    The index is PyPI, whatever the user's own configuration names: the hashes hold for its files.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
    command = [tools.tool("uv"), "pip", "compile", inputs.relative_to(ROOT), "-", "--no-config", "--quiet"]
    shape = ["--universal", "--generate-hashes", "--annotation-style", "line", "--default-index", INDEX]
    written = ["--custom-compile-command", "make lock", "--output-file", output.relative_to(ROOT)]
    whole = [*command, *shape, *written, *options]
    subprocess.run(
        whole, cwd=ROOT, env=environment, input=more, text=True, check=True, stdout=subprocess.DEVNULL
    )


def main() -> int:
    """Write both lock files, and measure what is fetched by them; return the exit code."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    oldest = pyproject["project"]["requires-python"].removeprefix(">=")
    build = "\n".join(pyproject["build-system"]["requires"])
    constraints = ("--constraints", "constraints.txt")
    compile_lock(ROOT / "pyproject.toml", LOCK, build, "--python-version", oldest, *constraints)
    compile_lock(tools.INPUTS, tools.LOCK, "", "--python-version", oldest)
    return subprocess.run([sys.executable, ROOT / "scripts/sizes.py"], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
