"""All sessions of one process, which share its engine thread and the engines on it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from collections.abc import Awaitable, Callable
from typing import Protocol

from copilot_server.completion.scheduling.engine_thread import EngineThread
from copilot_server.lsp.session import Session
from copilot_server.lsp.wire.protocol import CopilotProtocol
from copilot_server.statistics.recorder import Statistics

#: How long the engine thread may take to end when the process ends, in seconds.
ENGINE_END_S = 0.5
#: How long writing the last statistics to the disk may take, in seconds.
LAST_WRITE_S = 2.0


class Connection(Protocol):
    """A session, and the protocol that carries its messages."""

    @property
    def protocol(self) -> CopilotProtocol:
        """Where the editor's messages come from, and where the server's go to."""
        ...

    @property
    def session(self) -> Session:
        """The editor's state."""
        ...


class Sessions:
    """Opens a session for each connection, and decides when the process ends.

    It ends when the last editor has left, unless the server is to be kept alive. The exit code is then that
    of the last session: 0 after a ``shutdown``, and 1 if the editor disconnected without one.
    """

    def __init__(
        self, connect: Callable[[], Connection], engine_thread: EngineThread, *, keep_alive: bool = False
    ) -> None:
        """``connect``: make a session. ``keep_alive``: go on when the last editor has left."""
        #: Called with a session that begins, and with one that has ended.
        self.on_open: Callable[[Session], None] = lambda _session: None
        self.on_close: Callable[[Session], None] = lambda _session: None
        #: Done when the process is to end, with its exit code; made by ``run``.
        self.ended: asyncio.Future[int]
        self._connect = connect
        self._keep_alive = keep_alive
        self._engine_thread = engine_thread
        self._engine_queue = engine_thread.queue()
        self._open: dict[CopilotProtocol, Session] = {}
        self._unwritten: list[Statistics] = []
        #: The exit code, once the process has been told to stop.
        self._stop_code: int | None = None

    async def run(self, serve: Callable[[Sessions], Awaitable[int]]) -> int:
        """Have a transport ``serve`` editors until the process is to end; return the exit code.

        SIGINT and SIGTERM end all sessions in order, so that their statistics are written.
        """
        self.ended = asyncio.get_running_loop().create_future()
        self._stop_on_signals()
        return await serve(self)

    def _stop_on_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            # On Windows, and outside the main thread, a signal does what it does by default.
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, self.stop, 128 + number)

    @property
    def accepting(self) -> bool:
        """Whether new connections are served."""
        return self._stop_code is None and not self.ended.done()

    def open(self) -> CopilotProtocol:
        """Start a session for a new connection."""
        connection = self._connect()
        protocol, session = connection.protocol, connection.session
        protocol.ended = asyncio.get_running_loop().create_future()
        self._open[protocol] = session
        self.on_open(session)
        return protocol

    def close(self, protocol: CopilotProtocol) -> None:
        """End the session of a connection that is over; the other sessions go on."""
        session = self._open.pop(protocol)
        protocol.writer = None
        session.close()
        self.on_close(session)
        # After whatever the engine thread does for the session now, so that its engine is let go in any case.
        self._engine_queue.submit(session.scheduler.release, background=True)
        gc.unfreeze()  # a session is full of cycles, and loading a model exempted them from collection
        unwritten = (*self._unwritten, session.statistics)
        self._unwritten = [one for one in unwritten if not one.close(0.0)]
        if not self._open and (self._stop_code is not None or not self._keep_alive):
            self._end(_exit_code(protocol))

    def stop(self, code: int) -> None:
        """Accept no more connections, end all sessions, and then the process with exit code ``code``."""
        self._stop_code = code
        for protocol in self._open:
            protocol.disconnected()
        if not self._open:
            self._end(code)

    def _end(self, code: int) -> None:
        if not self.ended.done():
            self.ended.set_result(code if self._stop_code is None else self._stop_code)

    def join(self) -> bool:
        """Wait for the disk and for the engine thread, each for a limited time, when all sessions have ended.

        Returns:
            False if the engine thread is still busy, as in an import or a read that cannot be interrupted.
        """
        for statistics in self._unwritten:
            statistics.close(LAST_WRITE_S)
        is_idle = self._engine_queue.join(ENGINE_END_S)
        self._engine_thread.close()
        return is_idle


def _exit_code(protocol: CopilotProtocol) -> int:
    """Return the exit code of a connection; 1 if it was torn down before it ended."""
    ended = protocol.ended
    return ended.result() if ended.done() and not ended.cancelled() else 1
