"""Encodes values between the solution's process and the judge's, as tagged JSON in bounded frames.

Whatever the solution's process sends can only become a value of a builtin type, whose operators are all
Python's own: a subclass arrives as its base type, and a value without such a base cannot be sent. Nothing is
pickled. A value is a copy: the test does not see a change that a function makes to its argument.

This module runs inside the sandbox, in a bare interpreter, and imports only the standard library.
"""

from __future__ import annotations

import collections
import itertools
import json
import os
import struct
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

#: The longest message, either way.
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
#: The most items of an iterator that are sent; a longer one is an error.
MAX_ITEMS = 1_000_000

_HEADER = struct.Struct("<I")
_CHUNK_BYTES = 65536
#: Longer ints are sent as hexadecimal, which Python reads in any length.
_MAX_DECIMAL_BITS = 10_000
#: The types that are kept as ``default_factory``; any other is dropped.
_FACTORIES = {kind.__name__: kind for kind in (int, float, str, bool, list, dict, set, tuple)}


class WireError(Exception):
    """A value that cannot be sent, or a message that cannot be read."""


def send(descriptor: int, message: bytes) -> None:
    """Write one frame.

    Raises:
        WireError: the message is too long.
        OSError: the other side has closed the pipe.
    """
    if len(message) > MAX_MESSAGE_BYTES:
        raise WireError(f"a value of more than {MAX_MESSAGE_BYTES >> 20} MiB")
    unsent = memoryview(_HEADER.pack(len(message)) + message)
    while unsent:
        unsent = unsent[os.write(descriptor, unsent) :]


def receive(descriptor: int) -> bytes | None:
    """Read one frame; None if the other side has closed the pipe.

    Raises:
        WireError: the frame is too long or incomplete, or more follows it.
    """
    data = os.read(descriptor, _CHUNK_BYTES)
    if not data:
        return None
    while len(data) < _HEADER.size:
        data += _more(descriptor)
    end = _HEADER.size + _HEADER.unpack_from(data)[0]
    if end > _HEADER.size + MAX_MESSAGE_BYTES:
        raise WireError(f"a message of more than {MAX_MESSAGE_BYTES >> 20} MiB")
    chunks, size = [data], len(data)
    while size < end:
        chunks.append(_more(descriptor))
        size += len(chunks[-1])
    if size > end:
        raise WireError("two messages where one was due")
    return b"".join(chunks)[_HEADER.size :] if len(chunks) > 1 else data[_HEADER.size :]


def _more(descriptor: int) -> bytes:
    data = os.read(descriptor, _CHUNK_BYTES)
    if not data:
        raise WireError("a message was cut short")
    return data


def dumps(value: Any) -> bytes:  # noqa: ANN401 - any value may be tried
    """Return a plain value as bytes.

    Raises:
        WireError: the value, or a part of it, is of a type that cannot be sent.
    """
    try:
        return _to_json(_encode(value)).encode("ascii")
    except RecursionError as error:
        raise WireError("a value nested too deeply, or within itself") from error


def loads(message: bytes) -> Any:  # noqa: ANN401 - a value of any of the plain types
    """Return the value that ``dumps`` encoded.

    Raises:
        WireError: ``dumps`` cannot have made the bytes.
    """
    try:
        return _decode(json.loads(message))
    except WireError:
        raise
    except Exception as error:  # the bytes may be meant to break their reader
        raise WireError(f"not a value ({type(error).__name__})") from error


# Values have been replaced by plain ones before this is called, so the encoder has nothing to check.
_to_json = json.JSONEncoder(check_circular=False).encode


def _encode(value: Any) -> Any:  # noqa: ANN401
    kind = type(value)
    if value is None or kind is bool or kind is float:
        return value
    if kind is str:
        return (
            value
            if value.isascii() or _is_text(value)
            else {"s": value.encode("utf-32", "surrogatepass").hex()}
        )
    if kind is int:
        return value if value.bit_length() <= _MAX_DECIMAL_BITS else {"i": hex(value)}
    if kind is list:
        return [_encode(item) for item in value]
    if kind is tuple:
        return {"t": [_encode(item) for item in value]}
    return _encode_other(value)


