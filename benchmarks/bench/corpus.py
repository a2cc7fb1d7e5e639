"""Functions of Python's standard library, taken out of their files to be typed back.

What is kept of a choice is its seed: no text of the library is copied.
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
    """A file and the function in it that is typed: ``text[start:end]``, whole lines."""

    module: str
    function: str
    text: str
    start: int
    end: int

    def document(self, typed: int) -> str:
        """The file when the first ``typed`` code points of the function stand in it."""
        return self.text[: self.start + typed] + self.text[self.end :]

    @cached_property
    def source(self) -> str:
        """The function."""
        return self.text[self.start : self.end]

    @property
    def uri(self) -> str:
        """The file as an editor would name it."""
        return f"file:///bench/{self.module}.py"


@dataclass(frozen=True, slots=True)
class Place:
    """A moment of the recording: the cursor stands after ``typed`` code points of the function."""

    passage: Passage
    typed: int

    @property
    def offset(self) -> int:
        """The cursor, in code points from the beginning of the document."""
        return self.passage.start + self.typed

    @property
    def document(self) -> str:
        """The document's text."""
        return self.passage.document(self.typed)


def choose_passages(count: int, seed: int) -> list[Passage]:
    """Draw ``count`` functions, each from another file."""
    draw = random.Random(seed)
    files = list(_library())
    draw.shuffle(files)
    passages = []
    for path in files:
        candidates = list(_functions(path))
        if candidates:
            passages.append(draw.choice(candidates))
        if len(passages) == count:
            break
    return passages


def library_texts(seed: int) -> Iterator[str]:
    """The library's files, in an order drawn with ``seed``."""
    files = list(_library())
    random.Random(seed).shuffle(files)
    return (path.read_text("utf-8") for path in files)


def _library() -> Iterator[Path]:
    """The modules of the standard library that are plain ASCII and of the right length."""
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
    """Functions and methods by their qualified names; none that are defined inside of functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{scope}{child.name}", child
        elif isinstance(child, ast.ClassDef):
            yield from _definitions(child, f"{scope}{child.name}.")
