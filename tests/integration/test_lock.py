"""What the extension installs: the lock file fits pyproject.toml, is complete, and pins files by hash."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts import bundle, lock, wheels
from tests.support.paths import REPOSITORY

TEXT = (REPOSITORY / "requirements.lock").read_text("utf-8")
CONSTRAINTS = (REPOSITORY / "constraints.txt").read_text("utf-8")
PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
REMEDY = "requirements.lock is out of date: run `make lock`"


def without(package: str) -> str:
    """The lock file without a package."""
    shorter = re.sub(rf"(?m)^{package}==.*\n(?:    .*\n)*", "", TEXT)
    assert shorter != TEXT
    return shorter


def with_dependency(requirement: str) -> dict[str, object]:
    """pyproject.toml with one more dependency, in place of that of the same name."""
    name = Requirement(requirement).name
    kept = [one for one in PYPROJECT["project"]["dependencies"] if Requirement(one).name != name]
    return PYPROJECT | {"project": PYPROJECT["project"] | {"dependencies": [*kept, requirement]}}


def without_dependency(name: str) -> dict[str, object]:
    kept = [one for one in PYPROJECT["project"]["dependencies"] if Requirement(one).name != name]
    assert len(kept) < len(PYPROJECT["project"]["dependencies"])
    return PYPROJECT | {"project": PYPROJECT["project"] | {"dependencies": kept}}


def lacking(text: str) -> set[str]:
    """What the installed packages that the lock file names ask for here, and it does not have."""
    applying = {one.name: one for one in lock.read(text) if _applies(one.requirement)}
    wanted: set[str] = set()
    for name in applying:
        try:
            asked = distribution(name).requires or []
        except PackageNotFoundError:  # such as CUDA's libraries, where torch is that for CPUs
            continue
        wanted |= {canonicalize_name(one.name) for one in map(Requirement, asked) if _applies(one)}
    return wanted - set(applying)


def _applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def test_the_lock_file_is_that_of_pyproject_and_of_the_tested_versions():
    assert not lock.problems(TEXT, PYPROJECT, CONSTRAINTS), REMEDY


def test_all_that_the_packages_need_is_in_it():
    assert not lacking(TEXT), REMEDY
    assert lacking(without("mdurl")) == {"mdurl"}


@pytest.mark.parametrize("name", ["torch", "tokenizers", "setuptools"])
def test_a_package_that_it_lacks_is_found(name: str):
    assert lock.problems(without(name), PYPROJECT, CONSTRAINTS) == [f"{name} is not in it"]


@pytest.mark.parametrize(
    ("pyproject", "problem"),
    [
        (with_dependency("left-pad>=1"), "left-pad is not in it"),
        (with_dependency("torch>=99"), r"torch is [\d.]+, but pyproject.toml wants >=99"),
        (without_dependency("cattrs"), "cattrs is in it, but pyproject.toml does not ask for it any more"),
    ],
)
def test_a_change_of_pyproject_is_found(pyproject: dict[str, object], problem: str):
    (found,) = lock.problems(TEXT, pyproject, CONSTRAINTS)
    assert re.fullmatch(problem, found)


def test_a_change_of_the_tested_versions_is_found():
    changed = re.sub(r"(?m)^attrs==.*$", "attrs==1.0", CONSTRAINTS)
    (found,) = lock.problems(TEXT, PYPROJECT, changed)
    assert found.endswith("but constraints.txt has 1.0")
    # Tools of the development may change without it.
    assert not lock.problems(TEXT, PYPROJECT, re.sub(r"(?m)^ruff==.*$", "ruff==1.0", CONSTRAINTS))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("six==1.17.0", "six has no hash"),
        ("six>=1.16 \\\n    --hash=sha256:" + "0" * 64, "six is not pinned to a version"),
        ("six==1.* \\\n    --hash=sha256:" + "0" * 64, "six is not pinned to a version"),
        ("six @ https://example.com/six.whl \\\n    --hash=sha256:" + "0" * 64, "six is not pinned"),
        ("six==1.17.0 \\\n    --hash=md5:" + "0" * 32, "a line that is no hash"),
    ],
)
def test_what_would_be_installed_without_a_hash_is_found(line: str, problem: str):
    found = lock.problems(f"{TEXT}{line}\n    # via tokenizers\n", PYPROJECT, CONSTRAINTS)
    assert any(problem in one for one in found)


@pytest.mark.parametrize("option", ["--index-url https://example.com", "-e .", "git+https://example.com/x"])
def test_an_option_of_pip_is_no_package(option: str):
    assert lock.problems(f"{option}\n{TEXT}", PYPROJECT, CONSTRAINTS)


def test_an_entry_that_nothing_asks_for_is_found():
    extra = "six==1.17.0 \\\n    --hash=sha256:" + "0" * 64 + "\n"
    assert lock.problems(TEXT + extra, PYPROJECT, CONSTRAINTS) == ["six is in it, and nothing asks for it"]


def test_the_tools_of_the_release_are_pinned_too():
    packages = lock.read((REPOSITORY / "scripts/tools.lock").read_text("utf-8"))
    assert {"cyclonedx-bom", "pip-audit", "uv"} <= {one.name for one in packages}
    assert all(one.version and one.hashes for one in packages)


def test_the_lock_file_without_torch_has_all_that_the_other_packages_need():
    text = bundle.lock_files()[bundle.WITHOUT_TORCH]
    names = {one.name for one in lock.read(text)}
    assert not names & {"torch", "transformers", "accelerate", "triton", "sympy"}
    assert not [name for name in names if name.startswith(("nvidia-", "cuda-"))]
    assert {"numpy", "tokenizers", "pygls", "setuptools"} <= names
    assert not lacking(text)
    # What others need, too, is not left out with a package, and what only it needs is.
    assert "mdurl" not in {one.name for one in lock.read(lock.without(TEXT, {"markdown-it-py"}))}
    assert "mdurl" in {one.name for one in lock.read(lock.without(TEXT, {"rich"}, keep={"markdown-it-py"}))}


def test_the_sizes_are_known_for_every_platform_of_the_wheels():
    sizes = json.loads(bundle.SIZES.read_text("utf-8"))
    assert len(sizes) == len(wheels.PLATFORMS)
    for platform in sizes.values():
        assert platform["without torch"]["download_bytes"] < platform["with torch"]["download_bytes"]
