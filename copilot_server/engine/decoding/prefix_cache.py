"""KV caches of earlier prompts, kept for prompts that begin like them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from copilot_server.engine.runner import Runner

Tokens = NDArray[np.int32]

#: The most sequences that are kept: whoever edits comes back to a few places in a few files, and the memory
#: of more is better left to others.
MOST_KEPT = 16


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A sequence of the runner, and the tokens that it holds."""

    sequence: int
    token_ids: Tokens  # (length,)


class PrefixCache:
    """Opens and closes the runner's sequences; those no longer in use are kept as long as there is room.

    The least recently used are dropped first. When not ``enabled``, nothing is kept and nothing found.
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
        self, prompt_ids: Tokens, *, most: int, reserved: int, in_use: Sequence[Held] = ()
    ) -> Held | None:
        """A sequence that holds as long a beginning of the prompt as any does, or an empty one.

        The prompt's last token is never in it: whoever wants the token that follows must read that one.
        ``most``: tokens that the sequence will come to hold; ``reserved``: what the sequences in use may
        still grow by. ``in_use``: sequences to look at beside the kept ones.

        Returns:
            None when there is no room, though nothing is kept any more but what it would begin with.
        """
        donor, shared = self._longest(prompt_ids[:-1], in_use)
        room = reserved + most - shared
        if donor is None:
            return self._opened() if self.make_room(room) else None
        if shared == len(donor.token_ids) and donor in self._kept:
            return self._taken_over(donor, shared, room)  # it would be dropped anyhow: spare the copy
        forked = self.fork(donor, shared, room)
        if forked is None and donor in self._kept:
            return self._taken_over(donor, shared, room)
        return forked

    def fork(self, donor: Held, length: int, room: int) -> Held | None:
        """A sequence that begins with a donor's first ``length`` tokens; None without ``room`` tokens."""
        if not self.make_room(room, sparing=donor):
            return None
        self._touch(donor)
        self._open += 1
        return Held(self._runner.fork(donor.sequence, length), donor.token_ids[:length])

    def keep(self, held: Held) -> None:
        """Take back a sequence whose user has finished."""
        longer = self._first_that_begins_with(held)
        if not self._enabled or len(held.token_ids) == 0 or longer is not None:
            self.close(held)
            self._touch(longer)
            return
        for shorter in [one for one in self._kept if _begins_with(held, one)]:
            self._drop(shorter)
        self._kept.append(held)
        if len(self._kept) > MOST_KEPT:
            self._drop(self._kept[0])

    def close(self, held: Held) -> None:
        """Take back a sequence that is of no use to anyone."""
        self._runner.close(held.sequence)
        self._open -= 1

    def clear(self) -> None:
        """Close every sequence that is kept."""
        for held in list(self._kept):
            self._drop(held)

    def make_room(self, tokens: int, *, sequences: int = 1, sparing: Held | None = None) -> bool:
        """Drop kept sequences until the runner has room for so many; whether it has."""
        for one in list(self._kept):
            if self._has_room(tokens, sequences):
                return True
            if one is not sparing:
                self._drop(one)
        return self._has_room(tokens, sequences)

    def _has_room(self, tokens: int, sequences: int) -> bool:
        spare = self._runner.max_sequences - self._open
        return spare >= sequences and self._runner.free_tokens >= tokens

    def _longest(self, prompt_ids: Tokens, in_use: Sequence[Held]) -> tuple[Held | None, int]:
        """Whoever shares the longest beginning, and its length; None when nobody shares a token."""
        best, longest = None, 0
        for one in (*in_use, *self._kept) if self._enabled else ():
            shared = common_length(prompt_ids, one.token_ids)
            if shared > longest or (shared == longest > 0 and shared == len(one.token_ids)):
                best, longest = one, shared
        return best, longest

    def _opened(self) -> Held:
        self._open += 1
        return Held(self._runner.open(), np.empty(0, np.int32))

    def _taken_over(self, donor: Held, length: int, room: int) -> Held | None:
        """A kept sequence, cut to ``length``; it stays kept if even so there is no room."""
        if length < len(donor.token_ids):
            self._runner.truncate(donor.sequence, length)
        self._kept.remove(donor)
        taken = Held(donor.sequence, donor.token_ids[:length])
        if self.make_room(room, sequences=0):
            return taken
        self._kept.append(taken)
        return None

    def _first_that_begins_with(self, held: Held) -> Held | None:
        return next((one for one in self._kept if _begins_with(one, held)), None)

    def _touch(self, held: Held | None) -> None:
        """Make a kept sequence the most recently used one."""
        if held in self._kept:
            self._kept.remove(held)
            self._kept.append(held)

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
