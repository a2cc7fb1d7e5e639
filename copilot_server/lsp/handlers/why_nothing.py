"""``copilotServer/whyNothing``: why a document's last request was answered with nothing."""

from __future__ import annotations

from copilot_server.lsp.handlers.handler import Handlers
from copilot_server.lsp.session import Session
from copilot_server.lsp.wire.messages import WHY_NOTHING, DocumentParams


def why_nothing(session: Session, params: DocumentParams) -> dict[str, object] | None:
    """Return the reason; null if there is none, or the document is not open."""
    uri = params.text_document.uri
    why = session.reporter.why_nothing(uri) if session.documents.get(uri) is not None else None
    return None if why is None else why.params()


HANDLERS: Handlers = {WHY_NOTHING: why_nothing}
