"""Lines that repeat at the end of a text, as a model writes them that has lost its way."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WORD = re.compile(r"\w")
_NUMBER = re.compile(r"\d+")
_LONGEST_ROUND = 8  # lines
#: So many rounds stop decoding. That is more than what the filter ``cut_repetition`` needs, since equal rows
#: of a table may still be followed by others.
_ENDLESS = 6


def is_endless(text: str) -> bool:
    """Whether ``text``, which is being decoded, ends in a whole line, and in a loop of so many rounds."""
    if not text.endswith("\n"):
        return False
    lines = text.split("\n")[:-1]
    longest = min(_LONGEST_ROUND, len(lines) // _ENDLESS)
    return any(_rounds(lines, length) >= _ENDLESS for length in range(1, longest + 1))


def without_repeats(lines: Sequence[str], *, endless: bool) -> Sequence[str]:
    """Keep one round of the lines that repeat at the end: the model would repeat them forever.

    Three rounds make a loop; so do two rounds of three lines or more if the text is ``endless``, which only
    the token limit ended. Then the last line may be half of one, and three rounds of three lines or more may
    differ in their numbers: some models count their rounds. Shorter ones may be the rows of a table.
    """
    found = _loop(lines, endless=endless, two_suffice=endless)
    if found is None and endless:
        counted = _loop([_NUMBER.sub("0", line) for line in lines], endless=True, two_suffice=False)
        found = counted if counted and counted[0] > 2 else None
    return lines if found is None else lines[: found[1]]


def _loop(lines: Sequence[str], *, endless: bool, two_suffice: bool) -> tuple[int, int] | None:
    """Return the length of the shortest loop at the end and how many lines are left with one round of it."""
    for length in range(1, min(_LONGEST_ROUND, len(lines) // 2) + 1):
        for rest in reversed(
            range(length + endless)
        ):  # the longest begun round leaves the earliest whole one
            whole, begun = lines[: len(lines) - rest], lines[len(lines) - rest :]
            rounds = _rounds(whole, length) if _begins(whole[-length:], begun, endless=endless) else 0
            if rounds >= (2 if two_suffice and length > 2 else 3):
                return length, len(whole) - (rounds - 1) * length
    return None


def _begins(loop: Sequence[str], begun: Sequence[str], *, endless: bool) -> bool:
    """Whether ``begun`` is how ``loop`` begins; if ``endless``, its last line may be half of one."""
    if endless and begun:
        at = len(begun) - 1
        return begun[:at] == loop[:at] and loop[at].startswith(begun[at])
    return begun == loop[: len(begun)]


def _rounds(lines: Sequence[str], length: int) -> int:
    """Count how often ``lines`` ends in the same ``length`` lines, which have a word."""
    loop = lines[-length:]
    if not _WORD.search("".join(loop)):
        return 0
    rounds = 1
    while lines[-(rounds + 1) * length : -rounds * length] == loop:
        rounds += 1
    return rounds
