"""Strings, comments, brackets and logical lines of source text, finished or not.

A parser loses its way in code that is being typed; these few facts stay certain. They depend only on what
stands before a place, so nothing that is broken or missing after the cursor can change them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from copilot_server.context.brackets import OPENERS

_PYTHON = re.compile(
    r"(?P<comment>#[^\r\n]*)|(?P<quote>'''|\"\"\"|'|\")|(?P<open>[(\[{])|(?P<close>[)\]}])"
    r"|(?P<skip>\\(?:\r\n|.)?)|(?P<line>\r\n|\n|\r)|(?P<colon>:)",
    re.DOTALL,
)
# What other languages share.
_SHARED = r"(?P<close>[)\]}])|(?P<skip>\\(?:\r\n|.)?)|(?P<line>\r\n|\n|\r)"
_QUOTE = r"(?P<quote>[\"'`])|"
# In markup most text is prose, in which an apostrophe follows a letter and no quotation does.
_MARKUP_QUOTE = r"(?P<quote>(?<!\w)[\"'`])|"
_MARKUP = frozenset(
    {"html", "xml", "xsl", "vue", "svelte", "astro", "handlebars", "razor", "erb", "markdown"}
)
# A lifetime, as in `&'a str`, which no quote closes.
_LIFETIME = r"'[A-Za-z_]\w*+(?!')|"
# With a blank or another `<` after it, or `=` or `-`, `<` is an operator; so is `>` in `->`, `=>` and `>=`.
_OPENS = r"(?P<open>[(\[{])|"
_OPENS_WITH_ANGLES = r"(?P<open>[(\[{]|<(?![\s=<-]))|(?P<close_angle>(?<![=-])>(?!=))|"
_COMMENTS = {
    "//[^\r\n]*": frozenset(
        {
            *("c", "cpp", "cuda-cpp", "objective-c", "objective-cpp", "csharp", "java", "kotlin", "swift"),
            *(
                "dart",
                "rust",
                "go",
                "typescript",
                "typescriptreact",
                "javascript",
                "javascriptreact",
                "scala",
            ),
            *("groovy", "fsharp", "php", "scss", "less", "jsonc", "zig", "solidity", "proto3"),
        }
    ),
    r"(?<!\S)#(?!\[)[^\r\n]*": frozenset(
        {
            *("ruby", "shellscript", "php", "perl", "r", "yaml", "makefile", "dockerfile", "elixir", "toml"),
            *("powershell", "julia", "coffeescript", "cmake", "nix", "fish"),
        }
    ),
    "--[^\r\n]*": frozenset({"sql", "lua", "haskell", "elm", "ada", "vhdl"}),
}

# A body up to its closing quote, or (short strings) up to the line end that breaks it off.
_BODY = {
    '"': re.compile(r'(?:[^"\\\r\n]++|\\(?:\r\n|.))*+(?P<close>"?)', re.DOTALL),
    "'": re.compile(r"(?:[^'\\\r\n]++|\\(?:\r\n|.))*+(?P<close>'?)", re.DOTALL),
    "`": re.compile(r"(?:[^`\\\r\n]++|\\(?:\r\n|.))*+(?P<close>`?)", re.DOTALL),
    '"""': re.compile(r'(?:[^"\\]++|\\.|"(?!""))*+(?P<close>(?:""")?)', re.DOTALL),
    "'''": re.compile(r"(?:[^'\\]++|\\.|'(?!''))*+(?P<close>(?:''')?)", re.DOTALL),
}

# Lines that are not inside a bracket, whatever was left open above: those that start with a word that only
# a statement starts with, and assignments at the margin. The character after a word must be there, lest
# `def` be half of `default`.
RESET = (
    r"(?:[ \t\f]*(?:async[ \t]+)?(?:def|class|return|import|while|try|except|finally|with|raise|pass|break"
    r"|continue|del|global|nonlocal|assert)(?=[\s:;#(])|[A-Za-z_][\w.]* = )"
)
RESET_LINE = re.compile(RESET)


@dataclass(frozen=True, slots=True)
class LexState:
    """What is open at a place: a string's ``quote``, a comment, ``brackets`` from the outermost on."""

    quote: str = ""
    in_comment: bool = False
    brackets: str = ""


@dataclass(frozen=True, slots=True)
class Lexed:
    """A stretch of text: its state at the end, and offsets into the text.

    ``own_brackets`` of those open at the end were opened in the text itself. ``breaks`` are the starts of the
    lines that do not start in a string, ``lines`` those of the logical lines, the first left out of both;
    ``colons`` the ends of colons outside of brackets, ``closers`` the ends of brackets and quotes that close
    what was open at the start.
    """

    state: LexState
    own_brackets: int
    breaks: tuple[int, ...]
    lines: tuple[int, ...]
    colons: tuple[int, ...]
    closers: tuple[int, ...]


@dataclass(slots=True)
class _Scan:
    """A walk over ``text`` up to ``end``: one method for each kind of token."""

    text: str
    pos: int
    end: int
    state: LexState
    brackets: str
    quote: str = ""
    in_comment: bool = False
    inherited: int = 0
    breaks: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    colons: list[int] = field(default_factory=list)
    closers: list[int] = field(default_factory=list)

    def string(self, quote: str) -> bool:
        """Go to the end of the string whose body starts here; false if nothing closes it."""
        self.pos, closed = string_end(self.text, self.pos, quote, self.end)
        self.quote = "" if closed or self.pos < self.end else quote
        return closed

    def comment(self) -> None:
        self.in_comment = self.pos == self.end

    def close(self, bracket: str) -> None:
        """Take off the bracket that a closer closes; a closer without one is a mistake, and ignored."""
        # An angle bracket that is left open was an operator.
        brackets = self.brackets if bracket == ">" else self.brackets.rstrip("<")
        if not brackets.endswith(OPENERS[bracket]):
            return
        self.brackets = brackets[:-1]
        if len(self.brackets) < self.inherited:
            self.inherited = len(self.brackets)
            self.closers.append(self.pos)

    def line(self) -> None:
        """Start a logical line, unless a bracket keeps the last one open; what it resets was a mistake."""
        if self.brackets.strip("<") and not RESET_LINE.match(self.text, self.pos):
            return
        self.brackets = ""
        self.inherited = 0
        self.lines.append(self.pos)

    def result(self) -> Lexed:
        state = LexState(self.quote, self.in_comment, self.brackets)
        own = len(self.brackets) - self.inherited
        return Lexed(
            state, own, tuple(self.breaks), tuple(self.lines), tuple(self.colons), tuple(self.closers)
        )

    def token(self, kind: str | None, text: str) -> None:
        if kind == "quote":
            self.string(text)
        elif kind == "comment":
            self.comment()
        elif kind == "open":
            self.brackets += text
        elif kind in {"close", "close_angle"}:
            self.close(text)
        elif text.endswith(("\r", "\n")):
            self.breaks.append(self.pos)
            if kind == "line":
                self.line()
        elif kind == "colon" and not self.brackets:
            self.colons.append(self.pos)


def lex(  # noqa: PLR0913 - a stretch of text and how to read it
    text: str,
    start: int = 0,
    end: int | None = None,
    state: LexState | None = None,
    language: str = "python",
    *,
    angles: bool = False,
) -> Lexed:
    """Read ``text[start:end]``, which begins in ``state``; ``angles``: with ``<`` and ``>`` as brackets."""
    span = (start, len(text) if end is None else end)
    return _lex(text, span, state or LexState(), _pattern(language, angles=angles))


def lex_line(text: str, start: int, end: int | None = None) -> Lexed:
    """Read the logical line of Python that starts at ``start``, and no further than ``end``."""
    return _lex(text, (start, len(text) if end is None else end), LexState(), _PYTHON, lines_wanted=1)


@lru_cache(maxsize=128)
def _pattern(language: str, *, angles: bool) -> re.Pattern[str]:
    """Return what finds the tokens of a language."""
    if language == "python":
        return _PYTHON
    signs = "|".join(sign for sign, languages in _COMMENTS.items() if language in languages)
    comment = f"(?P<comment>{signs})|" if signs else ""
    lifetime = _LIFETIME if language == "rust" else ""
    quote = _MARKUP_QUOTE if language in _MARKUP else _QUOTE
    opens = _OPENS_WITH_ANGLES if angles else _OPENS
    return re.compile(comment + lifetime + quote + opens + _SHARED, re.DOTALL)


def _lex(
    text: str,
    span: tuple[int, int],
    state: LexState,
    pattern: re.Pattern[str],
    lines_wanted: int | None = None,
) -> Lexed:
    scan = _Scan(text, *span, state, state.brackets, inherited=len(state.brackets))
    _finish_open_token(scan)
    while not scan.quote and (found := pattern.search(text, scan.pos, scan.end)):
        scan.pos = found.end()
        scan.token(found.lastgroup, found[0])
        if len(scan.lines) == lines_wanted:
            break
    return scan.result()


def _finish_open_token(scan: _Scan) -> None:
    if scan.state.quote and scan.string(scan.state.quote):
        scan.closers.append(scan.pos)
    elif scan.state.in_comment:
        ends = [at for at in (scan.text.find(end, scan.pos, scan.end) for end in "\r\n") if at >= 0]
        scan.pos = min(ends, default=scan.end)
        scan.comment()


def string_end(text: str, body: int, quote: str, end: int) -> tuple[int, bool]:
    """Return where the string whose body starts at ``body`` ends, and whether ``quote`` closes it there."""
    found = _BODY[quote].match(text, body, end)
    return (found.end(), bool(found["close"])) if found else (end, False)
