"""The messages about notebooks, of which only what is used here is read: no outputs and no metadata."""

from __future__ import annotations

import attrs
from lsprotocol import types


@attrs.frozen
class NotebookCell:
    """A cell by the URI of its document."""

    document: str


@attrs.frozen
class NotebookDocument:
    """A notebook and its cells in order; in messages about an open one, its URI alone."""

    uri: str
    cells: list[NotebookCell] = attrs.field(factory=list)


@attrs.frozen
class OpenedNotebookParams:
    """Parameters of ``notebookDocument/didOpen``."""

    notebook_document: NotebookDocument
    cell_text_documents: list[types.TextDocumentItem] = attrs.field(factory=list)


@attrs.frozen
class CellArray:
    """Which cells take the place of ``delete_count`` cells from index ``start`` on."""

    start: int
    delete_count: int = 0
    cells: list[NotebookCell] | None = None


@attrs.frozen
class CellStructure:
    """Cells that were added, removed or moved, and the documents of those that are new or gone."""

    array: CellArray
    did_open: list[types.TextDocumentItem] | None = None
    did_close: list[types.TextDocumentIdentifier] | None = None


@attrs.frozen
class CellText:
    """The changes of one cell's text."""

    document: types.VersionedTextDocumentIdentifier
    changes: list[types.TextDocumentContentChangePartial | types.TextDocumentContentChangeWholeDocument]


@attrs.frozen
class CellChanges:
    """What has changed in the cells."""

    structure: CellStructure | None = None
    text_content: list[CellText] | None = None


@attrs.frozen
class NotebookChange:
    """What has changed in a notebook."""

    cells: CellChanges | None = None


@attrs.frozen
class ChangedNotebookParams:
    """Parameters of ``notebookDocument/didChange``."""

    notebook_document: NotebookDocument
    change: NotebookChange


@attrs.frozen
class ClosedNotebookParams:
    """Parameters of ``notebookDocument/didClose``."""

    notebook_document: NotebookDocument


#: Parts of the parameters, each after the parts that it consists of.
PARTS: tuple[type, ...] = (
    *(NotebookCell, NotebookDocument, CellArray, CellStructure, CellText, CellChanges, NotebookChange),
)
#: The parameters by method.
PARAMS: dict[str, type] = {
    types.NOTEBOOK_DOCUMENT_DID_OPEN: OpenedNotebookParams,
    types.NOTEBOOK_DOCUMENT_DID_CHANGE: ChangedNotebookParams,
    types.NOTEBOOK_DOCUMENT_DID_CLOSE: ClosedNotebookParams,
}
