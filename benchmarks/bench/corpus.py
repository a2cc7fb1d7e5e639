"""Functions of Python's standard library that are removed from their files and typed back.

A seed determines the choice, so no text of the library is copied.
"""

from __future__ import annotations

import ast
import random
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

FEWEST_LINES, MOST_LINES = 100, 2000
FUNCTION_LINES = range(8, 61)


@dataclass(frozen=True)
class Passage:
    """A file and the function in it that is typed, ``text[start:end]``, which has whole lines."""

    module: str
    function: str
    text: str
    start: int
    end: int

    def document(self, typed: int) -> str:
        """Return the file with only the first ``typed`` code points of the function."""
        return self.text[: self.start + typed] + self.text[self.end :]

    @cached_property
    def source(self) -> str:
        """The text of the function."""
        return self.text[self.start : self.end]

    @property
    def uri(self) -> str:
        """The URI of the file in an editor."""
        return f"file:///bench/{self.module}.py"


@dataclass(frozen=True, slots=True)
class Position:
    """A state of the recording: the cursor is after the first ``typed`` code points of the function."""

    passage: Passage
    typed: int

    @property
    def offset(self) -> int:
        """The cursor in code points from the beginning of the document."""
        return self.passage.start + self.typed

    @property
    def document(self) -> str:
        """The text of the document."""
        return self.passage.document(self.typed)


def choose_passages(count: int, seed: int) -> list[Passage]:
    """Choose ``count`` functions at random, each from a different file."""
    rng = random.Random(seed)
    files = list(_library())
    rng.shuffle(files)
    passages = []
    for path in files:
        candidates = list(_functions(path))
        if candidates:
            passages.append(rng.choice(candidates))
        if len(passages) == count:
            break
    return passages


def library_texts(seed: int) -> Iterator[str]:
    """Return the texts of the library's files in a random order."""
    files = list(_library())
    random.Random(seed).shuffle(files)
    return (path.read_text("utf-8") for path in files)


def _library() -> Iterator[Path]:
    """Yield the modules of the standard library that are ASCII and have a suitable length."""
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        data = path.read_bytes()
        if data.isascii() and b"\t" not in data and FEWEST_LINES <= data.count(b"\n") <= MOST_LINES:
            yield path


def _functions(path: Path) -> Iterator[Passage]:
    text = path.read_text("utf-8")
    lines = text.splitlines(keepends=True)
    for name, node in _definitions(ast.parse(text), ""):
        first, last = min([node, *node.decorator_list], key=lambda part: part.lineno).lineno, node.end_lineno
        if last is not None and last - first + 1 in FUNCTION_LINES:
            start = len("".join(lines[: first - 1]))
            yield Passage(path.stem, name, text, start, len("".join(lines[:last])))


def _definitions(node: ast.AST, scope: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yield functions and methods with their qualified names, except those inside functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{scope}{child.name}", child
        elif isinstance(child, ast.ClassDef):
            yield from _definitions(child, f"{scope}{child.name}.")
