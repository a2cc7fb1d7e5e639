"""KV caches of earlier prompts, kept for prompts that begin like them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from copilot_server.engine.runner import Runner

Tokens = NDArray[np.int32]

#: The most sequences that are kept: people return to a few positions in a few files, and the memory of more
#: sequences is better left to other programs.
MOST_KEPT = 16
#: The most sequences that are kept although no request has used them since they were read ahead: those of the
#: position where the cursor rests. Wherever else it rested before, the user went on without typing.
MOST_AHEAD = 2
#: How many of the sequences that requests used last are never dropped for one that is read ahead: people go
#: back and forth between a few positions.
SPARED = 4


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A sequence of the runner, and the tokens that it holds.

    ``ahead``: it was read before anyone asked, and no request has used it yet.
    """

    sequence: int
    token_ids: Tokens  # (length,)
    ahead: bool = False


class PrefixCache:
    """Opens and closes the runner's sequences, and keeps those no longer in use while there is room.

    Those that no request has used yet are dropped first, and then the least recently used ones. When not
    ``enabled``, it keeps nothing and finds nothing.
    """

    def __init__(self, runner: Runner, *, enabled: bool) -> None:
        self._runner = runner
        self._enabled = enabled
        self._kept: list[Held] = []  # the least recently used first
        self._open = 0  # sequences in use, and kept

    def __len__(self) -> int:
        """How many sequences are kept."""
        return len(self._kept)

    def take(
        self,
        prompt_ids: Tokens,
        *,
        most: int,
        reserved: int,
        in_use: Sequence[Held] = (),
        ahead: bool = False,
    ) -> Held | None:
        """A sequence that holds the longest known beginning of the prompt, or an empty one.

        It never holds the prompt's last token, which must be computed to sample the one that follows.
        ``most``: how many tokens the sequence may come to hold; ``reserved``: by how many those in use may
        still grow. ``in_use``: sequences to search beside the kept ones. ``ahead``: no request needs it yet.

        Returns:
            None if there is no room even after everything else that was kept has been dropped.
        """
        donor, shared = self._longest(prompt_ids[:-1], in_use)
        room = reserved + most - shared
        if donor is None:
            return self._opened(ahead=ahead) if self.make_room(room, ahead=ahead) else None
        if shared == len(donor.token_ids) and donor in self._kept:
            # It would be dropped anyway, and need not be copied.
            return self._taken_over(donor, shared, room, ahead=ahead)
        forked = self.fork(donor, shared, room, ahead=ahead)
        if forked is None and donor in self._kept and not ahead:
            return self._taken_over(donor, shared, room)
        return forked

    def fork(self, donor: Held, length: int, room: int, *, ahead: bool = False) -> Held | None:
        """A sequence that begins with a donor's first ``length`` tokens; None without ``room`` tokens."""
        if not self.make_room(room, sparing=donor, ahead=ahead):
            return None
        if not ahead:
            self._touch(donor)
        self._open += 1
        return Held(self._runner.fork(donor.sequence, length), donor.token_ids[:length], ahead)

    def keep(self, held: Held) -> None:
        """Take back a sequence that is no longer in use, for later prompts."""
        longer = self._first_that_begins_with(held)
        if not self._enabled or len(held.token_ids) == 0 or longer is not None:
            self.close(held)
            if not held.ahead:
                self._touch(longer)
            return
        shorter = [one for one in self._kept if _begins_with(held, one)]
        for one in shorter:
            self._drop(one)
        self._kept.append(replace(held, ahead=held.ahead and all(one.ahead for one in shorter)))
        unused = [one for one in self._kept if one.ahead]
        if len(unused) > MOST_AHEAD:
            self._drop(unused[0])
        elif len(self._kept) > MOST_KEPT:
            self._drop(self._kept[0])

    def close(self, held: Held) -> None:
        """Take back a sequence that is not worth keeping."""
        self._runner.close(held.sequence)
        self._open -= 1

    def clear(self) -> None:
        """Close every sequence that is kept."""
        for held in list(self._kept):
            self._drop(held)

    def make_room(
        self, tokens: int, *, sequences: int = 1, sparing: Held | None = None, ahead: bool = False
    ) -> bool:
        """Drop kept sequences until the runner has room for so many tokens; return whether it has."""
        unused = [one for one in self._kept if one.ahead]
        used = [one for one in self._kept if not one.ahead]
        for one in unused + (used[:-SPARED] if ahead else used):
            if self._has_room(tokens, sequences):
                return True
            if one is not sparing:
                self._drop(one)
        return self._has_room(tokens, sequences)

    def _has_room(self, tokens: int, sequences: int) -> bool:
        spare = self._runner.max_sequences - self._open
        return spare >= sequences and self._runner.free_tokens >= tokens

    def _longest(self, prompt_ids: Tokens, in_use: Sequence[Held]) -> tuple[Held | None, int]:
        """The sequence that shares the longest beginning, and its length; None if none shares a token."""
        best, longest = None, 0
        for one in (*in_use, *self._kept) if self._enabled else ():
            shared = common_length(prompt_ids, one.token_ids)
            if shared > longest or (shared == longest > 0 and shared == len(one.token_ids)):
                best, longest = one, shared
        return best, longest

    def _opened(self, *, ahead: bool) -> Held:
        self._open += 1
        return Held(self._runner.open(), np.empty(0, np.int32), ahead)

    def _taken_over(self, donor: Held, length: int, room: int, *, ahead: bool = False) -> Held | None:
        """A kept sequence, cut to ``length``; it stays kept if there is no room even so."""
        if length < len(donor.token_ids):
            self._runner.truncate(donor.sequence, length)
        self._kept.remove(donor)
        taken = Held(donor.sequence, donor.token_ids[:length], ahead and donor.ahead)
        if self.make_room(room, sequences=0, ahead=ahead):
            return taken
        self._kept.append(taken)
        return None

    def _first_that_begins_with(self, held: Held) -> Held | None:
        return next((one for one in self._kept if _begins_with(one, held)), None)

    def _touch(self, held: Held | None) -> None:
        """Make a kept sequence, which a request has used, the most recently used one."""
        if held in self._kept:
            self._kept.remove(held)
            self._kept.append(replace(held, ahead=False))

    def _drop(self, held: Held) -> None:
        self._kept.remove(held)
        self.close(held)


def common_length(one: Tokens, other: Tokens) -> int:
    """How many tokens two texts have in common at their beginning."""
    size = min(len(one), len(other))
    differing = np.flatnonzero(one[:size] != other[:size])
    return int(differing[0]) if len(differing) else size


def _begins_with(longer: Held, shorter: Held) -> bool:
    return common_length(longer.token_ids, shorter.token_ids) == len(shorter.token_ids)
