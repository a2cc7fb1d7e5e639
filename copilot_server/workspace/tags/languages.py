"""The languages that are read by tags queries: their suffixes, their grammars, and which belong together."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from copilot_server.workspace.summary import FileSummary
from copilot_server.workspace.tags import grammars
from copilot_server.workspace.tags.heads import summarizer

#: Languages whose files use each other's definitions, by the language ids of documents.
FAMILIES: Mapping[str, str] = {
    **dict.fromkeys(("typescript", "typescriptreact", "javascript", "javascriptreact"), "script"),
    "go": "go",
    "rust": "rust",
    "java": "java",
    "c": "c",
    "cpp": "c",
}
_GRAMMARS = {
    **dict.fromkeys((".ts", ".mts", ".cts"), (grammars.TYPESCRIPT, "script")),
    ".tsx": (grammars.TSX, "script"),
    **dict.fromkeys((".js", ".jsx", ".mjs", ".cjs"), (grammars.JAVASCRIPT, "script")),
    ".go": (grammars.GO, "go"),
    ".rs": (grammars.RUST, "rust"),
    ".java": (grammars.JAVA, "java"),
    ".c": (grammars.C, "c"),
    **dict.fromkeys((".cc", ".cpp", ".cxx", ".hh", ".hpp", ".hxx"), (grammars.CPP, "c")),
}
_HEADER = ".h"
#: What a header of C++ has and one of C has not.
_CPP = re.compile(
    r"^[ \t]*(?:class|namespace|template|using|public:|private:|protected:)|\w::\w", re.MULTILINE
)
_AS_C, _AS_CPP = summarizer(grammars.C, "c"), summarizer(grammars.CPP, "c")


def _summarize_header(text: str) -> FileSummary:
    return (_AS_CPP if _CPP.search(text) else _AS_C)(text)


#: The function that reads a file's text, by the suffix of the file's name. It never raises.
SUMMARIZERS: Mapping[str, Callable[[str], FileSummary]] = {
    **{suffix: summarizer(*of) for suffix, of in _GRAMMARS.items()},
    _HEADER: _summarize_header,
}
_FAMILY_OF = {suffix: family for suffix, (_, family) in _GRAMMARS.items()} | {_HEADER: "c"}


def family_of(path: str) -> str:
    """Return the family of the language of a file; "" if it has none."""
    return _FAMILY_OF.get(path[path.rfind(".") :], "")
