"""Decoding for many callers at once, on a thread of its own."""

from __future__ import annotations

import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass

from copilot_server.engine.base import Generation, GenerationRequest, Prompt
from copilot_server.engine.decoding.engine import DecodingEngine
from copilot_server.engine.decoding.jobs import Job
from copilot_server.engine.decoding.schedule import Schedule
from copilot_server.engine.memory import memory_errors
from copilot_server.errors import EngineError

_LOG = logging.getLogger(__name__)

#: Receives what the candidates of a request have written so far, on the loop's thread.
OnWritten = Callable[[Sequence[Generation]], None]


class Decoding:
    """A request that is being decoded, or waits for its turn. Any thread may use it."""

    def __init__(self, loop: DecodingLoop, job: Job, on_written: OnWritten | None) -> None:
        #: The candidates, once all are finished or the request was cancelled; or an ``EngineError``.
        self.done: Future[list[Generation]] = Future()
        self.done.set_running_or_notify_cancel()  # only the loop ends it
        self.job = job
        self._loop = loop
        self._on_written = on_written
        self._reported_tokens = 0

    def cancel(self) -> None:
        """End it after the token that is being decoded; ``done`` then has what was written until then."""
        self._loop._drop(self)

    def _report(self) -> None:
        tokens = sum(len(one.token_ids) for one in self.job.candidates)
        if self._on_written is not None and tokens > self._reported_tokens:
            self._reported_tokens = tokens
            self._on_written(self.job.generations())


class Reading:
    """Prompts that are read when nothing is to be decoded. Any thread may use it."""

    def __init__(self, prompts: Sequence[Prompt]) -> None:
        #: Done when they have been read, or the reading was cancelled; or an ``EngineError``.
        self.done: Future[None] = Future()
        self.done.set_running_or_notify_cancel()  # only the loop ends it
        self.prompts = prompts
        self.cancelled = threading.Event()

    def cancel(self) -> None:
        """End it after the piece that is being read, which is kept."""
        self.cancelled.set()


class DecodingLoop:
    """Decodes requests together: each enters when it arrives, and leaves when it is finished.

    ``batch_size``: how many candidates are decoded at a time, urgent ones apart. The loop owns the engine:
    nothing else may use it until the loop is closed, which closes the engine too.
    """

    def __init__(self, engine: DecodingEngine, *, batch_size: int) -> None:
        self.engine = engine
        self._batch_size = batch_size
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        # Guarded by ``_changed``.
        self._arrived: list[Decoding] = []
        self._dropped: list[Decoding] = []
        self._readings: deque[Reading] = deque()
        self._closed = False
        # The thread's own.
        self._active: dict[int, Decoding] = {}
        self._needs_room = False
        self._thread = threading.Thread(target=self._run, name="decoding", daemon=True)
        self._thread.start()

    def submit(
        self, request: GenerationRequest, *, urgent: bool = False, on_written: OnWritten | None = None
    ) -> Decoding:
        """Have a request decoded. ``urgent``: before all that is not; see ``Schedule``.

        ``on_written`` is called after each step that has added to a candidate. It must be quick.

        Raises:
            PromptTooLongError: prompt and completion do not fit the model's context.
            EngineError: the loop was closed.
        """
        decoding = Decoding(self, self.engine.job(next(self._numbers), request, urgent=urgent), on_written)
        with self._changed:
            self._check_open()
            self._arrived.append(decoding)
            self._changed.notify()
        return decoding

    def read(self, prompts: Sequence[Prompt]) -> Reading:
        """Have prompts read when nothing is to be decoded; see ``ReadingEngine.read``.

        A request that arrives ends it for as long as it takes.

        Raises:
            EngineError: the loop was closed.
        """
        reading = Reading(prompts)
        with self._changed:
            self._check_open()
            self._readings.append(reading)
            self._changed.notify()
        return reading

    def close(self, timeout_s: float) -> bool:
        """Cancel what is being decoded, accept nothing more, and close the engine.

        Returns:
            False if a step takes longer than ``timeout_s``; the engine then stays open.
        """
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            return False
        self.engine.close()
        return True

    def _check_open(self) -> None:
        if self._closed:
            raise EngineError("The engine is shutting down.", remedy="Try again in a few seconds.")

    def _drop(self, decoding: Decoding) -> None:
        with self._changed:
            self._dropped.append(decoding)
            self._changed.notify()

    def _run(self) -> None:
        with closing(self.engine.schedule(self._batch_size)) as schedule:
            while self._exchange(schedule):
                if not schedule.is_done:
                    self._step(schedule)
                elif self._readings:
                    self._read(self._readings[0])
        for reading in self._readings:
            reading.done.set_result(None)

    def _exchange(self, schedule: Schedule) -> bool:
        """Take what has arrived and drop what was cancelled, waiting if there is nothing to do.

        Returns:
            False once the loop is closed.
        """
        with self._changed:
            while schedule.is_done and not (self._has_news() or self._readings):
                self._changed.wait()
            arrived, self._arrived = self._arrived, []
            dropped, self._dropped = self._dropped, []
            closed = self._closed
        self._active |= {one.job.index: one for one in arrived}
        schedule.add([one.job for one in arrived])
        for one in dropped:
            schedule.drop(one.job)
            self._finish([one.job])
        self._needs_room = self._needs_room or bool(arrived)
        if closed:
            self._finish(schedule.cancel())
        return not closed

    def _has_news(self) -> bool:
        """Whether something has arrived, was cancelled, or the loop was closed."""
        return bool(self._arrived or self._dropped or self._closed)

    def _read(self, reading: Reading) -> None:
        """Read prompts until something arrives; after that, go on."""
        interruption = _Interruption(reading, self._has_news)
        error = _error_of(lambda: self.engine.read(reading.prompts, interruption))
        if error is not None:
            reading.done.set_exception(error)
        elif self._has_news() and not reading.cancelled.is_set():
            return
        else:
            reading.done.set_result(None)
        with self._changed:
            self._readings.remove(reading)

    def _step(self, schedule: Schedule) -> None:
        finished: list[Job] = []
        error = _error_of(lambda: finished.extend(self._decoded(schedule)))
        if error is not None:
            for job in schedule.fail():
                self._active.pop(job.index).done.set_exception(error)
            return
        for one in self._active.values():
            one._report()
        self._finish(finished)

    def _decoded(self, schedule: Schedule) -> list[Job]:
        """Decode a step, with room for what has arrived; return what is thereby finished."""
        if self._needs_room:
            self._needs_room = False
            self.engine.make_room([one.job for one in self._active.values()], self._batch_size)
        with memory_errors():
            return self.engine.step(schedule)

    def _finish(self, jobs: Iterable[Job]) -> None:
        for job in jobs:
            decoding = self._active.pop(job.index, None)
            if decoding is not None:
                decoding.done.set_result(job.generations())


def _error_of(act: Callable[[], None]) -> EngineError | None:
    """Do something on the loop's thread, which must go on, or callers would wait for ever."""
    try:
        act()
    except EngineError as error:
        return error
    except Exception as error:  # noqa: BLE001 - see above
        _LOG.exception("the engine failed")
        return EngineError(f"The engine failed: {type(error).__name__}.")
    return None


@dataclass(frozen=True, slots=True)
class _Interruption:
    """Set when a reading is not wanted any more, or has to wait."""

    reading: Reading
    has_news: Callable[[], bool]

    def is_set(self) -> bool:
        """See ``Cancel``."""
        return self.reading.cancelled.is_set() or self.has_news()
