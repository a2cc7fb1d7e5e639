"""Many generations at once, in an order that lets an engine reuse as much of each prompt as possible."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from copilot_server.engine.backends.remote.candidate import RemoteCandidate

#: The order: candidates whose prompt has been read, then new prompts, then the end.
_READ, _UNREAD, _END = range(3)


async def write_all(
    groups: Sequence[Sequence[RemoteCandidate]],
    write: Callable[[RemoteCandidate], Awaitable[None]],
    at_once: int,
    on_done: Callable[[int], None],
) -> None:
    """Write every candidate of every group, ``at_once`` at a time; call ``on_done(index)`` after each group.

    The candidates of a group share a prompt. The first one starts alone, and the others follow once the
    engine has read the prompt, so that they find it in its cache. Groups are ordered by the texts of their
    prompts.

    Raises:
        Exception: the first one that ``write`` raises; the other candidates in flight are then cancelled.
    """
    work = _Work(groups)
    try:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(min(at_once, work.left)):
                tasks.create_task(_write_some(work, write, on_done))
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def _write_some(
    work: _Work, write: Callable[[RemoteCandidate], Awaitable[None]], on_done: Callable[[int], None]
) -> None:
    while (key := await work.next()) is not None:
        await write(work.candidate(key))
        if work.finished(key):
            on_done(key[0])


class _Work:
    """What is still to be written. A key is the index of a group, and that of a candidate in it."""

    def __init__(self, groups: Sequence[Sequence[RemoteCandidate]]) -> None:
        self.left = sum(map(len, groups))
        self._groups = groups
        self._unfinished = [len(group) for group in groups]
        self._queue: asyncio.PriorityQueue[tuple[int, int, int, int]] = asyncio.PriorityQueue()
        order = sorted(range(len(groups)), key=lambda index: groups[index][0].prompt)
        for rank, index in enumerate(order):
            self._queue.put_nowait((_UNREAD, rank, index, 0))
            groups[index][0].on_begin = lambda rank=rank, index=index: self._read(rank, index)

    async def next(self) -> tuple[int, int] | None:
        """Wait for a candidate to write; None when none is left."""
        entry = kind, _, index, number = await self._queue.get()
        if kind != _END:
            return index, number
        self._queue.put_nowait(entry)  # for the next task
        return None

    def candidate(self, key: tuple[int, int]) -> RemoteCandidate:
        """The candidate of a key."""
        return self._groups[key[0]][key[1]]

    def finished(self, key: tuple[int, int]) -> bool:
        """Record that a candidate is written; return whether its group is."""
        self.left -= 1
        self._unfinished[key[0]] -= 1
        if self.left == 0:
            self._queue.put_nowait((_END, 0, 0, 0))
        return self._unfinished[key[0]] == 0

    def _read(self, rank: int, index: int) -> None:
        for number in range(1, len(self._groups[index])):
            self._queue.put_nowait((_READ, rank, index, number))
