"""Prompts that clients send as texts: which of their characters are control tokens, and how to infill."""

from __future__ import annotations

import re

from copilot_server.catalog import Manifest
from copilot_server.completion.prompt import build_prompt
from copilot_server.completion.window import Window
from copilot_server.engine.base import Engine, Prompt, Special
from copilot_server.host.refusals import invalid

#: The share of the context for the text after the cursor, and for code of other files, where not all fits.
SUFFIX_SHARE, OTHERS_SHARE = 0.25, 0.5


def read_prompt(text: str, manifest: Manifest) -> Prompt:
    """Return a prompt in which the names of the model's control tokens are control tokens.

    Clients that build infilling prompts or chats themselves write them so; other servers read them so, too.
    """
    names = sorted(manifest.control_tokens, key=len, reverse=True)
    if not names:
        return Prompt((text,))
    pieces = re.split(f"({'|'.join(map(re.escape, names))})", text)
    parts = (Special(piece) if at % 2 else piece for at, piece in enumerate(pieces))
    return Prompt(tuple(part for part in parts if part))


def infill_prompt(  # noqa: PLR0913 - what a prompt is made of
    before: str, after: str, manifest: Manifest, engine: Engine, *, others: str = "", new_tokens: int
) -> Prompt:
    """Return the prompt that asks for what stands between two texts, as the language server does.

    What does not fit the context is left out: first code of other files, then the texts' far ends.
    ``others``: whole lines of other files. ``new_tokens``: how many tokens the answer may have.

    Raises:
        RefusedError: the model cannot infill.
    """
    if manifest.fim is None or "fim" not in manifest.protocols.known:
        raise invalid(f"{manifest.id} cannot infill: leave the text after the cursor out.", "suffix")
    room = max(64, engine.context_length - new_tokens - 32)
    after, taken = _fitting(engine, after, int(room * SUFFIX_SHARE), from_end=False)
    left = room - taken
    before, taken = _fitting(engine, before, left, from_end=True)
    others, _ = _fitting(engine, others, min(left - taken, int(room * OTHERS_SHARE)), from_end=True)
    line = before.rfind("\n") + 1
    window = Window("", 0, before[:line], before[line:], after, others)
    return build_prompt("fim", window, manifest, "", engine.stable_length)


def _fitting(engine: Engine, text: str, tokens: int, *, from_end: bool) -> tuple[str, int]:
    """Return whole lines of one end of a text that have at most so many tokens, and how many they have."""
    while text and (count := engine.count_tokens(text)) > tokens:
        text = _whole_lines(text, int(len(text) * min(0.9, tokens / count)), from_end=from_end)
    return text, count if text else 0


def _whole_lines(text: str, kept: int, *, from_end: bool) -> str:
    """Return the lines of a text's end or beginning that lie within ``kept`` characters."""
    if not from_end:
        return text[: text.rfind("\n", 0, kept) + 1]
    start = text.find("\n", len(text) - kept - 1) + 1 if kept else len(text)
    return text[start:] if start else text[len(text) - kept :]
