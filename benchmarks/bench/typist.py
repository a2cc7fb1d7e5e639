"""Who types: which keys, how long before each, and which suggestions are accepted."""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass

from benchmarks.bench.corpus import Passage

#: Seconds between keys: log-normal, mean 0.2. People type at 0.24 on average, fast ones at 0.12 (Dhakal et
#: al. 2018, "Observations on Typing from 136 Million Keystrokes", CHI, doi:10.1145/3173574.3174220).
MEDIAN_PAUSE_S, SPREAD = 0.18, 0.45
#: Before the first key of a line one thinks; more than that of a pause only delays the bench.
LINE_PAUSE_S, LONGEST_PAUSE_S = 0.5, 1.5
#: Of the suggestions that are what the user wants, the share that is taken and not typed over.
ACCEPTED = 0.8

_ENTER = re.compile(r"\n *")


@dataclass(frozen=True, slots=True)
class Key:
    """One keystroke: ``text`` is put in ``pause_s`` after the one before it."""

    text: str
    pause_s: float


class Typist:
    """Types a passage from ``typed`` on. The same seed draws the same pauses and decisions at each place."""

    def __init__(self, passage: Passage, seed: int) -> None:
        self._passage = passage
        self._seed = f"{seed}:{passage.module}:{passage.function}"

    def first_place(self, keys: int) -> int:
        """Where to begin: at a line of the body that has ``keys`` keys after it, if any has."""
        source = self._passage.source
        starts = [match.end() for match in _ENTER.finditer(source) if source[match.end() :][:1].strip()]
        body = [start for start in starts if self._keys_left(start) >= keys]
        return self._draw("first").choice(body or starts[:1])

    def key(self, typed: int) -> Key | None:
        """The next key when ``typed`` code points stand there; None at the function's end."""
        rest = self._passage.source[typed:]
        if not rest.strip():
            return None
        enter = _ENTER.match(rest)
        return Key(enter.group() if enter else rest[0], self._pause_s(typed))

    def accepts(self, typed: int, suggestion: str) -> str:
        """What of a suggestion is taken with Tab: its first lines as far as they come next, or nothing."""
        rest = self._passage.source[typed:]
        lines = suggestion.split("\n")
        heads = ("\n".join(lines[:count]) for count in range(len(lines), 0, -1) if lines[count - 1].strip())
        right = next((head for head in heads if _is_next(rest, head)), "")
        return right if self._draw(f"accept:{typed}").random() < ACCEPTED else ""

    def _pause_s(self, typed: int) -> float:
        draw = self._draw(f"pause:{typed}")
        before = self._passage.source[:typed].rpartition("\n")[2]
        median_s = MEDIAN_PAUSE_S if before.strip() else LINE_PAUSE_S
        return min(draw.lognormvariate(math.log(median_s), SPREAD), LONGEST_PAUSE_S)

    def _keys_left(self, typed: int) -> int:
        return len(_ENTER.sub("\n", self._passage.source[typed:].rstrip()))

    def _draw(self, purpose: str) -> random.Random:
        return random.Random(f"{self._seed}:{purpose}")


def _is_next(rest: str, text: str) -> bool:
    """Whether ``text`` comes next, and up to the end of a line."""
    return rest.startswith(text) and rest[len(text) :].startswith("\n")
