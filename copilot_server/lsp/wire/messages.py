"""The messages that an editor sends, read more leniently than the protocol's own types would be.

A request whose parameters are invalid gets no completion, and an editor whose ``initialize`` is invalid gets
no server. So only the fields that are used here are read, and those that editors are known to leave out may
be missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn, override
from lsprotocol import converters, types
from pygls.exceptions import JsonRpcInvalidParams

from copilot_server.lsp.wire import notebooks

_Raw = Mapping[str, Any]

#: The longest time for which suggestions can be snoozed, in minutes: a week.
MAX_MINUTES = 7 * 24 * 60


@attrs.frozen
class TextDocument:
    """A document by its URI. Copilot's clients send the version that the request was made for."""

    uri: str = attrs.field(validator=attrs.validators.instance_of(str))
    version: int | None = None


@attrs.frozen
class SelectedCompletion:
    """The item selected in the editor's completion menu. Accepting it replaces ``range`` by ``text``."""

    range: types.Range
    text: str


@attrs.frozen
class InlineCompletionContext:
    """Why the request was made. ``trigger_kind`` may be missing, or any JSON value."""

    trigger_kind: Any = None
    selected_completion_info: SelectedCompletion | None = None


@attrs.frozen
class CompletionParams:
    """Parameters of ``textDocument/completion``."""

    text_document: TextDocument
    position: types.Position


@attrs.frozen
class InlineCompletionParams(CompletionParams):
    """Parameters of ``textDocument/inlineCompletion``."""

    context: InlineCompletionContext | None = None

    @property
    def selected(self) -> SelectedCompletion | None:
        """The item that is selected in the editor's menu meanwhile."""
        return self.context.selected_completion_info if self.context else None

    @property
    def invoked(self) -> bool:
        """Whether the user invoked the completion explicitly; anything unclear counts as typing."""
        return (
            self.context is not None
            and self.context.trigger_kind == types.InlineCompletionTriggerKind.Invoked
        )


@attrs.frozen
class PanelParams(CompletionParams):
    """Parameters of ``textDocument/copilotPanelCompletion``."""

    partial_result_token: int | str | None = None


@attrs.frozen
class FocusParams:
    """Parameters of ``textDocument/didFocus``, without a document when the focus has left all of them."""

    text_document: TextDocument | None = None


@attrs.frozen
class DocumentParams:
    """Parameters of ``copilotServer/whyNothing``."""

    text_document: TextDocument


@attrs.frozen
class SnoozeParams:
    """Parameters of ``copilotServer/snooze``; 0 minutes resume."""

    minutes: float = attrs.field(validator=[attrs.validators.ge(0), attrs.validators.le(MAX_MINUTES)])


@attrs.frozen
class CursorParams:
    """Parameters of ``copilotServer/didMoveCursor``."""

    text_document: TextDocument
    position: types.Position


@attrs.frozen
class ShownParams:
    """Parameters of ``textDocument/didShowCompletion``: an item that was sent, or only its ``command``."""

    item: Any = None

    @property
    def item_id(self) -> str | None:
        """The id of the suggestion; None if the item has none."""
        return _item_id(self.item)


@attrs.frozen
class PartlyAcceptedParams(ShownParams):
    """Parameters of ``textDocument/didPartiallyAcceptCompletion``.

    ``accepted_length``: UTF-16 units from the start of the item's text.
    """

    accepted_length: int = 0


@attrs.frozen
class LegacyDocument:
    """The document and position of a ``getCompletions`` request."""

    uri: str
    position: types.Position
    version: int | None = None


@attrs.frozen
class LegacyParams:
    """Parameters of ``getCompletions`` and ``getCompletionsCycling``."""

    doc: LegacyDocument

    @property
    def completion_params(self) -> CompletionParams:
        """The same parameters in the form of the newer requests."""
        return CompletionParams(TextDocument(self.doc.uri, self.doc.version), self.doc.position)


@attrs.frozen
class LegacyVerdict:
    """Parameters of ``notifyShown``, ``notifyAccepted`` and ``notifyRejected``."""

    uuid: str | None = None
    uuids: list[str] = attrs.field(factory=list)
    accepted_length: int | None = None


