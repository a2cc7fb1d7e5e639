"""An editor's document in its simplest form: characters, and lines that are found by walking through them.

This shares nothing with the server, and is not fast.
"""

# ruff: noqa: ANN401 - JSON values

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

ENCODINGS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}
_GREATEST = 2**31 - 1

Message = dict[str, Any]


def units(character: str, encoding: str) -> int:
    """How many units of a position one character takes; a lone surrogate counts as its replacement does."""
    codec, width = ENCODINGS[encoding]
    return len(plain(character).encode(codec)) // width


def plain(text: str) -> str:
    """The text as it comes over the wire: a surrogate pair becomes one character, a lone surrogate U+FFFD."""
    text = json.loads(json.dumps(text))
    return "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)


def line_starts(text: str) -> list[int]:
    """Where lines start: after a line feed, and after a carriage return that no line feed follows."""
    return [
        at
        for at in range(len(text) + 1)
        if at == 0 or text[at - 1] == "\n" or (text[at - 1] == "\r" and text[at : at + 1] != "\n")
    ]


def offset_of(text: str, line: int, column: int, encoding: str) -> int:
    """The offset of a position. Past a line's end it is that end, past the text the text's end."""
    starts = line_starts(text)
    if line >= len(starts):
        return len(text)
    at, left = starts[line], column
    while at < len(text) and text[at] not in "\r\n":
        left -= units(text[at], encoding)
        if left < 0:
            break
        at += 1
    return at


def position_of(text: str, offset: int, encoding: str) -> Message:
    """The position of an offset."""
    starts = line_starts(text)
    line = max(number for number, start in enumerate(starts) if start <= offset)
    column = sum(units(character, encoding) for character in text[starts[line] : offset])
    return {"line": line, "character": column}


class NaiveDocuments:
    """The documents that an editor has open, by their plain names."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.encoding = "utf-16"

    def open(self, params: Any) -> None:
        """Apply a didOpen; an invalid one is ignored."""
        uri = _uri(params)
        if uri is None:
            return
        item = params["textDocument"]
        if isinstance(item.get("text"), str) and _is_whole(item.get("version")):
            self.texts[uri] = plain(item["text"])
        else:
            self.texts.pop(uri, None)

    def change(self, params: object) -> None:
        """Apply a didChange. After an invalid one the text of the document that it names is not trusted."""
        uri = _uri(params)
        if uri is None or uri not in self.texts:
            return
        if not _makes_sense(params):
            del self.texts[uri]
            return
        for change in params["contentChanges"]:  # type: ignore[index]
            self.texts[uri] = self._changed(self.texts[uri], change)

    def close(self, params: object) -> None:
        uri = _uri(params)
        if uri is not None:
            self.texts.pop(uri, None)

    def _changed(self, text: str, change: Message) -> str:
        if change.get("range") is None:
            return plain(change["text"])
        start, end = (self._offset(text, change["range"][name]) for name in ("start", "end"))
        return text[:start] + plain(change["text"]) + text[max(start, end) :]

    def _offset(self, text: str, position: Message) -> int:
        return offset_of(text, int(position["line"]), int(position["character"]), self.encoding)


def _uri(params: object) -> str | None:
    document = params.get("textDocument") if isinstance(params, dict) else None
    uri = document.get("uri") if isinstance(document, dict) else None
    return unquote(uri) if isinstance(uri, str) else None


def _makes_sense(params: Any) -> bool:
    """Whether a didChange is valid by the protocol's types (LSP 3.15 allows a null version)."""
    version, changes = params["textDocument"].get("version"), params.get("contentChanges")
    return (
        (version is None or _is_whole(version))
        and isinstance(changes, list)
        and all(map(_is_change, changes))
    )


def _is_change(change: Any) -> bool:
    if not isinstance(change, dict) or not isinstance(change.get("text"), str):
        return False
    stretch = change.get("range")
    return stretch is None or (
        isinstance(stretch, dict) and all(_is_position(stretch.get(name)) for name in ("start", "end"))
    )


def _is_position(position: Any) -> bool:
    return isinstance(position, dict) and all(
        _is_whole(position.get(name)) and 0 <= position[name] <= _GREATEST for name in ("line", "character")
    )


def _is_whole(value: Any) -> bool:
    """Whether a JSON number is an integer of the protocol, which has 32 bits; some editors write 3.0."""
    is_number = not isinstance(value, bool) and (
        isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    )
    return is_number and -_GREATEST - 1 <= value <= _GREATEST
