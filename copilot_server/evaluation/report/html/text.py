"""Text and numbers as HTML. Everything that is not ours comes through here on its way to the page."""

from __future__ import annotations

import html
import re

#: So much of one text is on the page; the JSON beside it has all.
MAX_TEXT = 20_000

#: How the names of scores of rankings begin; they have a figure of their own.
RANKING = "ranking: "

#: What a browser would not show, or would let change how its neighbours are shown, bidi controls among it.
_INVISIBLE = re.compile(r"[^\n\t\x20-\x7e]")


def escaped(text: str) -> str:
    """Text for an element or a quoted attribute: markup taken as it is, control characters spelled out."""
    return html.escape(_INVISIBLE.sub(_spelled_out, text))


def line(text: str, most: int = 300) -> str:
    """As ``escaped``, on one line and not too long."""
    flat = " ".join(text.split())
    return escaped(flat if len(flat) <= most else f"{flat[:most]}…")


def code(text: str) -> str:
    """A block of code that scrolls by itself, with the text's first ``MAX_TEXT`` characters."""
    left_out = len(text) - MAX_TEXT
    rest = f'<p class="aside">{left_out:,} more characters are in the JSON.</p>' if left_out > 0 else ""
    return _block(_marked(text[:MAX_TEXT])) + rest


def code_at_cursor(before: str, after: str) -> str:
    """As ``code``, of what is nearest to a cursor, which is shown."""
    near_before, near_after = before[-MAX_TEXT // 2 :], after[: MAX_TEXT // 2]
    left_out = len(before) + len(after) - len(near_before) - len(near_after)
    rest = f'<p class="aside">{left_out:,} characters farther away are in the JSON.</p>' if left_out else ""
    return _block(f'{_marked(near_before)}<mark title="the cursor">▏</mark>{_marked(near_after)}') + rest


def _block(content: str) -> str:
    content = content or '<span class="empty">(nothing)</span>'
    return f'<pre tabindex="0"><code>{content}</code></pre>'


def percent(share: float, digits: int = 1) -> str:
    """A share from 0 to 1 in plain text, as ``56.7 %``."""
    return f"{100 * share:.{digits}f} %".replace("-", "\N{MINUS SIGN}")


def percent_html(share: float, digits: int = 1) -> str:
    """As ``percent``, never broken over two lines."""
    return percent(share, digits).replace(" ", "&#160;")


def count(number: int, noun: str) -> str:
    """``1 task``, ``2 tasks``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _marked(text: str) -> str:
    """As ``escaped``, with what was spelled out set off from what was there."""
    pieces, end = [], 0
    for found in _INVISIBLE.finditer(text):
        spelled = _spelled_out(found)
        if spelled != found[0]:
            pieces += [html.escape(text[end : found.start()]), f'<span class="control">{spelled}</span>']
            end = found.end()
    return "".join([*pieces, html.escape(text[end:])])


def _spelled_out(found: re.Match[str]) -> str:
    character = found[0]
    return character if character.isprintable() else character.encode("unicode_escape").decode()
