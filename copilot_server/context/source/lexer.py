"""Strings, comments, brackets and logical lines of source text, complete or not.

A parser is misled by code that is being typed, but these few facts stay certain. At an offset they depend
only on the text before it, so nothing that is broken or missing after the cursor can change them.
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
# The tokens that the other languages share.
_SHARED = r"(?P<close>[)\]}])|(?P<skip>\\(?:\r\n|.)?)|(?P<line>\r\n|\n|\r)"
_QUOTE = r"(?P<quote>[\"'`])|"
# Most text in markup is prose, in which an apostrophe follows a letter, and an opening quote does not.
_MARKUP_QUOTE = r"(?P<quote>(?<!\w)[\"'`])|"
_MARKUP = frozenset(
    {"html", "xml", "xsl", "vue", "svelte", "astro", "handlebars", "razor", "erb", "markdown"}
)
# A lifetime such as that of `&'a str` has no closing quote.
_LIFETIME = r"'[A-Za-z_]\w*+(?!')|"
# Before a blank, another `<`, `=` or `-`, `<` is an operator. So is `>` in `->`, `=>` and `>=`.
_OPENS = r"(?P<open>[(\[{])|"
_OPENS_WITH_ANGLES = r"(?P<open>[(\[{]|<(?![\s=<-]))|(?P<close_angle>(?<![=-])>(?!=))|"
#: By the sign that begins a comment: its pattern, and the languages that have it.
_COMMENTS = {
    "//": (
        "//[^\r\n]*",
        frozenset(
            {
                *(
                    "c",
                    "cpp",
                    "cuda-cpp",
                    "objective-c",
                    "objective-cpp",
                    "csharp",
                    "java",
                    "kotlin",
                    "swift",
                ),
                *("dart", "rust", "go", "typescript", "typescriptreact", "javascript", "javascriptreact"),
                *("scala", "groovy", "fsharp", "php", "scss", "less", "jsonc", "zig", "solidity", "proto3"),
            }
        ),
    ),
    "#": (
        r"(?<!\S)#(?!\[)[^\r\n]*",
        frozenset(
            {
                *("ruby", "shellscript", "php", "perl", "r", "yaml", "makefile", "dockerfile", "elixir"),
                *("toml", "powershell", "julia", "coffeescript", "cmake", "nix", "fish"),
            }
        ),
    ),
    "--": ("--[^\r\n]*", frozenset({"sql", "lua", "haskell", "elm", "ada", "vhdl"})),
}

# The body of a string up to its closing quote or, in a short string, up to the line end that breaks it off.
_BODY = {
    '"': re.compile(r'(?:[^"\\\r\n]++|\\(?:\r\n|.))*+(?P<close>"?)', re.DOTALL),
    "'": re.compile(r"(?:[^'\\\r\n]++|\\(?:\r\n|.))*+(?P<close>'?)", re.DOTALL),
    "`": re.compile(r"(?:[^`\\\r\n]++|\\(?:\r\n|.))*+(?P<close>`?)", re.DOTALL),
    '"""': re.compile(r'(?:[^"\\]++|\\.|"(?!""))*+(?P<close>(?:""")?)', re.DOTALL),
    "'''": re.compile(r"(?:[^'\\]++|\\.|'(?!''))*+(?P<close>(?:''')?)", re.DOTALL),
}

# Lines that cannot be inside a bracket, whatever was left open above: those that start with a word with which
# only a statement starts, and assignments at the margin. The character after the word must be there, since
# `def` may be the beginning of `default`.
RESET = (
    r"(?:[ \t\f]*(?:async[ \t]+)?(?:def|class|return|import|while|try|except|finally|with|raise|pass|break"
    r"|continue|del|global|nonlocal|assert)(?=[\s:;#(])|[A-Za-z_][\w.]* = )"
)
RESET_LINE = re.compile(RESET)


@dataclass(frozen=True, slots=True)
class LexState:
    """What is open at an offset: a string's ``quote``, a comment, and ``brackets``, outermost first."""

    quote: str = ""
    in_comment: bool = False
    brackets: str = ""


@dataclass(frozen=True, slots=True)
class Lexed:
    """What a span of text contains: its state at the end, and offsets into the text.

    ``own_brackets`` is how many of the brackets open at the end were opened in the span itself. ``breaks``
    are the starts of the lines that do not start inside a string, and ``lines`` those of the logical lines;
    both omit the first line. ``colons`` are the ends of colons outside of brackets; ``closers``, the ends of
    brackets and quotes that close what was open at the start.
    """

    state: LexState
    own_brackets: int
    breaks: tuple[int, ...]
    lines: tuple[int, ...]
    colons: tuple[int, ...]
    closers: tuple[int, ...]


@dataclass(slots=True)
class _Scan:
    """A scan of ``text`` up to ``end``, with a method for each kind of token."""

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
        """Advance to the end of the string whose body starts here; return whether a quote closes it."""
        self.pos, closed = string_end(self.text, self.pos, quote, self.end)
        self.quote = "" if closed or self.pos < self.end else quote
        return closed

    def comment(self) -> None:
        self.in_comment = self.pos == self.end

    def close(self, bracket: str) -> None:
        """Close a bracket. A closer without its opening bracket is a mistake in the text and is ignored."""
        # A `<` that was not closed was an operator.
        brackets = self.brackets if bracket == ">" else self.brackets.rstrip("<")
        if not brackets.endswith(OPENERS[bracket]):
            return
        self.brackets = brackets[:-1]
        if len(self.brackets) < self.inherited:
            self.inherited = len(self.brackets)
            self.closers.append(self.pos)

    def line(self) -> None:
        """Start a logical line, unless an open bracket continues the last one. ``RESET`` lines ignore it."""
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
    """Read ``text[start:end]``, which begins in ``state``; ``angles``: treat ``<`` and ``>`` as brackets."""
    span = (start, len(text) if end is None else end)
    return _lex(text, span, state or LexState(), _pattern(language, angles=angles))


def lex_line(text: str, start: int, end: int | None = None, state: LexState | None = None) -> Lexed:
    """Read the rest of a logical line of Python from ``start`` on, and no further than ``end``."""
    span = (start, len(text) if end is None else end)
    return _lex(text, span, state or LexState(), _PYTHON, lines_wanted=1)


@lru_cache(maxsize=128)
def _pattern(language: str, *, angles: bool) -> re.Pattern[str]:
    """Return the pattern that finds the tokens of a language."""
    if language == "python":
        return _PYTHON
    signs = "|".join(pattern for pattern, languages in _COMMENTS.values() if language in languages)
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


def comment_sign(language: str) -> str:
    """Return what begins a comment up to its line's end; empty if the language has none or is not known."""
    if language == "python":
        return "#"
    return next((sign for sign, (_, languages) in _COMMENTS.items() if language in languages), "")


def string_end(text: str, body: int, quote: str, end: int) -> tuple[int, bool]:
    """Return where the string whose body starts at ``body`` ends, and whether ``quote`` closes it there."""
    found = _BODY[quote].match(text, body, end)
    return (found.end(), bool(found["close"])) if found else (end, False)
