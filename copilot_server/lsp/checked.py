"""Suggestions that are checked against the examples of their function before or after they are shown."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from pygls.exceptions import JsonRpcException

from copilot_server.completion.plan import SAMPLED
from copilot_server.completion.types import Candidate, Completion, CompletionRequest
from copilot_server.completion.verification.drawing import BUDGET, EDITOR_S, rounds_within
from copilot_server.engine.base import Sampling
from copilot_server.lsp.completing import Answer, complete
from copilot_server.lsp.examples import different, in_order, mark_of, note_of
from copilot_server.lsp.session import Session
from copilot_server.lsp.snapshot import Snapshot

#: How long nobody must have typed before a suggestion that is shown is checked, in seconds.
QUIET_S = 1.0

#: Asks for candidates that are sampled in a certain way.
Draw = Callable[[Sampling], Awaitable[Answer]]


async def asked(session: Session, request: CompletionRequest, snapshot: Snapshot) -> Answer:
    """Complete for a user who asks, with those candidates first that pass the function's examples.

    If one passed while nobody typed, what was drawn then is given at once, the first time. Otherwise, if all
    candidates fail an example, others are drawn while the budget and the time last.

    Raises:
        JsonRpcRequestCancelled, JsonRpcException: as ``complete``.
    """
    kept = kept_for(session, snapshot)
    if kept and session.examples.asks_first(snapshot.cursor):
        session.on_outcome("invoked", "cache", time.monotonic() - snapshot.requested_s)
        return Answer(Completion(kept, "cache", ""), None)
    answer = await complete(session, request, snapshot, "invoked")
    found = [*kept, *answer.completion.candidates]
    if not found or not await session.examples.are_wanted(snapshot.cursor):
        return answer
    found = await session.examples.check(snapshot.cursor, different(found))
    drawn = session.settings.current.completion.candidates * SAMPLED

    def draw(sampling: Sampling) -> Awaitable[Answer]:
        return complete(session, replace(request, sampling=sampling), snapshot, "invoked")

    found = await _until_one_passes(session, snapshot, found, drawn, draw)
    return answer._replace(completion=replace(answer.completion, candidates=tuple(found)))


def kept_for(session: Session, snapshot: Snapshot) -> tuple[Candidate, ...]:
    """Return what was drawn at the cursor while nobody typed; nothing where nothing is to be suggested."""
    is_off = session.switches.why_never(snapshot.document.uri) is not None
    return () if is_off else session.examples.kept(snapshot.cursor)


def check_when_idle(
    session: Session, request: CompletionRequest, snapshot: Snapshot, candidate: Candidate
) -> None:
    """Check a suggestion that is shown once nobody types, if the user wants that; else only get ready to.

    If another one passes in its stead, both are kept for when the user asks, and the status says so. What is
    shown stays as it is.
    """
    session.examples.warm(snapshot.cursor)
    if session.settings.current.verify == "idle":
        session.examples.start_idle(_checked_idly(session, request, snapshot, candidate))


async def _checked_idly(
    session: Session, request: CompletionRequest, snapshot: Snapshot, candidate: Candidate
) -> None:
    await asyncio.sleep(QUIET_S)
    if not await session.examples.are_wanted(snapshot.cursor):
        return
    found = await session.examples.check(snapshot.cursor, [candidate])
    shown = session.examples.known(snapshot.cursor, candidate)  # ``found`` may have got imports
    note = note_of(shown)
    session.reporter.answered(snapshot.document.uri, None, note)

    def draw(sampling: Sampling) -> Awaitable[Answer]:
        return complete(session, replace(request, invoked=True, sampling=sampling), snapshot, "automatic")

    with contextlib.suppress(JsonRpcException):  # nobody waits for it
        found = await _until_one_passes(session, snapshot, found, 1, draw)
    if note is not None and note.mark == "failed" and mark_of(found[0]) == "passed":
        session.examples.keep(snapshot.cursor, found)
        better = replace(note, message=f"{note.message}; another one passes")
        session.reporter.answered(snapshot.document.uri, None, better)


async def _until_one_passes(
    session: Session, snapshot: Snapshot, found: list[Candidate], drawn: int, draw: Draw
) -> list[Candidate]:
    """Draw others than those that were ``found`` while the first fails an example; return all in order.

    ``drawn``: how many of the budget are spent.
    """
    begun_s = time.monotonic()
    for following in rounds_within(BUDGET, drawn):
        if mark_of(found[0]) != "failed" or time.monotonic() - begun_s > EDITOR_S:
            break
        completion, _ = await draw(sampled(session, following.samples))
        known = {one.text for one in found}
        fresh = [one for one in completion.candidates if one.text not in known]
        found = in_order(different([*found, *await session.examples.check(snapshot.cursor, fresh)]))
    return found


def sampled(session: Session, count: int) -> Sampling:
    """Say how to sample ``count`` candidates, none of them greedy."""
    settings = session.settings.current.completion
    return Sampling(
        temperature=settings.temperature,
        top_p=settings.top_p,
        n=count,
        max_new_tokens=settings.max_new_tokens,
    )
