"""What an editor may send, read with more patience than the protocol's own types have.

A request whose parameters do not fit gets no completion, and an ``initialize`` that does not fit gets no
server. So only what is used here is read, and what editors are known to leave out may be missing.
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

_Raw = Mapping[str, Any]


@attrs.frozen
class TextDocument:
    """A document by name. Copilot's clients send the version that the request was made for."""

    uri: str = attrs.field(validator=attrs.validators.instance_of(str))
    version: int | None = None


@attrs.frozen
class InlineCompletionContext:
    """Why the request was made. ``trigger_kind`` may be missing or a number the protocol does not know."""

    trigger_kind: Any = None


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
    def invoked(self) -> bool:
        """Whether the user asked by a key; anything unclear is taken for typing."""
        return (
            self.context is not None
            and self.context.trigger_kind == types.InlineCompletionTriggerKind.Invoked
        )


_OURS: dict[str, type] = {
    types.TEXT_DOCUMENT_COMPLETION: CompletionParams,
    types.TEXT_DOCUMENT_INLINE_COMPLETION: InlineCompletionParams,
}


def make_converter() -> cattrs.Converter:
    """Make the converter between JSON's values and the types of the protocol."""
    converter = converters.get_converter()
    for kind in (TextDocument, InlineCompletionContext, CompletionParams, InlineCompletionParams):
        names = {field.name: override(rename=_camel(field.name)) for field in attrs.fields(kind)}
        converter.register_structure_hook(kind, make_dict_structure_fn(kind, converter, **names))  # type: ignore[arg-type]
    return converter


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda match: match.group(1).upper(), name)


def read_params(converter: cattrs.Converter, method: str, params: object) -> Any:  # noqa: ANN401 - by method
    """Read the parameters of ``method``; those of a method the protocol does not know stay as they are.

    Raises:
        JsonRpcInvalidParams: they do not fit. The message names the places, and quotes nothing.
    """
    known = types.METHOD_TO_TYPES.get(method)
    kind: Any = _OURS.get(method) or (known[2] if known else None)
    if kind is None:
        return params
    try:
        return converter.structure(_repaired(method, params), kind)
    except Exception as error:
        # Converters raise whatever their hooks raise, and each of it means the same.
        raise JsonRpcInvalidParams(f"Invalid parameters of {method}{_places(error)}") from error


def _repaired(method: str, params: object) -> object:
    """Mend what editors get wrong, before the types see it."""
    if params is None:
        return {}
    repair = _REPAIRS.get(method)
    return repair(params) if repair and isinstance(params, Mapping) else params


def _places(error: Exception) -> str:
    if not isinstance(error, cattrs.BaseValidationError):
        return "."
    places = {line.rpartition("@ ")[2] for line in cattrs.transform_error(error) if "@ " in line}
    return f": {', '.join(sorted(places))}." if places else "."


def _essential(params: _Raw) -> _Raw:
    """Keep of ``initialize`` what is used here.

    One unknown value among the hundreds of capabilities would else refuse the whole message; and each
    version of the protocol adds some.
    """
    capabilities = params.get("capabilities", {})
    if not isinstance(capabilities, Mapping):
        raise TypeError("capabilities must be an object")
    process_id = params.get("processId")
    return {
        "processId": process_id if isinstance(process_id, int) else None,
        "initializationOptions": params.get("initializationOptions"),
        "workspaceFolders": _folders(params),
        "capabilities": {
            "general": {"positionEncodings": _encodings(_dig(capabilities, "general", "positionEncodings"))},
            "textDocument": _flag(capabilities, "textDocument", "inlineCompletion", present={}),
            "window": _flag(capabilities, "window", "workDoneProgress", present=True),
            "workspace": _flag(capabilities, "workspace", "configuration", present=True),
        },
    }


def _folders(params: _Raw) -> list[dict[str, str]]:
    """Give the folders of the workspace, each with a name, which Copilot's clients leave out."""
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


def _dig(value: object, *path: str) -> object:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _without_null_ranges(params: _Raw) -> _Raw:
    """Read a change whose range is null as one of the whole text, which has no range."""
    changes = [
        {key: value for key, value in change.items() if not (key == "range" and value is None)}
        for change in params["contentChanges"]
    ]
    return {**params, "contentChanges": changes}


_REPAIRS: dict[str, Callable[[_Raw], _Raw]] = {
    types.INITIALIZE: _essential,
    types.TEXT_DOCUMENT_DID_CHANGE: _without_null_ranges,
}
