"""The functions and classes around a cursor: line starts reveal their headers, and tree-sitter reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import tree_sitter_python
from tree_sitter import Language, Node

from copilot_server.context.brackets import PAIRS
from copilot_server.context.indentation import column
from copilot_server.context.source.code import Code
from copilot_server.context.source.depth import NEXT_CODE
from copilot_server.context.source.lexer import lex, lex_line, string_end
from copilot_server.context.source.parsing import parse

_PYTHON = Language(tree_sitter_python.language())

_HEADER = re.compile(r"[ \t\f]*(?:(?P<function>(?:async[ \t]+)?def)|class)\b")
# Blanks, comments and imports do nothing. A string below an import is still meant as a docstring.
_IDLE = r"(?:\s|#[^\n]*|(?:import|from)[ \t][^\n]*)*+"
_IDLE_BODY = re.compile(_IDLE)
_DOCSTRING = re.compile(_IDLE + r"(?P<literal>[rRuUbBfF]{0,2}(?P<quote>\"\"\"|'''|\"|'))")
_STATEMENT_END = re.compile(r"[ \t\f]*(?:[;#\r\n]|\Z)")
_NEXT_DEFINITION = re.compile(
    r"^[ \t]*(?:@\w|(?:async[ \t]+)?def[ \t]+\w+[ \t]*\(|class[ \t]+\w+[(:])", re.MULTILINE
)

#: How many blocks around a cursor are looked for: as many as the tokenizer of Python reads (MAXINDENT). Each
#: may take time that grows with the length of the text.
_MAX_LEVELS = 100


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a ``def`` or ``class``: its text up to the colon, and the offset of its line."""

    kind: Literal["function", "class"]
    name: str
    text: str
    indent: str
    line_start: int

    @property
    def line(self) -> str:
        """The header with its indentation, and a line feed."""
        return f"{self.indent}{self.text}\n"


@dataclass(frozen=True, slots=True)
class FunctionContext:
    """A function, which may be incomplete. Offsets are in code points from the start of the document.

    ``signature`` runs from ``def`` (or ``async``) to its colon, or to where it breaks off. ``docstring`` is
    the literal as written, including its quotes. ``body_indent`` is the indentation that the body has, or
    should have. ``start`` is the offset of ``def`` or ``async``, on line ``start_line`` (from 0);
    ``decorated_start``, that of the first decorator; ``body_start``, the offset just after the signature.
    ``is_headed``: whether the signature has its colon. ``body_is_empty``: whether the body holds nothing
    before the cursor but a docstring, imports, comments and blanks.
    """

    name: str
    decorators: tuple[str, ...]
    signature: str
    docstring: str | None
    indent: str
    body_indent: str
    start: int
    start_line: int
    decorated_start: int
    body_start: int
    is_headed: bool
    docstring_span: tuple[int, int] | None
    is_async: bool
    body_is_empty: bool
    enclosing: tuple[Header, ...]

    @property
    def classes(self) -> tuple[Header, ...]:
        """The classes around the function, outermost first."""
        return tuple(header for header in self.enclosing if header.kind == "class")


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A header, and the node that tree-sitter makes of it."""

    kind: Literal["function", "class"]
    line: int
    decorated_line: int
    end: int
    is_whole: bool
    node: Node | None

    @property
    def name(self) -> str:
        name = self.node.child_by_field_name("name") if self.node else None
        return _text(name) if name else ""

    @property
    def is_async(self) -> bool:
        return bool(self.node and self.node.children and self.node.children[0].type == "async")

    @property
    def decorators(self) -> tuple[str, ...]:
        parent = self.node.parent if self.node else None
        if parent is None or parent.type != "decorated_definition":
            return ()
        return tuple(_text(child) for child in parent.children if child.type == "decorator")


def definitions_around(code: Code, line: int, depth: int) -> tuple[Header, ...]:
    """Return the definitions around a cursor at column ``depth`` of logical line ``line``, outermost first.

    On the way up, each line that is further left than all lines below it opened a block around the cursor.
    The line itself counts if it is a function's header.
    """
    found = [line] if is_function(code, line) else []
    start = code.line_left_of(depth, line)
    for _ in range(_MAX_LEVELS):
        if start is None:
            break
        if _HEADER.match(code.text, start, code.end):
            found.append(start)
        start = code.line_left_of(code.column(start), start)
    return tuple(_header(code, start) for start in reversed(found))


def is_function(code: Code, line: int) -> bool:
    """Whether a function's header starts at ``line``."""
    found = _HEADER.match(code.text, line, code.end)
    return bool(found and found["function"])


