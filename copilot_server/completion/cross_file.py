"""How a prompt shows code of other files: as comments above the document's own code.

Copilot's first clients did so with snippets of neighbouring tabs, and it works with any model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from copilot_server.context.source.lexer import comment_sign
from copilot_server.workspace.types import Snippet

#: How much of other files a prompt may have, as shares of its budget for the document: heads of definitions,
#: and code. What one of them leaves free the other does not use, since what is shown would then change more.
SNIPPET_SHARE, CODE_SHARE = 0.3, 0.15


def show_snippets(
    snippets: Sequence[Snippet], language_id: str, budget: int, count_tokens: Callable[[str], int]
) -> str:
    """Return the first snippets that fit a prompt of ``budget`` tokens, as comments, each below its path.

    The text ends with a blank line. It is empty if there is none, or if the language has no line comments.
    """
    sign = comment_sign(language_id)
    if not sign:
        return ""
    heads = [one for one in snippets if one.kind == "definition"]
    code = [one for one in snippets if one.kind != "definition"]
    shown = "".join(
        piece
        for group, share in ((code, CODE_SHARE), (heads, SNIPPET_SHARE))
        for piece in _fitting((_as_comment(one, sign) for one in group), int(budget * share), count_tokens)
    )
    return f"{shown}\n" if shown else ""


def _fitting(pieces: Iterator[str], room: int, count_tokens: Callable[[str], int]) -> Iterator[str]:
    """Yield the pieces before the first that does not fit.

    A smaller one after it is left out too: what is shown must not change with pieces that come last.
    """
    for piece in pieces:
        room -= count_tokens(piece)
        if room < 0:
            return
        yield piece


def _as_comment(snippet: Snippet, sign: str) -> str:
    lines = (snippet.path, *snippet.text.split("\n"))
    return "".join(f"{sign} {line}".rstrip() + "\n" for line in lines)
