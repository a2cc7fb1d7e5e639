"""The typist: its keys, the pauses before them, and the suggestions that it accepts."""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass

from benchmarks.bench.corpus import Passage

#: Seconds between keys: log-normal, mean 0.2. People type at 0.24 on average, fast ones at 0.12 (Dhakal et
#: al. 2018, "Observations on Typing from 136 Million Keystrokes", CHI, doi:10.1145/3173574.3174220).
MEDIAN_PAUSE_S, SPREAD = 0.18, 0.45
#: The median pause before the first key of a line, when people think, and the longest pause.
LINE_PAUSE_S, LONGEST_PAUSE_S = 0.5, 1.5
#: The share of right suggestions that are accepted.
ACCEPTED = 0.8

_ENTER = re.compile(r"\n *")


@dataclass(frozen=True, slots=True)
class Key:
    """A keystroke that inserts ``text``, ``pause_s`` after the one before it."""

    text: str
    pause_s: float


class Typist:
    """Types a passage. The same seed gives the same pauses and decisions at each position."""

    def __init__(self, passage: Passage, seed: int) -> None:
        self._passage = passage
        self._seed = f"{seed}:{passage.module}:{passage.function}"

    def first_position(self, keys: int) -> int:
        """Return where to begin: at a line of the body with ``keys`` keys after it, if there is one."""
        source = self._passage.source
        starts = [match.end() for match in _ENTER.finditer(source) if source[match.end() :][:1].strip()]
        body = [start for start in starts if self._keys_left(start) >= keys]
        return self._random("first").choice(body or starts[:1])

    def key(self, typed: int) -> Key | None:
        """Return the next key after ``typed`` code points, or None at the end of the function."""
        rest = self._passage.source[typed:]
        if not rest.strip():
            return None
        enter = _ENTER.match(rest)
        return Key(enter.group() if enter else rest[0], self._pause_s(typed))

    def accepts(self, typed: int, suggestion: str) -> str:
        """Return the accepted part of a suggestion: its first lines as far as they are right, or nothing."""
        rest = self._passage.source[typed:]
        lines = suggestion.split("\n")
        heads = ("\n".join(lines[:count]) for count in range(len(lines), 0, -1) if lines[count - 1].strip())
        right = next((head for head in heads if _is_next(rest, head)), "")
        return right if self._random(f"accept:{typed}").random() < ACCEPTED else ""

    def _pause_s(self, typed: int) -> float:
        rng = self._random(f"pause:{typed}")
        before = self._passage.source[:typed].rpartition("\n")[2]
        median_s = MEDIAN_PAUSE_S if before.strip() else LINE_PAUSE_S
        return min(rng.lognormvariate(math.log(median_s), SPREAD), LONGEST_PAUSE_S)

    def _keys_left(self, typed: int) -> int:
        return len(_ENTER.sub("\n", self._passage.source[typed:].rstrip()))

    def _random(self, purpose: str) -> random.Random:
        return random.Random(f"{self._seed}:{purpose}")


def _is_next(rest: str, text: str) -> bool:
    """Whether ``text`` comes next and ends a line."""
    return rest.startswith(text) and rest[len(text) :].startswith("\n")
