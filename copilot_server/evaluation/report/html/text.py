"""Text and numbers as HTML. All untrusted text goes through this module on its way to the page."""

from __future__ import annotations

import html
import re

from copilot_server.shown import shown

#: The most characters of one text on the page; the JSON beside it has them all.
MAX_TEXT = 20_000

#: The prefix of the names of scores that are rankings; they have a figure of their own.
RANKING = "ranking: "

#: Characters that a browser might not show, or that change how others are shown, such as bidi controls.
_INVISIBLE = re.compile(r"[^\n\t\x20-\x7e]")


def escaped(text: str) -> str:
    """Return text for an element or a quoted attribute: markup and control characters are escaped."""
    return html.escape(_INVISIBLE.sub(lambda found: shown(found[0]), text))


def line(text: str, most: int = 300) -> str:
    """Return text as ``escaped`` does, on one line and not too long."""
    flat = " ".join(text.split())
    return escaped(flat if len(flat) <= most else f"{flat[:most]}…")


def code(text: str) -> str:
    """Return a block of code that scrolls by itself, with the first ``MAX_TEXT`` characters of the text."""
    left_out = len(text) - MAX_TEXT
    rest = f'<p class="aside">{left_out:,} more characters are in the JSON.</p>' if left_out > 0 else ""
    return _block(_marked(text[:MAX_TEXT])) + rest


def code_at_cursor(before: str, after: str) -> str:
    """Return a block of the code nearest to a cursor, with the cursor in it."""
    near_before, near_after = before[-MAX_TEXT // 2 :], after[: MAX_TEXT // 2]
    left_out = len(before) + len(after) - len(near_before) - len(near_after)
    rest = f'<p class="aside">{left_out:,} characters farther away are in the JSON.</p>' if left_out else ""
    return _block(f'{_marked(near_before)}<mark title="the cursor">▏</mark>{_marked(near_after)}') + rest


def _block(content: str) -> str:
    content = content or '<span class="empty">(nothing)</span>'
    return f'<pre tabindex="0"><code>{content}</code></pre>'


def percent(share: float, digits: int = 1) -> str:
    """Return a share from 0 to 1 in plain text, such as ``56.7 %``."""
    return f"{100 * share:.{digits}f} %".replace("-", "\N{MINUS SIGN}")


def percent_html(share: float, digits: int = 1) -> str:
    """Return a share as ``percent`` does, without line breaks in it."""
    return percent(share, digits).replace(" ", "&#160;")


def count(number: int, noun: str) -> str:
    """Return a number with its noun, such as ``1 task`` or ``2 tasks``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _marked(text: str) -> str:
    """Return text as ``escaped`` does, with the escapes of control characters set off."""
    pieces, end = [], 0
    for found in _INVISIBLE.finditer(text):
        escape = shown(found[0])
        if escape != found[0]:
            pieces += [html.escape(text[end : found.start()]), f'<span class="control">{escape}</span>']
            end = found.end()
    return "".join([*pieces, html.escape(text[end:])])
