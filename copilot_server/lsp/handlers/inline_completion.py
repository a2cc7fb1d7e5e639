"""``textDocument/inlineCompletion``: ghost text at the cursor."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from lsprotocol import types

from copilot_server.lsp import suggestions
from copilot_server.lsp.convert import inline_list
from copilot_server.lsp.handlers.handler import Handlers
from copilot_server.lsp.session import Session
from copilot_server.lsp.snapshot import Snapshot
from copilot_server.lsp.wire.messages import InlineCompletionParams


def inline_completion(session: Session, params: InlineCompletionParams) -> Awaitable[dict[str, Any]]:
    """Suggest what follows the cursor; an empty list where there is no suggestion.

    Neovim leaves the old ghost text on the screen if the answer is null instead.
    """
    snapshot = suggestions.take_snapshot(session, params, params.selected)
    return _answer(session, snapshot, invoked=params.invoked)


async def _answer(session: Session, snapshot: Snapshot, *, invoked: bool) -> dict[str, Any]:
    return inline_list(await suggestions.inline(session, snapshot, invoked=invoked))


HANDLERS: Handlers = {types.TEXT_DOCUMENT_INLINE_COMPLETION: inline_completion}
