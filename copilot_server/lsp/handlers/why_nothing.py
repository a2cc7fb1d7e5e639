"""``copilotServer/whyNothing``: why a document's last request was answered with nothing."""

from __future__ import annotations

from copilot_server.lsp.handlers.handler import Handlers
from copilot_server.lsp.session import Session
from copilot_server.lsp.wire.messages import WHY_NOTHING, DocumentParams


def why_nothing(session: Session, params: DocumentParams) -> dict[str, object] | None:
    """Return the reason; null if there is none, or the document is not open."""
    why = session.why_nothing(params.text_document.uri)
    return None if why is None else why.params()


HANDLERS: Handlers = {WHY_NOTHING: why_nothing}
