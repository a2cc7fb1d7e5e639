"""A scheduler, and pipelines whose every step a test decides."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from copilot_server.completion.scheduling.scheduler import Scheduler
from tests.support.patience import PATIENCE_S
from tests.support.scripted_pipeline import Scripted, Sessions, Writing


@pytest.fixture
async def scheduler() -> AsyncIterator[Scheduler]:
    scheduler = Scheduler(quiet_s=0.0)
    yield scheduler
    assert scheduler.close(PATIENCE_S)


@pytest.fixture
async def pipeline(scheduler: Scheduler) -> Scripted:
    pipeline = Scripted()
    await scheduler.load(lambda: pipeline)
    return pipeline


@pytest.fixture
async def writing(scheduler: Scheduler) -> Writing:
    pipeline = Writing()
    await scheduler.load(lambda: pipeline)
    return pipeline


@pytest.fixture
async def sessions() -> AsyncIterator[Sessions]:
    sessions = Sessions()
    yield sessions
    assert sessions.one.close(PATIENCE_S)
    assert sessions.other.close(PATIENCE_S)
    sessions.thread.close()