PANEL = "textDocument/copilotPanelCompletion"
DID_FOCUS = "textDocument/didFocus"
DID_MOVE_CURSOR = "copilotServer/didMoveCursor"
WHY_NOTHING = "copilotServer/whyNothing"
SNOOZE = "copilotServer/snooze"
DID_SHOW = "textDocument/didShowCompletion"
DID_PARTLY_ACCEPT = "textDocument/didPartiallyAcceptCompletion"
GET_COMPLETIONS = "getCompletions"
GET_COMPLETIONS_CYCLING = "getCompletionsCycling"
NOTIFY_SHOWN, NOTIFY_ACCEPTED, NOTIFY_REJECTED = "notifyShown", "notifyAccepted", "notifyRejected"

_OURS: dict[str, type] = {
    types.TEXT_DOCUMENT_COMPLETION: CompletionParams,
    types.TEXT_DOCUMENT_INLINE_COMPLETION: InlineCompletionParams,
    PANEL: PanelParams,
    DID_FOCUS: FocusParams,
    DID_MOVE_CURSOR: CursorParams,
    WHY_NOTHING: DocumentParams,
    SNOOZE: SnoozeParams,
    DID_SHOW: ShownParams,
    DID_PARTLY_ACCEPT: PartlyAcceptedParams,
    GET_COMPLETIONS: LegacyParams,
    GET_COMPLETIONS_CYCLING: LegacyParams,
    NOTIFY_SHOWN: LegacyVerdict,
    NOTIFY_ACCEPTED: LegacyVerdict,
    NOTIFY_REJECTED: LegacyVerdict,
    **notebooks.PARAMS,
}
#: Parts of the parameters, each after the parts that it consists of.
_PARTS = (TextDocument, SelectedCompletion, InlineCompletionContext, LegacyDocument, *notebooks.PARTS)


def make_converter() -> cattrs.Converter:
    """Make the converter between JSON values and the types of the protocol."""
    converter = converters.get_converter()
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(int, _whole_number)
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(bool, _truth)
    for kind in (*_PARTS, *dict.fromkeys(_OURS.values())):
        names = {field.name: override(rename=_camel(field.name)) for field in attrs.fields(kind)}
        converter.register_structure_hook(kind, make_dict_structure_fn(kind, converter, **names))  # type: ignore[arg-type]
    return converter


# Without these hooks the converter would read null as the text "None", and true as 1. A hook also serves the
# subclasses of its type: the enumerations of the protocol are strings and integers.


def _text(value: object, kind: type[str]) -> str:
    """Accept strings only."""
    if not isinstance(value, str):
        raise TypeError("expected a string")
    return kind(value)


def _whole_number(value: object, kind: type[int]) -> int:
    """Accept integers only; some editors write them as 3.0."""
    if isinstance(value, float) and value.is_integer():
        return kind(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("expected an integer")
    return kind(value)


def _number(value: object, _kind: type[float]) -> float:
    """Accept numbers only."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError("expected a number")
    return float(value)


def _truth(value: object, _kind: type[bool]) -> bool:
    """Accept true and false only."""
    if not isinstance(value, bool):
        raise TypeError("expected true or false")
    return value


def _item_id(item: object) -> str | None:
    """Give the first argument of an item's command, which is the id; None if there is none."""
    command = item.get("command") if isinstance(item, Mapping) else None
    arguments = command.get("arguments") if isinstance(command, Mapping) else None
    first = arguments[0] if isinstance(arguments, list) and arguments else None
    return first if isinstance(first, str) else None


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda match: match.group(1).upper(), name)


def read_params(converter: cattrs.Converter, method: str, params: object) -> Any:  # noqa: ANN401 - by method
    """Read the parameters of ``method``. Those of an unknown method are returned as they are.

    Raises:
        JsonRpcInvalidParams: they are invalid. The message names the fields and quotes no value.
    """
    known = types.METHOD_TO_TYPES.get(method)
    kind: Any = _OURS.get(method) or (known[2] if known else None)
    if kind is None:
        return params
    try:
        return converter.structure(_repaired(method, params), kind)
    except Exception as error:
        # Converters raise whatever their hooks raise, and all of it means the same.
        raise JsonRpcInvalidParams(f"Invalid parameters of {method}{_invalid_fields(error)}") from error


