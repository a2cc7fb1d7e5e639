"""The engine thread: whose job runs next, and what closing one queue leaves alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from copilot_server.completion.scheduling.engine_thread import EngineThread, JobQueue

PATIENCE_S = 30.0


@pytest.fixture
def thread() -> Iterator[EngineThread]:
    thread = EngineThread()
    yield thread
    thread.close()


class Gate:
    """A job that keeps the engine thread busy until it is released."""

    def __init__(self, queue: JobQueue) -> None:
        self.began, self.released = threading.Event(), threading.Event()
        queue.submit(self._hold)
        assert self.began.wait(PATIENCE_S)

    def _hold(self) -> None:
        self.began.set()
        assert self.released.wait(PATIENCE_S)


def test_jobs_of_a_queue_run_in_order_on_one_thread(thread: EngineThread):
    queue = thread.queue()
    ran: list[tuple[int, str]] = []
    for n in range(5):
        queue.submit(lambda n=n: ran.append((n, threading.current_thread().name)))
    assert queue.join(PATIENCE_S)
    assert [n for n, _ in ran] == list(range(5))
    assert len({name for _, name in ran}) == 1
    assert ran[0][1] != threading.current_thread().name


def test_queues_take_turns(thread: EngineThread):
    first, second = thread.queue(), thread.queue()
    ran: list[str] = []
    gate = Gate(first)
    for n in range(3):
        first.submit(ran.append, f"first {n}")
    for n in range(2):
        second.submit(ran.append, f"second {n}")
    gate.released.set()
    assert first.join(PATIENCE_S)
    assert second.join(PATIENCE_S)
    assert ran == ["second 0", "first 0", "second 1", "first 1", "first 2"]


def test_a_job_in_the_background_lets_those_of_other_queues_go_first(thread: EngineThread):
    first, second = thread.queue(), thread.queue()
    ran: list[str] = []
    gate = Gate(first)
    second.submit(ran.append, "background", background=True)
    for n in range(2):
        first.submit(ran.append, f"foreground {n}")
    gate.released.set()
    assert second.join(PATIENCE_S)
    assert ran == ["foreground 0", "foreground 1", "background"]


def test_only_a_job_in_the_foreground_is_announced_to_the_other_queues(thread: EngineThread):
    announced: list[str] = []
    first = thread.queue(lambda: announced.append("to first"))
    second = thread.queue(lambda: announced.append("to second"))
    first.submit(lambda: None, background=True)
    assert announced == []
    first.submit(lambda: None)
    assert announced == ["to second"]
    assert second.join(PATIENCE_S)


def test_a_queue_knows_whether_others_wait(thread: EngineThread):
    first, second = thread.queue(), thread.queue()
    gate = Gate(first)
    second.submit(lambda: None, background=True)
    assert not first.others_wait
    second.submit(lambda: None)
    assert first.others_wait
    assert not second.others_wait
    gate.released.set()
    assert second.join(PATIENCE_S)
    assert not first.others_wait


def test_closing_a_queue_drops_its_jobs_and_leaves_the_others_alone(thread: EngineThread):
    first, second = thread.queue(), thread.queue()
    ran: list[str] = []
    gate = Gate(second)
    first.submit(ran.append, "first")
    second.submit(ran.append, "second")
    first.close()
    assert first.join(0.0)
    with pytest.raises(RuntimeError):
        first.submit(ran.append, "late")
    gate.released.set()
    assert second.join(PATIENCE_S)
    assert ran == ["second"]


def test_joining_does_not_wait_longer_than_its_timeout(thread: EngineThread):
    queue = thread.queue()
    gate = Gate(queue)
    assert not queue.join(0.0)
    gate.released.set()
    assert queue.join(PATIENCE_S)


def test_a_job_that_raises_does_not_end_the_thread(thread: EngineThread):
    queue = thread.queue()
    ran: list[str] = []
    queue.submit({}.__getitem__, "missing")
    queue.submit(ran.append, "next")
    assert queue.join(PATIENCE_S)
    assert ran == ["next"]


def test_a_closed_thread_accepts_no_jobs():
    thread = EngineThread()
    queue = thread.queue()
    thread.close()
    with pytest.raises(RuntimeError):
        queue.submit(lambda: None)
    assert queue.join(0.0)
