"""Asking the model at the cursor of a snapshot, for one session."""

from __future__ import annotations

import asyncio
import time
from typing import NamedTuple

from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcRequestCancelled

from copilot_server.completion.gate import is_worthwhile
from copilot_server.completion.scheduling.scheduler import Superseded
from copilot_server.completion.types import Completion, CompletionRequest
from copilot_server.errors import ConsentError, CopilotServerError
from copilot_server.lsp import reasons
from copilot_server.lsp.reasons import Reason
from copilot_server.lsp.session import Outcome, RequestKind, Session
from copilot_server.lsp.snapshot import Snapshot

_NO_COMPLETION = Completion((), "none", "")


class Answer(NamedTuple):
    """A completion, and why it has no candidates if it has none."""

    completion: Completion
    why: Reason | None


async def complete(
    session: Session, request: CompletionRequest, snapshot: Snapshot, kind: RequestKind
) -> Answer:
    """Complete at the cursor of a snapshot, and report the outcome to the metrics.

    Raises:
        JsonRpcRequestCancelled: a newer request or an edit made the answer useless.
        JsonRpcException: the generation failed.
    """
    outcome: Outcome = "failed"
    try:
        answer = await _answer(session, request, snapshot)
        outcome = answer.completion.source
    except (JsonRpcRequestCancelled, asyncio.CancelledError):
        outcome = "cancelled"
        raise
    finally:
        session.on_outcome(kind, outcome, time.monotonic() - snapshot.requested_s)
    return answer


async def _answer(session: Session, request: CompletionRequest, snapshot: Snapshot) -> Answer:
    """Complete at the cursor of a snapshot; no candidates where none are wanted, or there is no model."""
    uri = snapshot.document.uri
    why = session.switches.why_never(uri) if request.invoked else session.switches.why_silent(uri)
    if why is None and not request.invoked and not is_worthwhile(snapshot.cursor):
        why = reasons.NOT_WORTHWHILE
    if why is not None:
        return Answer(_NO_COMPLETION, why)
    session.loader.load(again=request.invoked, ask=request.invoked)
    session.reporter.waits(uri)
    with session.reporter.thinking():
        answer = await _submit(session, request, uri)
    now = session.documents.get(uri)
    if now is not snapshot.document and (now is None or now.text != snapshot.document.text):
        raise JsonRpcRequestCancelled("The document has changed.")
    return answer


async def _submit(session: Session, request: CompletionRequest, uri: str) -> Answer:
    """Have the model complete; ``uri`` is the document's, in which the user asks."""
    try:
        completion = await session.scheduler.submit(request)
    except Superseded:
        raise JsonRpcRequestCancelled("A newer request has replaced this one.") from None
    except CopilotServerError as error:
        why = reasons.failed(error)
        # The user was shown it when loading failed; or was asked, and may just have agreed.
        if session.scheduler.failure is not None or isinstance(error, ConsentError):
            return Answer(_NO_COMPLETION, why)
        session.reporter.answered(uri, why)
        session.reporter.failed(error)
        raise JsonRpcException(str(error), code=types.LSPErrorCodes.RequestFailed) from error
    if completion.source == "model":
        session.reporter.works()
    if completion.candidates:
        return Answer(completion, None)
    return Answer(
        completion, reasons.of_completion(completion, session.settings.current.completion.eagerness)
    )