def _repaired(method: str, params: object) -> object:
    """Correct known mistakes of editors before the converter reads the parameters."""
    if params is None:
        return {}
    repair = _REPAIRS.get(method)
    return repair(params) if repair and isinstance(params, Mapping) else params


def _invalid_fields(error: Exception) -> str:
    if not isinstance(error, cattrs.BaseValidationError):
        return "."
    fields = {line.rpartition("@ ")[2] for line in cattrs.transform_error(error) if "@ " in line}
    return f": {', '.join(sorted(fields))}." if fields else "."


def _essential(params: _Raw) -> _Raw:
    """Keep the fields of ``initialize`` that are used here.

    Otherwise one unknown value among the hundreds of capabilities would make the whole message invalid, and
    each version of the protocol adds some.
    """
    capabilities = params.get("capabilities", {})
    if not isinstance(capabilities, Mapping):
        raise TypeError("capabilities must be an object")
    process_id = params.get("processId")
    return {
        "processId": process_id if isinstance(process_id, int) else None,
        "clientInfo": _client_info(params),
        "initializationOptions": params.get("initializationOptions"),
        "workspaceFolders": _folders(params),
        "capabilities": {
            "general": {"positionEncodings": _encodings(_dig(capabilities, "general", "positionEncodings"))},
            "textDocument": _flag(capabilities, "textDocument", "inlineCompletion", present={}),
            **_flag({"all": capabilities}, "all", "notebookDocument", present={"synchronization": {}}),
            "window": _flag(capabilities, "window", "workDoneProgress", present=True),
            "workspace": {
                **_flag(capabilities, "workspace", "configuration", present=True),
                **_watching(capabilities),
            },
        },
    }


def _client_info(params: _Raw) -> dict[str, str] | None:
    """Give the editor's name, which Copilot's clients send in their initializationOptions."""
    for name in (
        _dig(params, "initializationOptions", "editorInfo", "name"),
        _dig(params, "clientInfo", "name"),
    ):
        if isinstance(name, str):
            return {"name": name}
    return None


def _folders(params: _Raw) -> list[dict[str, str]]:
    """Give the folders of the workspace. Copilot's clients leave out their names, which are required."""
    folders = params.get("workspaceFolders")
    if not isinstance(folders, list):
        folders = [{"uri": params.get("rootUri")}]
    return [
        {
            "uri": folder["uri"],
            "name": str(folder.get("name") or folder["uri"].rstrip("/").rpartition("/")[2]),
        }
        for folder in folders
        if isinstance(folder, Mapping) and isinstance(folder.get("uri"), str)
    ]


def _encodings(names: object) -> list[str] | None:
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else None


def _flag(capabilities: _Raw, section: str, name: str, *, present: object) -> _Raw:
    value = _dig(capabilities, section, name)
    return {} if value is None or value is False else {name: present}


def _watching(capabilities: _Raw) -> _Raw:
    dynamic = _dig(capabilities, "workspace", "didChangeWatchedFiles", "dynamicRegistration")
    return {"didChangeWatchedFiles": {"dynamicRegistration": True}} if dynamic is True else {}


def _dig(value: object, *path: str) -> object:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _without_nulls(params: _Raw) -> _Raw:
    """Treat a change whose range is null as one without a range, which replaces the whole text.

    The version may be null too, as in LSP 3.15 and older: the editor does not count versions.
    """
    changes, document = params["contentChanges"], params["textDocument"]
    if not isinstance(changes, list):
        raise TypeError("contentChanges must be a list")
    return {
        "textDocument": {**document, "version": 0} if document.get("version") is None else document,
        "contentChanges": [
            {key: value for key, value in change.items() if not (key == "range" and value is None)}
            for change in changes
        ],
    }


_REPAIRS: dict[str, Callable[[_Raw], _Raw]] = {
    types.INITIALIZE: _essential,
    types.TEXT_DOCUMENT_DID_CHANGE: _without_nulls,
}
