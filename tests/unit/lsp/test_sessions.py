"""The sessions of one process: when it ends, and what a session that has ended leaves behind."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from functools import partial

import pytest

from copilot_server.completion.scheduling.engine_thread import EngineThread
from copilot_server.config import Settings
from copilot_server.lsp.server import CopilotServer
from copilot_server.lsp.session import Session
from copilot_server.lsp.sessions import Sessions
from copilot_server.lsp.wire.protocol import CopilotProtocol
from tests.support.lsp_stand_in import StandIn, open_stand_in


def make(*, keep_alive: bool = False) -> Sessions:
    thread = EngineThread()
    connect = partial(CopilotServer, Settings(statistics=False), {}, open_stand_in, thread)
    return Sessions(connect, thread, keep_alive=keep_alive)


async def begin(sessions: Sessions) -> None:
    """Do what ``run`` does, with no transport."""

    async def serve(_sessions: Sessions) -> int:
        return 0

    await sessions.run(serve)


@pytest.fixture
async def sessions() -> AsyncIterator[Sessions]:
    sessions = make()
    await begin(sessions)
    yield sessions
    assert sessions.join()


def leave(sessions: Sessions, protocol: CopilotProtocol, *, in_order: bool = True) -> None:
    protocol._shutdown = in_order
    protocol.disconnected()
    sessions.close(protocol)


async def test_the_process_ends_when_the_last_session_has(sessions: Sessions) -> None:
    first, second = sessions.open(), sessions.open()
    leave(sessions, first)
    assert not sessions.ended.done()
    assert sessions.accepting
    leave(sessions, second)
    assert await sessions.ended == 0
    assert not sessions.accepting


async def test_the_exit_code_is_that_of_the_last_session(sessions: Sessions) -> None:
    first, second = sessions.open(), sessions.open()
    leave(sessions, first)
    leave(sessions, second, in_order=False)
    assert await sessions.ended == 1


async def test_kept_alive_it_goes_on_until_it_is_stopped() -> None:
    sessions = make(keep_alive=True)
    await begin(sessions)
    leave(sessions, sessions.open())
    assert not sessions.ended.done()
    sessions.stop(143)
    assert await sessions.ended == 143
    assert sessions.join()


async def test_stopping_ends_every_session_first(sessions: Sessions) -> None:
    first, second = sessions.open(), sessions.open()
    sessions.stop(143)
    assert not sessions.accepting
    assert (first.ended.done(), second.ended.done()) == (True, True)
    sessions.close(first)
    assert not sessions.ended.done()
    sessions.close(second)
    assert await sessions.ended == 143


async def test_a_session_is_reported_when_it_begins_and_when_it_has_ended(sessions: Sessions) -> None:
    seen: list[tuple[str, Session]] = []
    sessions.on_open = lambda session: seen.append(("open", session))
    sessions.on_close = lambda session: seen.append(("close", session))
    leave(sessions, sessions.open())
    (opened, session), (closed, again) = seen
    assert (opened, closed) == ("open", "close")
    assert session is again


async def test_a_session_that_has_ended_lets_its_pipeline_go_and_the_others_keep_theirs() -> None:
    sessions, pipelines = make(), []
    sessions.on_open = pipelines.append
    await begin(sessions)
    first, second = sessions.open(), sessions.open()
    refs = []
    for session in pipelines:
        await session.scheduler.load(lambda: StandIn(Settings().completion))
        refs.append(weakref.ref(session.scheduler.pipeline))
    leave(sessions, first)
    await asyncio.to_thread(sessions._engine_queue.join, 30)
    assert refs[0]() is None
    assert refs[1]() is not None
    leave(sessions, second)
    assert sessions.join()
    assert refs[1]() is None


async def test_a_session_that_has_ended_is_freed_although_it_was_exempt_from_collection() -> None:
    sessions, opened = make(keep_alive=True), []
    sessions.on_open = opened.append
    await begin(sessions)
    protocol = sessions.open()
    session = weakref.ref(opened.pop())
    gc.freeze()  # as the load of a model does
    leave(sessions, protocol)
    await asyncio.to_thread(sessions._engine_queue.join, 30)
    del protocol
    gc.collect()
    assert session() is None
    sessions.stop(0)
    assert sessions.join()
