"""Which names of a Python file another file of the same repository defines.

Names that only may come from another file do not count: those of star imports, those that the file binds
again, and those that the other file has from elsewhere itself.
"""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath

#: Folders of sources that are no packages themselves.
_SOURCE_ROOTS = ("", "src")
#: How many re-exports are followed from an import to the definition.
_MAX_HOPS = 8


def parse(text: str) -> ast.Module | None:
    """Return the syntax tree of a Python file, or None if it has none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of invalid escapes, as in "\d"
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


class Modules:
    """The modules of a repository, and what each defines."""

    def __init__(self, paths: Iterable[str], read: Callable[[str], str | None]) -> None:
        self._paths = {path for path in paths if path.endswith(".py")}
        self._read = read
        self._by_name: dict[str, str] = {}
        for path in sorted(self._paths):
            for name in self._names(path):
                self._by_name.setdefault(name, path)
        self._trees: dict[str, ast.Module | None] = {}

    def foreign_names(self, path: str, tree: ast.Module) -> dict[str, str]:
        """Return the dotted names in the file at ``path`` that other files define, with the file of each."""
        found: dict[str, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= self._imported(node)
            elif isinstance(node, ast.ImportFrom):
                found |= self._imported_from(node, path)
        rebound = _bound(tree)
        return {
            name: origin
            for name, origin in found.items()
            if origin != path and name.partition(".")[0] not in rebound
        }

    def _imported(self, node: ast.Import) -> dict[str, str]:
        names = {alias.asname or alias.name: self._by_name.get(alias.name) for alias in node.names}
        return {name: origin for name, origin in names.items() if origin is not None}

    def _imported_from(self, node: ast.ImportFrom, path: str) -> dict[str, str]:
        module = self._module(node, path)
        if module is None:
            return {}
        origins = {alias.asname or alias.name: self._origin(module, alias.name) for alias in node.names}
        return {name: origin for name, origin in origins.items() if origin is not None}

    def _module(self, node: ast.ImportFrom, path: str) -> str | None:
        """Return the dotted name of the module that a ``from`` names, as in ``_by_name``."""
        if not node.level:
            return node.module
        folder = PurePosixPath(path).parent
        for _ in range(node.level - 1):
            folder = folder.parent
        target = folder / (node.module or "").replace(".", "/")
        for file in (f"{target}.py", str(target / "__init__.py")):
            if file in self._paths:
                return next(iter(self._names(file)), None)
        return None

    def _origin(self, module: str, name: str, hops: int = _MAX_HOPS) -> str | None:
        """Return the file that defines ``name`` of a module, or is the submodule of that name."""
        path = self._by_name.get(module)
        submodule = self._by_name.get(f"{module}.{name}")
        if path is None:
            return submodule
        tree = self._tree(path)
        if tree is None or not hops:
            return None
        for node in _top_level(tree):
            if name in _defined(node):
                return path
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if (alias.asname or alias.name) == name and (inner := self._module(node, path)):
                        return self._origin(inner, alias.name, hops - 1)
        return submodule

    def _tree(self, path: str) -> ast.Module | None:
        if path not in self._trees:
            text = self._read(path)
            self._trees[path] = None if text is None else parse(text)
        return self._trees[path]

    def _names(self, path: str) -> Iterator[str]:
        """Yield the dotted names by which a file can be imported, the one from its package's top first."""
        module = PurePosixPath(path).with_suffix("")
        parts = module.parts[:-1] if module.name == "__init__" else module.parts
        top = len(module.parts) - 1
        while top > 0 and "/".join((*module.parts[:top], "__init__.py")) in self._paths:
            top -= 1
        for root in (top, *(len(PurePosixPath(root).parts) for root in _SOURCE_ROOTS if _is_in(path, root))):
            name = ".".join(parts[root:])
            if name and name.partition(".")[0] not in sys.stdlib_module_names:
                yield name


def dotted(node: ast.expr) -> str:
    """Return ``a.b.c`` for such an expression; empty for others."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (value := dotted(node.value)):
        return f"{value}.{node.attr}"
    return ""


def _is_in(path: str, root: str) -> bool:
    return not root or path.startswith(f"{root}/")


def _top_level(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield the statements of a module, also those under ``if`` and ``try``."""
    waiting: list[ast.stmt] = list(reversed(tree.body))
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If | ast.Try):
            inner = [*node.body, *node.orelse]
            inner += node.finalbody if isinstance(node, ast.Try) else []
            waiting.extend(reversed(inner))


def _defined(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Assign):
        return {target.id for target in node.targets if isinstance(target, ast.Name)}
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return {node.target.id}
    return set()


def _bound(tree: ast.Module) -> set[str]:
    """Return the names that a file binds other than by imports, in any scope."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
    return names
