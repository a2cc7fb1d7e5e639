"""Where a text can be taken out of a Python file, by its syntax tree and its tokens."""

from __future__ import annotations

import ast
import io
import keyword
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from copilot_server.evaluation.repository.imports import Modules, dotted, parse
from copilot_server.evaluation.repository.types import Hole, Kind, SourceFile

#: The longest body that is taken out, in lines.
MAX_BLOCK, MAX_BODY = 12, 30
#: Shorter words are not broken off in the middle.
MIN_WORD = 4

_Block = ast.If | ast.For | ast.AsyncFor | ast.While | ast.With | ast.AsyncWith | ast.Try
_NO_CODE = frozenset(
    {
        *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
        *(tokenize.ENCODING, tokenize.ENDMARKER),
    }
)


def python_holes(file: SourceFile, modules: Modules) -> list[Hole]:
    """Return where a text can be taken out, in the order of the file; nothing if it is not valid Python."""
    tree = parse(file.text)
    if tree is None or "\r" in file.text or "\f" in file.text:
        return []
    try:
        code = _Code(file.text, tree)
        lines = {*_cross_file(code, set(modules.foreign_names(file.path, tree))), *_any_line(code)}
    except (tokenize.TokenError, IndentationError, RecursionError):
        return []
    holes = [*lines, *_blocks(code), *_bodies(code)]
    return sorted(holes, key=lambda hole: (hole.start, hole.kind, hole.where))


@dataclass(frozen=True)
class _Code:
    """A file with the offsets of its lines, which are counted from 1."""

    text: str
    tree: ast.Module

    @cached_property
    def lines(self) -> list[str]:
        return ["", *self.text.split("\n")]

    @cached_property
    def starts(self) -> list[int]:
        starts = [0, 0]
        for line in self.lines[1:]:
            starts.append(starts[-1] + len(line) + 1)
        return starts

    @cached_property
    def tokens(self) -> list[tokenize.TokenInfo]:
        return list(tokenize.generate_tokens(io.StringIO(self.text).readline))

    @cached_property
    def code_lines(self) -> frozenset[int]:
        """The lines of code that may be suggested: no comments, docstrings, imports or long strings."""
        rows = {token.start[0] for token in self.tokens if token.type not in _NO_CODE}
        comments = {token.start[0] for token in self.tokens if token.type == tokenize.COMMENT}
        return frozenset(rows - comments - set(self._prose()))

    def offset(self, row: int, column_utf8: int) -> int:
        """Return the offset of a position in the syntax tree, whose columns are bytes."""
        line = self.lines[row]
        column = column_utf8 if line.isascii() else len(line.encode()[:column_utf8].decode())
        return self.starts[row] + column

    def line_end(self, row: int) -> int:
        return self.starts[row] + len(self.lines[row].rstrip())

    def indent_end(self, row: int) -> int:
        line = self.lines[row]
        return self.starts[row] + len(line) - len(line.lstrip())

    def _prose(self) -> Iterator[int]:
        """Yield the rows of imports, and those on which a statement is only a string or a string goes on."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import | ast.ImportFrom | ast.Expr | ast.Constant | ast.JoinedStr):
                last = node.end_lineno or node.lineno
                is_import = isinstance(node, ast.Import | ast.ImportFrom)
                is_string = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
                is_long = isinstance(node, ast.Constant | ast.JoinedStr) and last > node.lineno
                if is_import or is_string or is_long:
                    yield from range(node.lineno, last + 1)


def _cross_file(code: _Code, foreign: set[str]) -> Iterator[Hole]:
    """Yield the positions after ``name(``, ``name.`` and in arguments, for names that other files define."""
    for node in ast.walk(code.tree):
        if isinstance(node, ast.Attribute) and dotted(node.value) in foreign:
            end = code.offset(node.end_lineno or 0, node.end_col_offset or 0)
            start = end - len(node.attr)
            if code.text[start - 1] == "." and code.text[start:end] == node.attr:
                yield from _in_line(code, "cross-file", "after a dot", start)
        elif isinstance(node, ast.Call) and _is_foreign(node.func, foreign):
            yield from _in_call(code, node)


def _is_foreign(function: ast.expr, foreign: set[str]) -> bool:
    name = dotted(function)
    return name in foreign or name.rpartition(".")[0] in foreign


def _in_call(code: _Code, node: ast.Call) -> Iterator[Hole]:
    bracket = code.offset(node.func.end_lineno or 0, node.func.end_col_offset or 0)
    if code.text[bracket] == "(":
        yield from _in_line(code, "cross-file", "after an open bracket", bracket + 1)
    starts = [(one.lineno, one.col_offset) for one in node.args]
    starts += [(one.lineno, one.col_offset) for one in node.keywords]
    for row, column in sorted(starts)[1:]:
        start = code.offset(row, column)
        if code.text[:start].endswith(", "):  # not at the start of a line
            yield from _in_line(code, "cross-file", "in the arguments", start)


def _in_line(code: _Code, kind: Kind, where: str, start: int) -> Iterator[Hole]:
    row = code.text.count("\n", 0, start) + 1
    if row in code.code_lines and start < code.line_end(row):
        yield Hole(kind, where, start, code.line_end(row))


def _any_line(code: _Code) -> Iterator[Hole]:
    """Yield the positions at which people pause while they type a line."""
    for row in sorted(code.code_lines):
        yield Hole("any-line", "at a line's start", code.indent_end(row), code.line_end(row))
    for token in code.tokens:
        row, column = token.start
        if token.type != tokenize.NAME or row not in code.code_lines:
            continue
        start, end = code.starts[row] + column, code.starts[row] + token.end[1]
        after = end + 1 if code.text[end : end + 1] == " " else end
        if after < code.line_end(row):
            yield Hole("any-line", "after a word", after, code.line_end(row))
        if len(token.string) >= MIN_WORD and not keyword.iskeyword(token.string):
            middle = start + len(token.string) // 2
            yield Hole("any-line", "in a word", middle, code.line_end(row))


def _blocks(code: _Code) -> Iterator[Hole]:
    for node in ast.walk(code.tree):
        if isinstance(node, _Block):
            yield from _body(code, "block", "after its header", node.body, MAX_BLOCK)


def _bodies(code: _Code) -> Iterator[Hole]:
    for node in ast.walk(code.tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        has_docstring = ast.get_docstring(node, clean=False) is not None
        body = node.body[1:] if has_docstring else node.body
        where = "after the docstring" if has_docstring else "after the signature"
        if body and not _is_stub(body):
            yield from _body(code, "function-body", where, body, MAX_BODY)


def _is_stub(body: list[ast.stmt]) -> bool:
    first = body[0]
    constant = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return len(body) == 1 and (constant or isinstance(first, ast.Pass))


def _body(code: _Code, kind: Kind, where: str, body: list[ast.stmt], max_lines: int) -> Iterator[Hole]:
    """Yield the body, if it begins on a line of its own right below what introduces it."""
    row = min([body[0].lineno, *(one.lineno for one in getattr(body[0], "decorator_list", []))])
    last = body[-1].end_lineno or row
    start = code.indent_end(row)
    begins_line = start == code.offset(row, body[0].col_offset)
    above = row - 1
    while above > 1 and not code.lines[above].strip():
        above -= 1
    is_below = begins_line and not code.lines[above].lstrip().startswith("#")
    if is_below and row in code.code_lines and last - row < max_lines:
        yield Hole(kind, where, start, code.line_end(last))
