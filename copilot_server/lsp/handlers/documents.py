"""Documents that are opened, edited, closed and looked at, and where the cursor is in them."""

from __future__ import annotations

from collections.abc import Mapping

from lsprotocol import types

from copilot_server.lsp.handlers.handler import Handlers
from copilot_server.lsp.session import Session
from copilot_server.lsp.wire.messages import DID_FOCUS, DID_MOVE_CURSOR, CursorParams, FocusParams

#: The notifications without which our text of a document differs from the editor's.
_CHANGE_TEXT = {types.TEXT_DOCUMENT_DID_OPEN, types.TEXT_DOCUMENT_DID_CHANGE, types.TEXT_DOCUMENT_DID_CLOSE}


def did_open(session: Session, params: types.DidOpenTextDocumentParams) -> None:
    """Take up a document."""
    session.open(params.text_document)


def did_change(session: Session, params: types.DidChangeTextDocumentParams) -> None:
    """Apply the editor's changes."""
    document = params.text_document
    session.change(document.uri, document.version, params.content_changes)


def did_close(session: Session, params: types.DidCloseTextDocumentParams) -> None:
    """Forget a document."""
    session.close_document(params.text_document.uri)


def did_save(session: Session, params: types.DidSaveTextDocumentParams) -> None:
    """Read a file again that was written."""
    session.workspace.refresh([params.text_document.uri])


def did_change_watched_files(session: Session, params: types.DidChangeWatchedFilesParams) -> None:
    """Read files again that another program has written, made or removed."""
    session.workspace.refresh(change.uri for change in params.changes)


def did_focus(session: Session, params: FocusParams) -> None:
    """Remember which document the user looks at, for the status, and prepare for requests in it."""
    session.look_at(params.text_document.uri if params.text_document else None)


def did_move_cursor(session: Session, params: CursorParams) -> None:
    """Prepare for requests where the cursor has come to rest."""
    session.look_at(params.text_document.uri, params.position)


def forget_failed(session: Session, method: str, params: object) -> None:
    """Forget the document of a notification that failed: its text may no longer be the editor's.

    ``params``: the notification's parameters as they came, which may be anything.
    """
    document = params.get("textDocument") if isinstance(params, Mapping) else None
    uri = document.get("uri") if isinstance(document, Mapping) else None
    if method in _CHANGE_TEXT and isinstance(uri, str):
        session.documents.close(uri)


HANDLERS: Handlers = {
    types.TEXT_DOCUMENT_DID_OPEN: did_open,
    types.TEXT_DOCUMENT_DID_CHANGE: did_change,
    types.TEXT_DOCUMENT_DID_CLOSE: did_close,
    types.TEXT_DOCUMENT_DID_SAVE: did_save,
    types.WORKSPACE_DID_CHANGE_WATCHED_FILES: did_change_watched_files,
    DID_FOCUS: did_focus,
    DID_MOVE_CURSOR: did_move_cursor,
}
