"""``textDocument/completion``: a suggestion in the menu of an editor that cannot show ghost text."""

from __future__ import annotations

from collections.abc import Awaitable

from lsprotocol import types

from copilot_server.lsp import suggestions
from copilot_server.lsp.handlers.handler import Handlers
from copilot_server.lsp.session import Session
from copilot_server.lsp.snapshot import Snapshot
from copilot_server.lsp.wire.messages import CompletionParams


def completion(session: Session, params: CompletionParams) -> Awaitable[types.CompletionList]:
    """Suggest what follows the cursor, as the one item of a list that another key may change."""
    return _answer(session, suggestions.take_snapshot(session, params))


async def _answer(session: Session, snapshot: Snapshot) -> types.CompletionList:
    return types.CompletionList(is_incomplete=True, items=await suggestions.menu(session, snapshot))


#: To be registered only for an editor without inline completion: another would show each suggestion twice.
HANDLERS: Handlers = {types.TEXT_DOCUMENT_COMPLETION: completion}
