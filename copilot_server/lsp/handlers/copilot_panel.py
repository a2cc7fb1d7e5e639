"""``textDocument/copilotPanelCompletion``: many suggestions for one position, beside the text.

Source: the README of the npm package ``@github/copilot-language-server``.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from pygls.exceptions import JsonRpcRequestCancelled

from copilot_server.lsp import suggestions
from copilot_server.lsp.convert import MarkedItem, inline_list
from copilot_server.lsp.handlers.handler import Handlers
from copilot_server.lsp.session import Session
from copilot_server.lsp.snapshot import Snapshot
from copilot_server.lsp.wire.messages import PANEL, PanelParams


def panel_completion(session: Session, params: PanelParams) -> Awaitable[dict[str, Any]]:
    """Suggest several continuations, the first of them early if the editor takes partial results."""
    snapshot = suggestions.take_snapshot(session, params)
    return _answer(session, snapshot, params.partial_result_token)


async def _answer(session: Session, snapshot: Snapshot, token: int | str | None) -> dict[str, Any]:
    """Send each part as it comes, or collect them all if there is no ``token``.

    Typing comes first: if a newer request for the document ends this one, the panel keeps what it has.
    """
    items: list[MarkedItem] = []
    try:
        async for part in suggestions.panel(session, snapshot):
            if token is None:
                items += part
            else:
                session.client.send_partial_result(token, inline_list(part))
    except JsonRpcRequestCancelled:
        if not items:
            raise
    return inline_list(items)


HANDLERS: Handlers = {PANEL: panel_completion}
