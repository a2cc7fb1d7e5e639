"""Notebooks that are opened, edited and closed. Their cells are documents, in an order that is kept."""

from __future__ import annotations

from collections.abc import Mapping

from lsprotocol import types

from copilot_server.lsp.handlers.handler import Handlers
from copilot_server.lsp.session import Session
from copilot_server.lsp.wire.notebooks import (
    CellStructure,
    ChangedNotebookParams,
    ClosedNotebookParams,
    OpenedNotebookParams,
)

#: All notebooks with all their cells: what is a secret, or off for a language, is decided as for files.
SYNC = types.NotebookDocumentSyncOptions(
    notebook_selector=[types.NotebookDocumentFilterWithNotebook(notebook="*")]
)


def did_open(session: Session, params: OpenedNotebookParams) -> None:
    """Take up a notebook with its cells."""
    notebook = params.notebook_document
    session.notebooks.open(notebook.uri, [cell.document for cell in notebook.cells])
    for item in params.cell_text_documents:
        session.open(item)


def did_change(session: Session, params: ChangedNotebookParams) -> None:
    """Apply the editor's changes: of the order of cells, and of their texts."""
    cells = params.change.cells
    if cells is None:
        return
    if cells.structure is not None:
        _restructure(session, params.notebook_document.uri, cells.structure)
    for text in cells.text_content or ():
        session.change(text.document.uri, text.document.version, text.changes)


def _restructure(session: Session, uri: str, structure: CellStructure) -> None:
    array = structure.array
    for identifier in structure.did_close or ():
        session.close_document(identifier.uri)
    session.notebooks.splice(
        uri, array.start, array.delete_count, [cell.document for cell in array.cells or ()]
    )
    for item in structure.did_open or ():
        session.open(item)


def did_close(session: Session, params: ClosedNotebookParams) -> None:
    """Forget a notebook with its cells."""
    for cell in session.notebooks.close(params.notebook_document.uri):
        session.close_document(cell)


def forget_failed(session: Session, method: str, params: object) -> None:
    """Forget the notebook of a notification that failed, as ``documents.forget_failed`` does a document."""
    notebook = params.get("notebookDocument") if isinstance(params, Mapping) else None
    uri = notebook.get("uri") if isinstance(notebook, Mapping) else None
    if method in HANDLERS and isinstance(uri, str):
        for cell in session.notebooks.close(uri):
            session.documents.close(cell)


HANDLERS: Handlers = {
    types.NOTEBOOK_DOCUMENT_DID_OPEN: did_open,
    types.NOTEBOOK_DOCUMENT_DID_CHANGE: did_change,
    types.NOTEBOOK_DOCUMENT_DID_CLOSE: did_close,
}
