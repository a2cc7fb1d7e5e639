"""Reading prompts before anybody asks for a generation, and how fast prompts are read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from copilot_server.engine.base import Cancel
from copilot_server.engine.decoding.prefix_cache import Held, PrefixCache, Tokens
from copilot_server.engine.decoding.schedule import BLOCK_SLACK, Counters
from copilot_server.engine.runner import Chunk, Runner

#: The most time that a piece of a prompt should take, in seconds: a key that needs the engine waits for it.
PIECE_S = 0.15
#: The first piece, and the shortest ones, in tokens. Each piece reads all weights from memory, so that pieces
#: that are shorter still would take much longer together.
FIRST_PIECE, SHORTEST_PIECE, PIECE_STEP = 32, 16, 8
#: How many tokens are read to measure the speed, after how many others, and how often.
MEASURED_TOKENS, MEASURED_AFTER, MEASURED_TIMES = 64, 64, 3


class PromptReader:
    """Reads prompts into the prefix cache, in pieces that are as long as ``PIECE_S`` allows here."""

    def __init__(self, runner: Runner, cache: PrefixCache, counters: Counters) -> None:
        self._runner = runner
        self._cache = cache
        self._counters = counters
        self._piece = min(FIRST_PIECE, runner.prefill_chunk)

    def read(self, prompts: Sequence[Tokens], cancel: Cancel) -> None:
        """Read each prompt but for its last token, which a generation computes, as far as there is room.

        What has been read is kept in the cache when ``cancel`` ends the reading, too.
        """
        read: list[Held] = []
        try:
            for prompt_ids in prompts:
                # What has just been read is in use until all is, or the next prompt could take its room.
                most = len(prompt_ids) + BLOCK_SLACK
                held = self._cache.take(prompt_ids, most=most, reserved=0, in_use=read, ahead=True)
                if held is not None:
                    read.append(self._read_rest(held, prompt_ids, cancel))
        finally:
            for held in read:
                self._cache.keep(held)

    def _read_rest(self, held: Held, prompt_ids: Tokens, cancel: Cancel) -> Held:
        """Read what a sequence lacks of a prompt."""
        length, last = len(held.token_ids), len(prompt_ids) - 1
        try:
            while length < last and not cancel.is_set():
                length += self._read_piece(held.sequence, prompt_ids[length:last])
        except BaseException:
            self._cache.close(held)
            raise
        return replace(held, token_ids=prompt_ids[:length])

    def _read_piece(self, sequence: int, unread: Tokens) -> int:
        """Read the next piece, and return the number of its tokens."""
        piece = unread[: self._piece].tolist()
        start_s = time.perf_counter()
        self._runner.step([Chunk(sequence, piece)])
        self._counters.steps += 1
        self._counters.prompt_tokens_read_ahead += len(piece)
        if len(piece) == self._piece:
            self._adapt(time.perf_counter() - start_s)
        return len(piece)

    def _adapt(self, took_s: float) -> None:
        """Make the next piece one that takes ``PIECE_S``, at most twice as long as the one that was read."""
        tokens = int(self._piece * min(2.0, PIECE_S / max(took_s, 1e-9))) // PIECE_STEP * PIECE_STEP
        self._piece = min(max(tokens, SHORTEST_PIECE), self._runner.prefill_chunk)


def measure_reading_speed(runner: Runner) -> float:
    """Return how many tokens of a new prompt ``runner`` reads in a second.

    The shortest of ``MEASURED_TIMES`` times counts: what else the machine does makes the others longer.
    """
    sequence = runner.open()
    try:
        runner.step([Chunk(sequence, [1] * MEASURED_AFTER)])
        return MEASURED_TOKENS / min(_read_s(runner, sequence) for _ in range(MEASURED_TIMES))
    finally:
        runner.close(sequence)


def _read_s(runner: Runner, sequence: int) -> float:
    start_s = time.perf_counter()
    runner.step([Chunk(sequence, [1] * MEASURED_TOKENS)])
    took_s = time.perf_counter() - start_s
    runner.truncate(sequence, MEASURED_AFTER)
    return took_s
