"""Copilot's older requests: ``getCompletions`` and ``getCompletionsCycling``.

Source: the requests that copilot.vim and copilot.el make.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from copilot_server.lsp import suggestions
from copilot_server.lsp.convert import legacy_completion
from copilot_server.lsp.handlers.handler import Handlers
from copilot_server.lsp.session import Session
from copilot_server.lsp.snapshot import Snapshot
from copilot_server.lsp.wire.messages import GET_COMPLETIONS, GET_COMPLETIONS_CYCLING, LegacyParams


def get_completions(session: Session, params: LegacyParams) -> Awaitable[dict[str, Any]]:
    """Suggest what follows the cursor while the user types."""
    snapshot = suggestions.take_snapshot(session, params.completion_params)
    return _answer(session, snapshot, invoked=False)


def get_completions_cycling(session: Session, params: LegacyParams) -> Awaitable[dict[str, Any]]:
    """Suggest several continuations: the user has asked to see another."""
    snapshot = suggestions.take_snapshot(session, params.completion_params)
    return _answer(session, snapshot, invoked=True)


async def _answer(session: Session, snapshot: Snapshot, *, invoked: bool) -> dict[str, Any]:
    items = await suggestions.inline(session, snapshot, invoked=invoked)
    return {"completions": [legacy_completion(item, snapshot.document.version) for item in items]}


HANDLERS: Handlers = {
    GET_COMPLETIONS: get_completions,
    GET_COMPLETIONS_CYCLING: get_completions_cycling,
}
