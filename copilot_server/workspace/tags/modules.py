"""Which files an import means. What cannot be known without a build's configuration is found by the path."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from copilot_server.workspace.tags.text import word_set

#: What a relative import of a script may leave out, the typed languages first.
_SCRIPT_ENDINGS = (
    *("", ".ts", ".tsx", ".d.ts", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs"),
    *(f"/index{suffix}" for suffix in (".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mjs")),
)
_COMPILED = re.compile(r"\.([cm]?)js(x?)\Z")
#: Names of files that stand for their folder.
_FOLDERS = frozenset({"index", "mod", "lib", "main"})
_NOT_PARTS = frozenset({"", "@", "~", "crate", "self", "super", ".", ".."})
_MAX_ABOVE = 12
#: The first parts of what a language's standard library is imported by.
_RUST_STANDARD = frozenset({"std", "core", "alloc"})
_JAVA_STANDARD = frozenset({"java", "javax", "jdk", "kotlin", "scala"})
_GO_STANDARD = word_set(
    """
    archive bufio builtin bytes cmp compress container context crypto database debug embed encoding errors
    expvar flag fmt go hash html image index io iter log maps math mime net os path plugin reflect regexp
    runtime slices sort strconv strings structs sync syscall testing text time unicode unique unsafe weak
    """
)


def script_files(path: str, module: str) -> tuple[str, ...]:
    """Return the files that a relative import in the script at ``path`` may mean, the likeliest first."""
    base = os.path.normpath(os.path.join(os.path.dirname(path), module))  # noqa: PTH118, PTH120
    # TypeScript names the file that a module is compiled to.
    source = _COMPILED.sub(r".\1ts\2", base)
    bases = dict.fromkeys((source, base))
    return tuple(f"{one}{ending}" for one in bases for ending in _SCRIPT_ENDINGS)


def is_relative(module: str) -> bool:
    """Whether an import of a script names a file by its path from the importing one."""
    return module.startswith(("./", "../")) or module in {".", ".."}


def go_folders(path: str, module: str, folders: Sequence[str]) -> Iterator[str]:
    """Yield the folders that an import of Go in the file at ``path`` may mean, the likeliest first.

    The name of the module, which a ``go.mod`` file gives, is the beginning of the import.
    """
    parts = module.split("/")
    if parts[0] in _GO_STANDARD:
        return
    for above in list(_within(path, folders)):
        for skipped in range(1, len(parts) + 1):
            rest = parts[skipped:]
            # A module at the workspace's folder, or one whose folder has the name of its last part.
            yield "/".join((above, *rest)) if rest else above


def _within(path: str, folders: Sequence[str]) -> Iterator[str]:
    """Yield the folders above a path, the nearest first, up to a folder of the workspace."""
    folder = os.path.dirname(path)  # noqa: PTH120
    for _ in range(_MAX_ABOVE):
        yield folder
        if folder in folders or os.path.dirname(folder) == folder:  # noqa: PTH120
            return
        folder = os.path.dirname(folder)  # noqa: PTH120


def matched(path: str, module: str, family: str) -> int:
    """Return how many parts of an import's path are those of a file's path; 0 if it is another's."""
    if family == "c":
        return (
            len(module.split("/")) if path.endswith("/" + module.replace("../", "").removeprefix("./")) else 0
        )
    parts = [one.replace("-", "_") for one in re.split(r"::|[/.]", module)]
    if (family == "rust" and parts[0] in _RUST_STANDARD) or (family == "java" and parts[0] in _JAVA_STANDARD):
        return 0
    wanted = [one for one in parts if one not in _NOT_PARTS]
    have = [one.replace("-", "_") for one in parts_of(path)]
    if family == "rust":
        # Where a module stands in its crate is seldom told apart from what it re-exports.
        return sum(one in have for one in wanted) if wanted else 1
    have = have[:-1] if family == "java" else have
    count = 0
    while count < min(len(wanted), len(have)) and wanted[-1 - count] == have[-1 - count]:
        count += 1
    return count if count == len(wanted) or count >= (2 if family == "java" else 1) else 0


def parts_of(path: str) -> list[str]:
    """Return the folders and the name of a file, without its suffix or the name of a whole folder."""
    parts = list(PurePosixPath(path).parts[1:])
    parts[-1] = parts[-1].partition(".")[0]
    return parts[:-1] if parts[-1] in _FOLDERS else parts


def is_header(path: str) -> bool:
    """Whether a file of C or C++ is included by others."""
    return path.endswith((".h", ".hh", ".hpp", ".hxx"))