def _is_text(value: str) -> bool:
    """Whether JSON preserves the string: a pair of lone surrogates would be read as one character."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _encode_other(value: Any) -> Any:  # noqa: ANN401
    for kind, tag, parts in _ENCODERS:
        if isinstance(value, kind):
            return {tag: _encode(parts(value))} if tag else _encode(parts(value))
    # If the program has numpy: its scalars and arrays become Python's numbers and lists.
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        plain = value.tolist()
        if type(plain).__module__ == "builtins":
            return _encode(plain)
    raise WireError(f"a value of the type {type(value).__name__!r}")


def _items(iterator: Iterator[Any]) -> list[Any]:
    items = list(itertools.islice(iterator, MAX_ITEMS + 1))
    if len(items) > MAX_ITEMS:
        raise WireError(f"an iterator of more than {MAX_ITEMS:,} items")
    return items


def _pairs(value: dict[Any, Any]) -> list[Any]:
    return [list(pair) for pair in dict.items(value)]


def _factory(value: collections.defaultdict[Any, Any]) -> str | None:
    return next((name for name, kind in _FACTORIES.items() if value.default_factory is kind), None)


#: Each type with its tag and its parts; without a tag, the value is sent as what the function returns. The
#: first match is used, so a type comes before its base. ``int.__add__(x, 0)`` and the like return the value
#: of the base type, whatever a subclass defines.
_ENCODERS: tuple[tuple[type, str, Callable[[Any], Any]], ...] = (
    (int, "", lambda value: int.__add__(value, 0)),
    (float, "", float.__float__),
    (str, "", lambda value: "".join(str.__iter__(value))),
    (complex, "c", lambda value: [value.real, value.imag]),
    (bytes, "b", lambda value: value.hex()),
    (bytearray, "B", lambda value: value.hex()),
    (list, "", lambda value: list(list.__iter__(value))),
    (tuple, "", lambda value: tuple(tuple.__iter__(value))),
    (collections.OrderedDict, "o", _pairs),
    (collections.defaultdict, "f", lambda value: [_factory(value), _pairs(value)]),
    (collections.Counter, "n", _pairs),
    (dict, "d", _pairs),
    (set, "e", list),
    (frozenset, "z", list),
    (collections.deque, "q", lambda value: [value.maxlen, list(value)]),
    (range, "r", lambda value: [value.start, value.stop, value.step]),
    (Decimal, "D", str),
    (Fraction, "F", lambda value: [value.numerator, value.denominator]),
    (type({}.keys()), "k", list),
    (type({}.values()), "v", list),
    (type({}.items()), "p", lambda value: [list(pair) for pair in value]),
    (collections.abc.Iterator, "I", _items),
)


def _decode(value: Any) -> Any:  # noqa: ANN401
    kind = type(value)
    if kind is list:
        return [_decode(item) for item in value]
    if kind is dict:
        ((tag, parts),) = value.items()
        return _DECODERS[tag](_decode(parts))
    return value


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "s": lambda text: bytes.fromhex(text).decode("utf-32", "surrogatepass"),
    "i": lambda text: int(text, 16),
    "t": tuple,
    "c": lambda parts: complex(*parts),
    "b": bytes.fromhex,
    "B": bytearray.fromhex,
    "o": collections.OrderedDict,
    "f": lambda parts: collections.defaultdict(_FACTORIES.get(parts[0]), parts[1]),
    "n": lambda parts: collections.Counter(dict(parts)),
    "d": dict,
    "e": set,
    "z": frozenset,
    "q": lambda parts: collections.deque(parts[1], parts[0]),
    "r": lambda parts: range(*parts),
    "D": Decimal,
    "F": lambda parts: Fraction(*parts),
    "k": lambda parts: dict.fromkeys(parts).keys(),
    "v": lambda parts: dict(enumerate(parts)).values(),
    "p": lambda parts: dict(parts).items(),
    "I": iter,
}
