"""The one thread on which the engine runs, shared by every scheduler of the process.

Each scheduler submits its jobs to a queue of its own. The thread takes one job at a time and the queues take
turns, so no editor's session can keep the others waiting for longer than one job. Jobs in the foreground,
which somebody waits for, run before jobs in the background of any other queue.
"""

from __future__ import annotations

import concurrent.futures
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial


@dataclass(eq=False, slots=True)
class _Job:
    run: Callable[[], None]
    background: bool
    done: Future[None] = field(default_factory=Future)

    def __call__(self) -> None:
        if not self.done.set_running_or_notify_cancel():
            return
        try:
            self.run()
        except BaseException as error:  # noqa: BLE001 - the thread's boundary: the future carries the error
            self.done.set_exception(error)
        else:
            self.done.set_result(None)


class EngineThread:
    """Runs the jobs of all queues, one at a time. Safe to use from any thread."""

    def __init__(self) -> None:
        # The process's default executor would not do: whatever else blocks shares it.
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")
        self._lock = threading.Lock()
        #: The queue whose turn is next comes first.
        self._queues: deque[JobQueue] = deque()

    def queue(self, on_contention: Callable[[], None] = lambda: None) -> JobQueue:
        """Return a new queue of jobs.

        ``on_contention`` is called, on the thread that submits, when another queue gets a job in the
        foreground. The owner then ends what it runs and nobody waits for.
        """
        queue = JobQueue(self, on_contention)
        with self._lock:
            self._queues.append(queue)
        return queue

    def close(self) -> None:
        """Accept no more jobs; the job that is running goes on."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _submit(self, queue: JobQueue, job: _Job) -> None:
        with self._lock:
            if queue.closed:
                msg = "The queue is closed."
                raise RuntimeError(msg)
            queue.waiting.append(job)
            others = [] if job.background else [one for one in self._queues if one is not queue]
        for other in others:
            other.on_contention()
        self._executor.submit(self._run_next)

    def _run_next(self) -> None:
        job = self._take()
        if job is not None:
            job()

    def _take(self) -> _Job | None:
        """Take the next job off its queue, whose turn then comes after that of the others."""
        with self._lock:
            waiting = [queue for queue in self._queues if queue.waiting]
            if not waiting:
                return None  # the owner of the job has closed its queue
            queue = next((one for one in waiting if one.is_urgent), waiting[0])
            self._queues.remove(queue)
            self._queues.append(queue)
            return queue.waiting.popleft()

    def _discard(self, queue: JobQueue) -> list[_Job]:
        with self._lock:
            queue.closed = True
            if queue in self._queues:
                self._queues.remove(queue)
            dropped = list(queue.waiting)
            queue.waiting.clear()
        return dropped

    def _others_wait(self, queue: JobQueue) -> bool:
        with self._lock:
            return any(one.is_urgent for one in self._queues if one is not queue)


class JobQueue:
    """The jobs of one scheduler, which run in the order in which they were submitted."""

    def __init__(self, thread: EngineThread, on_contention: Callable[[], None]) -> None:
        self.on_contention = on_contention
        #: Guarded by the thread's lock, as is ``waiting``.
        self.closed = False
        self.waiting: deque[_Job] = deque()
        self._thread = thread
        self._unfinished: set[Future[None]] = set()

    @property
    def is_urgent(self) -> bool:
        """Whether a job in the foreground waits here."""
        return any(not job.background for job in self.waiting)

    @property
    def others_wait(self) -> bool:
        """Whether a job in the foreground waits in another queue."""
        return self._thread._others_wait(self)

    def submit(self, job: Callable[..., None], *args: object, background: bool = False) -> None:
        """Have ``job(*args)`` called on the engine thread; in the ``background`` if nobody waits for it.

        Raises:
            RuntimeError: the queue or the engine thread is closed.
        """
        one = _Job(partial(job, *args), background)
        self._unfinished.add(one.done)
        one.done.add_done_callback(self._unfinished.discard)
        try:
            self._thread._submit(self, one)
        except RuntimeError:
            one.done.cancel()
            raise

    def close(self) -> None:
        """Drop the jobs that wait and accept no more; a job that is running goes on."""
        for job in self._thread._discard(self):
            job.done.cancel()

    def join(self, timeout_s: float) -> bool:
        """Wait up to ``timeout_s`` seconds for the job that is running; return whether it has ended."""
        return not concurrent.futures.wait(self._unfinished.copy(), timeout_s).not_done
