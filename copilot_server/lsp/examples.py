"""The examples in an editor's documents: when candidates are checked against them, and the marks on those."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from cachetools import LRUCache

from copilot_server.completion.examples.types import Outcome
from copilot_server.completion.types import Candidate
from copilot_server.completion.verification.checker import ExampleChecker
from copilot_server.context.document import Cursor
from copilot_server.errors import SandboxUnavailableError
from copilot_server.lsp.settings import ClientSettings
from copilot_server.shown import shown

#: What the examples say of a candidate, in the order in which candidates are shown.
Mark = Literal["passed", "unchecked", "failed"]
_ORDER: tuple[Mark, ...] = ("passed", "unchecked", "failed")
_MARKS: Mapping[Outcome, Mark] = {"passed": "passed", "not checked": "unchecked", "failed": "failed"}

#: For how many positions candidates are kept until the user asks there.
REMEMBERED = 16


class SessionExamples:
    """Checks the candidates of one session in a sandbox of its own. For the thread of the event loop."""

    def __init__(self, settings: ClientSettings, log: Callable[[str], None]) -> None:
        """``log``: writes a line into the editor's log."""
        self._settings = settings
        self._log = log
        self._checker = ExampleChecker()
        self._is_silent = False
        self._idle: asyncio.Task[None] | None = None
        self._kept: LRUCache[tuple[str, int], tuple[Candidate, ...]] = LRUCache(REMEMBERED)
        #: Where the user has asked since.
        self._asked: LRUCache[tuple[str, int], bool] = LRUCache(REMEMBERED)

    async def are_wanted(self, cursor: Cursor) -> bool:
        """Whether candidates that the user asks for at a cursor are checked: there are examples for them."""
        if self._settings.current.verify == "off" or not self._has_sandbox():
            return False
        return len(await asyncio.to_thread(self._checker.examples, cursor)) > 0

    def warm(self, cursor: Cursor) -> None:
        """Have the sandbox ready if there are examples at a cursor that the user has come to."""
        if self._settings.current.verify != "off" and not self._checker.unavailable:
            self._checker.warm(cursor)

    async def check(self, cursor: Cursor, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Return the candidates with their verdicts: those that pass first, those that fail last.

        One that lacks an import comes with it if more examples pass then. Cancelling the caller's task ends
        the programs at once.
        """
        checks = [asyncio.wrap_future(one) for one in self._checker.check(cursor, candidates)]
        try:
            checked = await asyncio.gather(*checks)
        except asyncio.CancelledError:
            self._checker.stop()
            raise
        except SandboxUnavailableError:
            self._has_sandbox()
            return list(candidates)
        return in_order(different(checked))

    def start_idle(self, check: Coroutine[Any, Any, None]) -> None:
        """Run a check that the next request or edit interrupts."""
        self.interrupt()
        self._idle = asyncio.ensure_future(check)

    def interrupt(self) -> None:
        """End the check that runs while nobody types: somebody does."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def keep(self, cursor: Cursor, candidates: Sequence[Candidate]) -> None:
        """Keep candidates that were checked, in their order, for when the user asks at the cursor."""
        self._kept[_key(cursor)] = tuple(candidates)
        self._asked.pop(_key(cursor), None)

    def kept(self, cursor: Cursor) -> tuple[Candidate, ...]:
        """Return the candidates that were kept for the cursor."""
        return () if self._settings.current.verify == "off" else self._kept.get(_key(cursor), ())

    def asks_first(self, cursor: Cursor) -> bool:
        """Note that the user asks at the cursor; return whether it is the first time since any were kept."""
        is_first = _key(cursor) not in self._asked
        self._asked[_key(cursor)] = True
        return is_first

    def known(self, cursor: Cursor, candidate: Candidate) -> Candidate:
        """Return a candidate with its verdicts if it has been checked at the cursor before."""
        verdicts = self._checker.known(cursor, candidate)
        return candidate if verdicts is None else replace(candidate, verdicts=verdicts)

    def close(self) -> None:
        """End the checks and the sandbox."""
        self.interrupt()
        self._checker.close()

    def _has_sandbox(self) -> bool:
        """Whether a sandbox works here, as far as one was needed yet; if not, that is said once."""
        why = self._checker.unavailable
        if why and not self._is_silent:
            self._is_silent = True
            self._log(f"Examples are not checked. {why}")
        return not why


def different(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return candidates with different texts, each the first of its text."""
    return list({one.text: one for one in reversed(candidates)}.values())[::-1]


def _key(cursor: Cursor) -> tuple[str, int]:
    return cursor.document.text, cursor.offset


def in_order(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return those that pass all examples first, then those not checked, then those that fail the fewest."""
    return sorted(candidates, key=lambda one: (_ORDER.index(mark_of(one)), _failures(one)))


def mark_of(candidate: Candidate) -> Mark:
    """Return what the examples say of a candidate."""
    return "unchecked" if candidate.verdicts is None else _MARKS[candidate.verdicts.outcome]


def _failures(candidate: Candidate) -> int:
    return 0 if candidate.verdicts is None else len(candidate.verdicts.failed)


@dataclass(frozen=True, slots=True)
class Note:
    """What an editor shows of the examples beside a candidate. ``message`` is safe to show in one line."""

    mark: Mark
    message: str
    passed: int
    examples: int


def note_of(candidate: Candidate) -> Note | None:
    """Return what to show beside a candidate; None where there were no examples."""
    verdicts = candidate.verdicts
    if verdicts is None or not verdicts.verdicts:
        return None
    message = shown(verdicts.summary())
    return Note(mark_of(candidate), message, len(verdicts.passed), len(verdicts.verdicts))
