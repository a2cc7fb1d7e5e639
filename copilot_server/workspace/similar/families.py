"""Families of languages: code is looked for only in files of the document's own family.

Languages are those in which the server knows the sign of a comment, since prompts show code as comments.
Formats of data and configuration are left out: what is written there is seldom code, and often private.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """``code``: two letters for the index. ``languages``: language ids. ``suffixes``: of names of files."""

    code: str
    languages: tuple[str, ...]
    suffixes: tuple[str, ...]


_C = ("c", "cpp", "cuda-cpp", "objective-c", "objective-cpp")
_JAVASCRIPT = ("javascript", "javascriptreact", "typescript", "typescriptreact")

FAMILIES = (
    Family("py", ("python",), (".py", ".pyi")),
    Family("js", _JAVASCRIPT, (".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts")),
    Family("cc", _C, (".c", ".h", ".cc", ".hh", ".cpp", ".hpp", ".cxx", ".hxx", ".cu", ".cuh", ".m", ".mm")),
    Family("go", ("go",), (".go",)),
    Family("rs", ("rust",), (".rs",)),
    Family("ja", ("java",), (".java",)),
    Family("kt", ("kotlin",), (".kt", ".kts")),
    Family("sc", ("scala",), (".scala",)),
    Family("gr", ("groovy",), (".groovy", ".gradle")),
    Family("cs", ("csharp",), (".cs",)),
    Family("fs", ("fsharp",), (".fs", ".fsx")),
    Family("sw", ("swift",), (".swift",)),
    Family("da", ("dart",), (".dart",)),
    Family("ph", ("php",), (".php",)),
    Family("rb", ("ruby",), (".rb", ".rake")),
    Family("sh", ("shellscript",), (".sh", ".bash", ".zsh")),
    Family("ps", ("powershell",), (".ps1", ".psm1")),
    Family("pl", ("perl",), (".pl", ".pm")),
    Family("rr", ("r",), (".r", ".R")),
    Family("jl", ("julia",), (".jl",)),
    Family("ex", ("elixir",), (".ex", ".exs")),
    Family("hs", ("haskell",), (".hs",)),
    Family("el", ("elm",), (".elm",)),
    Family("lu", ("lua",), (".lua",)),
    Family("sq", ("sql",), (".sql",)),
    Family("zi", ("zig",), (".zig",)),
    Family("so", ("solidity",), (".sol",)),
    Family("pr", ("proto3",), (".proto",)),
    Family("st", ("scss", "less"), (".scss", ".less")),
    Family("cm", ("cmake",), (".cmake",)),
    Family("ni", ("nix",), (".nix",)),
)

#: The families by the suffixes of files, and by language ids.
BY_SUFFIX: Mapping[str, Family] = {suffix: one for one in FAMILIES for suffix in one.suffixes}
BY_LANGUAGE: Mapping[str, Family] = {language: one for one in FAMILIES for language in one.languages}
SUFFIXES = tuple(BY_SUFFIX)


def family_of(path: str) -> Family | None:
    """Return the family of a file; None if it is in no language that is known."""
    dot = path.rfind(".")
    return BY_SUFFIX.get(path[dot:]) if dot >= 0 else None
