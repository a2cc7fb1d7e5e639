"""From a request to the items that answer it."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Literal

from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams, JsonRpcRequestCancelled

from copilot_server.completion.gate import is_worthwhile
from copilot_server.completion.scheduling.scheduler import Superseded
from copilot_server.completion.types import Candidate, Completion, CompletionRequest
from copilot_server.engine.base import Sampling
from copilot_server.errors import CopilotServerError
from copilot_server.lsp.convert import completion_items, inline_items, word_before
from copilot_server.lsp.session import Outcome, RequestKind, Session
from copilot_server.lsp.snapshot import Snapshot, snapshot_at
from copilot_server.lsp.wire.messages import CompletionParams, SelectedCompletion
from copilot_server.statistics.types import Item, Offer, Trigger

#: The number of candidates in a panel.
PANEL_CANDIDATES = 6

_NO_COMPLETION = Completion((), "none", "")

#: What the status says where the model has a suggestion that is not shown.
_REJECTED = "Ready. You did not want the suggestion here."
_UNLIKELY = "Ready. The suggestion here is not likely enough to be right (eagerness: {})."
_MISSING = "Ready. The suggestion here uses a name that does not exist: {}."


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
    snapshot = snapshot_at(
        document, params.position, selected, session.documents.encoding, session.notebooks.among_cells
    )
    session.statistics.requested(document.uri, snapshot.end)
    return snapshot


async def inline(session: Session, snapshot: Snapshot, *, invoked: bool) -> list[types.InlineCompletionItem]:
    """Give one suggestion, or several if the user ``invoked`` the completion explicitly.

    Raises:
        JsonRpcRequestCancelled: a newer request or an edit made the answer useless.
        JsonRpcException: the generation failed.
    """
    kind: Literal["automatic", "invoked"] = "invoked" if invoked else "automatic"
    request = CompletionRequest(snapshot.cursor, invoked, workspace=session.workspace.source)
    completion = await _complete(session, request, snapshot, kind)
    if invoked:
        candidates = completion.candidates[: session.settings.current.completion.candidates]
        session.answered(None if candidates else _why_none(completion))
    else:
        candidates = _wanted(session, snapshot, completion)
    return _inline_items(session, snapshot, completion, candidates, kind)


async def menu(session: Session, snapshot: Snapshot) -> list[types.CompletionItem]:
    """Give the items of a completion menu, one at the most.

    Raises:
        JsonRpcRequestCancelled, JsonRpcException: as ``inline``.
    """
    request = CompletionRequest(snapshot.cursor, workspace=session.workspace.source)
    completion = await _complete(session, request, snapshot, "menu")
    candidates = _wanted(session, snapshot, completion)
    lines, encoding = snapshot.document.lines, session.documents.encoding
    items = completion_items(candidates, snapshot.own_cursor, encoding, lines)
    counted = _counted(candidates, head=word_before(snapshot.own_cursor))
    _record(session, snapshot, completion, counted, "automatic")
    for item, one in zip(items, counted, strict=True):
        item.command = _accept_command(session, one)
    return items


async def panel(session: Session, snapshot: Snapshot) -> AsyncIterator[list[types.InlineCompletionItem]]:
    """Give many suggestions in two parts: the best one as soon as it is there, then the others.

    Raises:
        JsonRpcRequestCancelled, JsonRpcException: as ``inline``.
    """
    seen: set[str] = set()
    for sampling in _panel_sampling(session):
        request = CompletionRequest(
            snapshot.cursor, invoked=True, sampling=sampling, workspace=session.workspace.source
        )
        completion = await _complete(session, request, snapshot, "panel")
        fresh = [one for one in completion.candidates if one.text not in seen][:PANEL_CANDIDATES]
        yield _inline_items(session, snapshot, completion, fresh, "panel")
        seen.update(one.text for one in completion.candidates)


def _panel_sampling(session: Session) -> tuple[Sampling, Sampling]:
    """Say how to sample the two parts of a panel: one greedily, the others at the temperature set."""
    settings = session.settings.current.completion
    greedy = Sampling(max_new_tokens=settings.max_new_tokens)
    others = Sampling(
        temperature=settings.temperature,
        top_p=settings.top_p,
        n=PANEL_CANDIDATES - 1,
        max_new_tokens=settings.max_new_tokens,
    )
    return greedy, others


# Completing.


async def _complete(
    session: Session, request: CompletionRequest, snapshot: Snapshot, kind: RequestKind
) -> Completion:
    """Complete at the cursor of a snapshot, and report the outcome to the metrics."""
    outcome: Outcome = "failed"
    try:
        completion = await _completion(session, request, snapshot)
        outcome = completion.source
    except (JsonRpcRequestCancelled, asyncio.CancelledError):
        outcome = "cancelled"
        raise
    finally:
        session.on_outcome(kind, outcome, time.monotonic() - snapshot.requested_s)
    return completion


async def _completion(session: Session, request: CompletionRequest, snapshot: Snapshot) -> Completion:
    """Complete at the cursor of a snapshot; no candidates where none are wanted, or there is no model."""
    uri = snapshot.document.uri
    if not session.settings.current.enabled or session.why_silent(uri) is not None:
        return _NO_COMPLETION
    if not request.invoked and not is_worthwhile(snapshot.cursor):
        return _NO_COMPLETION
    session.loader.load(again=request.invoked)
    with session.thinking():
        completion = await _submit(session, request)
    now = session.documents.get(uri)
    if now is not snapshot.document and (now is None or now.text != snapshot.document.text):
        raise JsonRpcRequestCancelled("The document has changed.")
    return completion


async def _submit(session: Session, request: CompletionRequest) -> Completion:
    try:
        completion = await session.scheduler.submit(request)
    except Superseded:
        raise JsonRpcRequestCancelled("A newer request has replaced this one.") from None
    except CopilotServerError as error:
        if session.scheduler.failure is not None:  # the user was shown it when loading failed
            return _NO_COMPLETION
        session.failed(error)
        raise JsonRpcException(str(error), code=types.LSPErrorCodes.RequestFailed) from error
    if completion.source == "model":
        session.works()
    return completion


# Answering.


def _wanted(session: Session, snapshot: Snapshot, completion: Completion) -> tuple[Candidate, ...]:
    """Return the one suggestion to show while the user types, if any; the status says why there is none.

    Whoever did not want the best one is not offered the next best, which an explicit request may have left
    in the cache.
    """
    document, offset, rest = snapshot.document, snapshot.end, _rest_of_head(snapshot)
    best = completion.candidates[:1]
    wanted = tuple(
        one for one in best if session.rejected.allows(document.uri, document.text, offset, rest + one.text)
    )
    why = None
    if best and not wanted:
        why = _REJECTED
    elif completion.withheld and not wanted:
        why = _UNLIKELY.format(session.settings.current.completion.eagerness)
    elif not wanted:
        why = _why_none(completion)
    session.answered(why)
    return wanted


def _why_none(completion: Completion) -> str | None:
    """Return why there is no suggestion, if it is known."""
    return _MISSING.format(completion.missing) if completion.missing else None


def _inline_items(
    session: Session,
    snapshot: Snapshot,
    completion: Completion,
    candidates: Sequence[Candidate],
    kind: Trigger,
) -> list[types.InlineCompletionItem]:
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
        model=session.model,
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