def innermost_function(code: Code, around: tuple[Header, ...], unit: str) -> FunctionContext | None:
    """Describe the innermost definition around the cursor, if that is a function."""
    if not around or around[-1].kind != "function":
        return None
    header = around[-1]
    parsed = _parse(code, header.line_start)
    start = header.line_start + len(header.indent)
    docstring = _docstring_span(code, parsed.end, column(header.indent))
    written = docstring[1] if docstring else parsed.end
    return FunctionContext(
        name=header.name,
        decorators=parsed.decorators,
        signature=header.text,
        docstring=code.text[slice(*docstring)] if docstring else None,
        indent=header.indent,
        body_indent=_body_indent(code, parsed.end, header.indent, unit),
        start=start,
        start_line=code.text.count("\n", 0, start),
        decorated_start=parsed.decorated_line + len(code.indent(parsed.decorated_line)),
        body_start=parsed.end,
        is_headed=parsed.is_whole,
        docstring_span=docstring,
        is_async=parsed.is_async,
        body_is_empty=written >= code.end or bool(_IDLE_BODY.fullmatch(code.text, written, code.end)),
        enclosing=around[:-1],
    )


def _header(code: Code, line: int) -> Header:
    parsed, indent = _parse(code, line), code.indent(line)
    return Header(parsed.kind, parsed.name, code.text[line + len(indent) : parsed.end], indent, line)


def _parse(code: Code, line: int) -> _Parsed:
    """Read the header at ``line`` with its decorators."""
    end, complete = _header_end(code, line)
    decorated_line = _decorated_line(code, line)
    before = ("if 1:\n" if code.column(line) else "") + code.text[decorated_line:line]
    written = code.text[line:end] if complete else _made_whole(code.text[line:end])
    node = _definition(before + written, len(before) + len(code.indent(line)))
    return _Parsed(
        "function" if is_function(code, line) else "class", line, decorated_line, end, complete, node
    )


def _header_end(code: Code, line: int) -> tuple[int, bool]:
    """Return where the header at ``line`` ends, and whether it has its colon.

    A header that breaks off ends with its line, or at the cursor if a bracket or a string is open there.
    """
    lexed = lex_line(code.text, line)
    if lexed.colons:
        return lexed.colons[0], True
    typed = lex_line(code.text, line, code.end)
    open_at_cursor = not typed.lines and (typed.state.brackets or typed.state.quote)
    end = code.end if open_at_cursor else (lexed.lines[0] if lexed.lines else len(code.text))
    return line + len(code.text[line:end].rstrip()), False


def _made_whole(header: str) -> str:
    """Complete a header that breaks off, since tree-sitter cannot read one with an open parenthesis."""
    state = lex(header).state
    header += state.quote + "".join(PAIRS[bracket] for bracket in reversed(state.brackets))
    header += " _" if header.endswith(("def", "class")) else ""
    return header + (":" if "(" in header or header.lstrip().startswith("class") else "():")


def _decorated_line(code: Code, line: int) -> int:
    """Return the line of the first decorator of the definition at ``line``."""
    above = code.line_before(line)
    while above is not None and code.text.startswith(code.indent(line) + "@", above):
        line, above = above, code.line_before(above)
    return line


def _definition(source: str, start: int) -> Node | None:
    """Parse ``source``; return the definition that starts at the offset ``start``, in code points.

    None if there is none, or if parsing takes too much work.
    """
    at, root = len(_encoded(source[:start])), parse(_encoded(source), _PYTHON)
    node = None if root is None else root.named_descendant_for_byte_range(at, at + 1)
    while node is not None and node.type not in {"function_definition", "class_definition"}:
        node = node.parent
    return node


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "surrogatepass")


def _docstring_span(code: Code, header_end: int, header_column: int) -> tuple[int, int] | None:
    """Return where the docstring after a header starts and ends. One that is open ends at the cursor.

    A quote after the cursor closes it, unless a definition lies in between: then the quote opens another
    docstring.
    """
    found = _DOCSTRING.match(code.text, header_end)
    if found is None:
        return None
    start, text = found.start("literal"), code.text
    line = text.rfind("\n", 0, start) + 1
    if line > header_end and code.column(line) <= header_column:
        return None
    end, closed = string_end(text, found.end(), found["quote"], len(text))
    if start < code.end < end and _NEXT_DEFINITION.search(text, code.end, end):
        end, closed = code.end, False
    if not closed:
        return (start, code.end) if start < code.end <= end else None
    return (start, end) if _STATEMENT_END.match(text, end) else None


def _body_indent(code: Code, header_end: int, indent: str, unit: str) -> str:
    """Return the indentation of the body's first line; if there is none yet, one unit more than ``def``'s."""
    line_end = code.text.find("\n", header_end)
    found = NEXT_CODE.search(code.text, line_end + 1) if line_end >= 0 else None
    written = found["indent"] if found else ""
    return written if column(written) > column(indent) else indent + unit
