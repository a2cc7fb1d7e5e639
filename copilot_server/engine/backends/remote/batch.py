"""Many generations written at once, in an order in which an engine finds the most of each prompt read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from copilot_server.engine.backends.remote.row import RemoteRow

#: What comes first: candidates whose prompt has been read, then new prompts, then the end.
_READ, _UNREAD, _END = range(3)


async def write_all(
    groups: Sequence[Sequence[RemoteRow]],
    write: Callable[[RemoteRow], Awaitable[None]],
    at_once: int,
    on_done: Callable[[int], None],
) -> None:
    """Write every row of every group, ``at_once`` at a time; ``on_done(index)`` as each group is finished.

    The rows of a group have one prompt. Its first row goes ahead, and the others follow once the engine has
    read the prompt, so that they find it in its cache. Groups go in the order of their prompts' texts.

    Raises:
        Exception: the first that ``write`` raises; the rows being written then are given up.
    """
    work = _Work(groups)
    try:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(min(at_once, work.left)):
                tasks.create_task(_write_some(work, write, on_done))
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def _write_some(
    work: _Work, write: Callable[[RemoteRow], Awaitable[None]], on_done: Callable[[int], None]
) -> None:
    while (place := await work.next()) is not None:
        await write(work.row(place))
        if work.finished(place):
            on_done(place[0])


class _Work:
    """What is still to be written. A place is the index of a group, and of a row in it."""

    def __init__(self, groups: Sequence[Sequence[RemoteRow]]) -> None:
        self.left = sum(map(len, groups))
        self._groups = groups
        self._unfinished = [len(group) for group in groups]
        self._queue: asyncio.PriorityQueue[tuple[int, int, int, int]] = asyncio.PriorityQueue()
        order = sorted(range(len(groups)), key=lambda index: groups[index][0].prompt)
        for rank, index in enumerate(order):
            self._queue.put_nowait((_UNREAD, rank, index, 0))
            groups[index][0].on_begin = lambda rank=rank, index=index: self._read(rank, index)

    async def next(self) -> tuple[int, int] | None:
        """Wait for a row to write; None when there is none any more."""
        entry = kind, _, index, row = await self._queue.get()
        if kind != _END:
            return index, row
        self._queue.put_nowait(entry)  # for the next who asks
        return None

    def row(self, place: tuple[int, int]) -> RemoteRow:
        """The row at a place."""
        return self._groups[place[0]][place[1]]

    def finished(self, place: tuple[int, int]) -> bool:
        """Take note that a row is written; returns whether its group is."""
        self.left -= 1
        self._unfinished[place[0]] -= 1
        if self.left == 0:
            self._queue.put_nowait((_END, 0, 0, 0))
        return self._unfinished[place[0]] == 0

    def _read(self, rank: int, index: int) -> None:
        for row in range(1, len(self._groups[index])):
            self._queue.put_nowait((_READ, rank, index, row))
