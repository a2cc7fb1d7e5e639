"""The modules of a package as they are on disk: which there are, and which import which."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path


def modules_of(package: Path) -> dict[str, Path]:
    """Return the path of every module of ``package`` by its dotted name, packages included."""
    modules = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        modules[".".join(parts).removesuffix(".__init__")] = path
    return modules


def imports_of(modules: dict[str, Path]) -> dict[str, set[str]]:
    """Return, for each module, the others of ``modules`` that it imports anywhere: at its top, inside a
    function, or for type checkers only.
    """
    return {
        name: {target for target in _targets(path, modules) if target != name}
        for name, path in modules.items()
    }


def modules_in_circles(imports: dict[str, set[str]]) -> set[str]:
    """Return the modules that reach themselves by following imports."""
    return {name for name in imports if name in _reachable(name, imports)}


def _targets(path: Path, modules: dict[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import, which this check does not support"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                if submodule in modules:
                    yield submodule
                elif node.module in modules:
                    yield node.module


def _reachable(start: str, imports: dict[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        found = imports[waiting.pop()] - reached
        reached |= found
        waiting.extend(found)
    return reached
