"""Lists of what the server and the extension consist of (SBOM), in CycloneDX's format, checked to be whole.

The server's has every package of ``requirements.lock`` with the hashes of its files, for every system; the
extension's has the packages that are bundled into it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scripts import lock, tools
from scripts.checks import DIST, ROOT, VSCODE, CheckError, npm, require, run

Bom = dict[str, Any]
_DEVELOPMENT = {"name": "cdx:npm:package:development", "value": "true"}


def write_all(version: str) -> tuple[Path, Path]:
    """Write the server's and the extension's into ``dist/``.

    Raises:
        CheckError: one of them lacks a package, or the hash of one.
    """
    packages = lock.read(lock.LOCK.read_text("utf-8"))
    server = with_graph(of_server(), packages, version)
    check_server(server, packages)
    extension = of_extension()
    check_extension(extension, json.loads((VSCODE / "package-lock.json").read_text("utf-8")))
    return (
        _write(server, DIST / f"copilot-server-{version}.cdx.json"),
        _write(extension, DIST / f"copilot-server-vscode-{version}.cdx.json"),
    )


def of_server() -> Bom:
    """Return the list of what ``requirements.lock`` names, by cyclonedx-py."""
    tool = tools.tool("cyclonedx-py")
    options = ("--pyproject", ROOT / "pyproject.toml", "--output-reproducible", "--of", "JSON")
    return json.loads(run(tool, "requirements", lock.LOCK, *options))  # type: ignore[no-any-return]


def of_extension() -> Bom:
    """Return the list of what is bundled into the extension, by npm."""
    flags = ("--sbom-format=cyclonedx", "--sbom-type=application", "--package-lock-only")
    return without_development(json.loads(run(npm(), "sbom", *flags, cwd=VSCODE)))


def without_development(bom: Bom) -> Bom:
    """Return a list of npm's without the packages that only development needs.

    npm's own ``--omit=dev`` leaves out those, too, that both need.
    """
    left_out = {one["bom-ref"] for one in bom["components"] if _DEVELOPMENT in one.get("properties", ())}
    components = [one for one in bom["components"] if one["bom-ref"] not in left_out]
    graph = [
        {"ref": one["ref"], "dependsOn": [ref for ref in one["dependsOn"] if ref not in left_out]}
        for one in bom["dependencies"]
        if one["ref"] not in left_out
    ]
    return bom | {"components": components, "dependencies": graph}


def with_graph(bom: Bom, packages: Iterable[lock.Locked], version: str) -> Bom:
    """Return the server's list with its version, and with who depends on whom, as the lock file has it."""
    packages = list(packages)
    root = bom["metadata"]["component"] | {"version": version}
    refs = {one["name"]: one["bom-ref"] for one in bom["components"]}
    edges: dict[str, list[str]] = {ref: [] for ref in (root["bom-ref"], *refs.values())}
    for package in packages:
        for via in package.via:
            source = root["bom-ref"] if via in lock.OUR_OWN else refs.get(via)
            if source is not None and package.name in refs:
                edges[source].append(refs[package.name])
    graph = [{"ref": ref, "dependsOn": sorted(found)} for ref, found in edges.items()]
    return bom | {"metadata": bom["metadata"] | {"component": root}, "dependencies": graph}


def check_server(bom: Bom, packages: Iterable[lock.Locked]) -> None:
    """Check that the server's list has all packages of the lock file, each with its hashes.

    Raises:
        CheckError: naming what it lacks.
    """
    packages = list(packages)
    require(_names(bom), [f"{one.name} {one.version}" for one in packages], "the server's SBOM")
    hashes = {one["name"]: _hashes(one) for one in bom["components"]}
    bare = [one.name for one in packages if hashes[one.name] != one.hashes]
    if bare:
        raise CheckError(f"the server's SBOM does not have all hashes of {', '.join(bare)}")


def check_extension(bom: Bom, package_lock: Mapping[str, Any]) -> None:
    """Check that the extension's list has all packages of its lock file that are not for development.

    Raises:
        CheckError: naming those that it lacks.
    """
    bundled = {
        path.rpartition("node_modules/")[2]: package["version"]
        for path, package in package_lock["packages"].items()
        if path and not package.get("dev")
    }
    if not bundled:
        raise CheckError("the extension's lock file names no packages")
    wanted = [f"{name} {version}" for name, version in bundled.items()]
    require(_names(bom), wanted, "the extension's SBOM")


def _names(bom: Bom) -> set[str]:
    full = (
        (f"{one.get('group', '')}/{one['name']}".lstrip("/"), one["version"]) for one in bom["components"]
    )
    return {f"{name} {version}" for name, version in full}


def _hashes(component: Mapping[str, Any]) -> int:
    return sum(len(one.get("hashes", ())) for one in component.get("externalReferences", ()))


def _write(bom: Bom, path: Path) -> Path:
    path.write_text(json.dumps(bom, indent=1, sort_keys=True) + "\n", "utf-8")
    return path
