"""From a request to the items that answer it."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Sequence

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams, JsonRpcRequestCancelled

from copilot_server.completion.types import Candidate, Completion, CompletionRequest
from copilot_server.engine.base import Sampling
from copilot_server.lsp import reasons
from copilot_server.lsp.checked import asked, check_when_idle, kept_for, sampled
from copilot_server.lsp.completing import Answer, complete
from copilot_server.lsp.convert import MarkedItem, completion_items, inline_items, word_before
from copilot_server.lsp.examples import in_order, mark_of, note_of
from copilot_server.lsp.session import Session
from copilot_server.lsp.snapshot import Snapshot, snapshot_at
from copilot_server.lsp.wire.messages import CompletionParams, SelectedCompletion
from copilot_server.statistics.types import Item, Offer, Trigger

#: The number of candidates in a panel.
PANEL_CANDIDATES = 6


def take_snapshot(
    session: Session, params: CompletionParams, selected: SelectedCompletion | None = None
) -> Snapshot:
    """Take a request's document and cursor as they are now.

    Raises:
        JsonRpcInvalidParams: the document is not open.
        JsonRpcRequestCancelled: the request was made for an older version than the one that is open.
    """
    document = session.documents.get(params.text_document.uri)
    if document is None:
        raise JsonRpcInvalidParams(f"The document {params.text_document.uri} is not open.")
    version = params.text_document.version
    if version is not None and version < document.version:
        raise JsonRpcRequestCancelled("The document has changed.")
    session.focus(document.uri, params.position)
    session.examples.interrupt()
    snapshot = snapshot_at(
        document, params.position, selected, session.documents.encoding, session.notebooks.among_cells
    )
    session.statistics.requested(document.uri, snapshot.end)
    return snapshot


async def inline(session: Session, snapshot: Snapshot, *, invoked: bool) -> list[MarkedItem]:
    """Give one suggestion, or several if the user ``invoked`` the completion explicitly.

    Raises:
        JsonRpcRequestCancelled: a newer request or an edit made the answer useless.
        JsonRpcException: the generation failed.
    """
    document = snapshot.document
    if not invoked and session.panels.get(document.uri) == (document.text, snapshot.end):
        return []
    request = CompletionRequest(snapshot.cursor, invoked, workspace=session.workspace.source)
    if invoked:
        answer = await asked(session, request, snapshot)
        shown = answer.completion.candidates[: session.settings.current.completion.candidates]
        session.reporter.answered(document.uri, answer.why, note_of(shown[0]) if shown else None)
        return _inline_items(session, snapshot, answer.completion, shown, "invoked")
    answer = await complete(session, request, snapshot, "automatic")
    candidates = _wanted(session, snapshot, answer)
    if candidates and answer.completion.scope == "function":
        check_when_idle(session, request, snapshot, candidates[0])
    return _inline_items(session, snapshot, answer.completion, candidates, "automatic")


async def menu(session: Session, snapshot: Snapshot) -> list[types.CompletionItem]:
    """Give the items of a completion menu, one at the most.

    Raises:
        JsonRpcRequestCancelled, JsonRpcException: as ``inline``.
    """
    request = CompletionRequest(snapshot.cursor, workspace=session.workspace.source)
    answer = await complete(session, request, snapshot, "menu")
    candidates = _wanted(session, snapshot, answer)
    candidates = tuple(session.examples.known(snapshot.cursor, one) for one in candidates)
    lines, encoding = snapshot.document.lines, session.documents.encoding
    items = completion_items(candidates, snapshot.own_cursor, encoding, lines)
    counted = _counted(candidates, head=word_before(snapshot.own_cursor))
    _record(session, snapshot, answer.completion, counted, "automatic")
    for item, one in zip(items, counted, strict=True):
        item.command = _accept_command(session, one)
    return items


async def panel(session: Session, snapshot: Snapshot) -> AsyncIterator[list[MarkedItem]]:
    """Give many suggestions in parts: the best one as soon as it is there, then the others.

    What passed while nobody typed comes before them, and what fails an example comes last. As long as text
    and cursor stay as they are, nothing is suggested there by itself: the user has asked.

    Raises:
        JsonRpcRequestCancelled, JsonRpcException: as ``inline``.
    """
    document = snapshot.document
    session.panels[document.uri] = document.text, snapshot.end
    try:
        async for part in _panel_parts(session, snapshot):
            yield part
    finally:
        session.panels.pop(document.uri, None)


async def _panel_parts(session: Session, snapshot: Snapshot) -> AsyncIterator[list[MarkedItem]]:
    kept = kept_for(session, snapshot)
    shown_before = {one.text for one in kept}
    seen = set(shown_before)
    failing = [one for one in kept if mark_of(one) == "failed"]
    if kept:
        passing = [one for one in kept if mark_of(one) != "failed"]
        yield _inline_items(session, snapshot, Completion(kept, "cache", ""), passing, "panel")
    for sampling in _panel_sampling(session):
        request = CompletionRequest(
            snapshot.cursor, invoked=True, sampling=sampling, workspace=session.workspace.source
        )
        try:
            completion, why = await complete(session, request, snapshot, "panel")
        except JsonRpcRequestCancelled:
            if not failing:
                raise
            break  # what was held back is better than nothing
        fresh = [one for one in completion.candidates if one.text not in seen][:PANEL_CANDIDATES]
        seen.update(one.text for one in completion.candidates)
        if fresh and await session.examples.are_wanted(snapshot.cursor):
            checked = await session.examples.check(snapshot.cursor, fresh)
            # One that has got its imports may be there already.
            fresh = [one for one in checked if one.text not in shown_before]
        failing += (one for one in fresh if mark_of(one) == "failed")
        shown = [one for one in fresh if mark_of(one) != "failed"]
        session.reporter.answered(snapshot.document.uri, None if seen else why)
        yield _inline_items(session, snapshot, completion, shown, "panel")
    if failing:
        yield _inline_items(session, snapshot, completion, in_order(failing)[:PANEL_CANDIDATES], "panel")


def _panel_sampling(session: Session) -> tuple[Sampling, Sampling]:
    """Say how to sample the two parts of a panel: one greedily, the others at the temperature set."""
    settings = session.settings.current.completion
    return Sampling(max_new_tokens=settings.max_new_tokens), sampled(session, PANEL_CANDIDATES - 1)


# Answering.


def _wanted(session: Session, snapshot: Snapshot, answer: Answer) -> tuple[Candidate, ...]:
    """Return the one suggestion to show while the user types, if any.

    Whoever did not want the best one is not offered the next best, which an explicit request may have left
    in the cache.
    """
    document, offset, rest = snapshot.document, snapshot.end, _rest_of_head(snapshot)
    best = answer.completion.candidates[:1]
    wanted = tuple(
        one for one in best if session.rejected.allows(document.uri, document.text, offset, rest + one.text)
    )
    session.reporter.answered(document.uri, reasons.REJECTED if best and not wanted else answer.why)
    return wanted


def _inline_items(
    session: Session,
    snapshot: Snapshot,
    completion: Completion,
    candidates: Sequence[Candidate],
    kind: Trigger,
) -> list[MarkedItem]:
    """Make items of ``candidates``, each with the command that reports its acceptance."""
    items = inline_items(snapshot, candidates, session.documents.encoding)
    typed = snapshot.document.text[snapshot.start : snapshot.end]
    counted = _counted(candidates, head=typed, rest=_rest_of_head(snapshot))
    _record(session, snapshot, completion, counted, kind)
    for item, one in zip(items, counted, strict=True):
        item.command = _accept_command(session, one)
    return items


def _rest_of_head(snapshot: Snapshot) -> str:
    """Return what of the item that is selected in the editor's menu is not in the document yet.

    This holds as long as that item continues the text at the cursor, and editors select only such.
    """
    return snapshot.head.removeprefix(snapshot.document.text[snapshot.start : snapshot.end])


def _accept_command(session: Session, item: Item) -> types.Command:
    return types.Command(title="", command=session.accept_command, arguments=[item.id])


def _record(
    session: Session, snapshot: Snapshot, completion: Completion, items: tuple[Item, ...], kind: Trigger
) -> None:
    """Count what is about to be shown, and follow what becomes of it."""
    if not items:
        return
    uri, text = snapshot.document.uri, snapshot.document.text
    if kind != "panel":
        session.rejected.offered(uri, text, snapshot.end, {item.id: item.text for item in items})
    offer = Offer(
        uri=uri,
        document=text,
        offset=snapshot.end,
        items=items,
        language=snapshot.document.language_id,
        model=session.reporter.model,
        source=completion.source,
        latency_s=time.monotonic() - snapshot.requested_s,
        trigger=kind,
        eagerness=session.settings.current.completion.eagerness,
    )
    session.statistics.offered(offer)


def _counted(candidates: Sequence[Candidate], *, head: str, rest: str = "") -> tuple[Item, ...]:
    """Give each candidate an id for the statistics.

    ``head``: what the editor's item repeats of the text before the cursor. ``rest``: what the item has
    between that and the candidate.
    """
    return tuple(
        Item(uuid.uuid4().hex, rest + one.text, one.replaced, one.mean_logprob, head) for one in candidates
    )
