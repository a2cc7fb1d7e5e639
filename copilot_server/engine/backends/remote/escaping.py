"""A prompt as one text, in which a user's own text stays text.

An engine that is sent text reads each name of a control token in it as that token, wherever it comes from. So
names in a user's text are broken by a character without width, which is taken out of the answer again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from copilot_server.catalog import FimTokens
from copilot_server.engine.base import Prompt, Special

#: Put after the first character of a name: ZERO WIDTH SPACE.
BREAK = "\u200b"
#: What names of control tokens look like in the vocabularies of today, whether a manifest gives them or not.
_ANY_NAME = r"<\|\w+\|>|<｜[^｜\s]+｜>"


class Spelling:
    """How prompts for one model are spelled; ``names`` are its control tokens."""

    def __init__(self, names: Iterable[str]) -> None:
        known = [re.escape(name) for name in sorted(names, key=len, reverse=True) if len(name) > 1]
        self._known = re.compile("|".join(known) or r"(?!)")
        self._any = re.compile("|".join([*known, _ANY_NAME]))

    def spell(self, prompt: Prompt) -> str:
        """The prompt's parts as one text; ``forced`` is no part of it."""
        return "".join(part.name if isinstance(part, Special) else self.plain(part) for part in prompt.parts)

    def plain(self, text: str) -> str:
        """A user's text, so that nothing in it is read as a control token, and all of it can be sent."""
        text = text if text.isascii() else text.encode("utf-8", "replace").decode()  # no half of a pair
        return self._any.sub(lambda found: f"{found[0][0]}{BREAK}{found[0][1:]}", text)

    def restored(self, text: str) -> str:
        """An answer, in which names that were broken are whole again.

        No source has the character for its own sake; invisible as it is, it would be there unnoticed.
        """
        return text.replace(BREAK, "") if BREAK in text else text

    def control_at(self, text: str) -> int | None:
        """Where the name of a control token begins in an answer; None where there is none.

        Most engines end there or leave it out; of one that does neither, nothing from there on is text.
        """
        found = self._known.search(text)
        return found.start() if found else None


def split_infill(prompt: Prompt, fim: FimTokens) -> tuple[Prompt, Prompt] | None:
    """What stands before and after the gap of an infilling prompt; None for a prompt of another kind.

    In either layout the text after the token of the middle goes on from the text after that of the prefix.
    """
    slots: dict[str, list[str | Special]] = {fim.prefix: [], fim.suffix: [], fim.middle: []}
    slot: list[str | Special] | None = None
    for part in prompt.parts:
        if isinstance(part, Special) and part.name in slots:
            slot = slots[part.name]
        elif slot is None:
            return None
        else:
            slot.append(part)
    if slot is None:
        return None
    return Prompt((*slots[fim.prefix], *slots[fim.middle])), Prompt(tuple(slots[fim.suffix]))
