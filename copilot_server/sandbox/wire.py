"""Values between the solution's process and the judge's: plain ones, as tagged JSON in bounded frames.

Whatever the solution's process sends can only ever become a value of these types, whose every operator is
Python's own: a subclass arrives as the type that it is based on, and what has no such base cannot cross.
Nothing is pickled. A value is a copy: a change that a function makes to its argument is not seen by the test.

It runs inside the sandbox, in a bare interpreter: the standard library alone.
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
#: How much of an iterator is taken: all of it crosses, or it is an error.
MAX_ITEMS = 1_000_000

_HEADER = struct.Struct("<I")
_CHUNK_BYTES = 65536
#: Ints beyond this cross as hexadecimal, which Python reads in any length.
_MAX_DECIMAL_BITS = 10_000
#: default_factory: the types that a test may meet; any other is left behind.
_FACTORIES = {kind.__name__: kind for kind in (int, float, str, bool, list, dict, set, tuple)}


class WireError(Exception):
    """A value or a message that cannot cross."""


def send(descriptor: int, message: bytes) -> None:
    """Write one frame.

    Raises:
        WireError: the message is too long.
        OSError: nobody reads.
    """
    if len(message) > MAX_MESSAGE_BYTES:
        raise WireError(f"a value of more than {MAX_MESSAGE_BYTES >> 20} MiB")
    unsent = memoryview(_HEADER.pack(len(message)) + message)
    while unsent:
        unsent = unsent[os.write(descriptor, unsent) :]


def receive(descriptor: int) -> bytes | None:
    """Read one frame; None if the other side has closed.

    Raises:
        WireError: it is too long, cut short, or more than one.
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
        WireError: it, or something in it, is of a type that cannot cross.
    """
    try:
        return _to_json(_encode(value)).encode("ascii")
    except RecursionError as error:
        raise WireError("a value nested too deeply, or within itself") from error


def loads(message: bytes) -> Any:  # noqa: ANN401 - a value of any of the plain types
    """Return the value that ``dumps`` made.

    Raises:
        WireError: the bytes are nothing that ``dumps`` makes.
    """
    try:
        return _decode(json.loads(message))
    except WireError:
        raise
    except Exception as error:  # whoever wrote the bytes may have meant to break what reads them
        raise WireError(f"not a value ({type(error).__name__})") from error


# What is no plain value is looked up before this is called, so the encoder has nothing to check.
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
    """Whether JSON keeps the string: a pair of lone surrogates would come back as one character."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _encode_other(value: Any) -> Any:  # noqa: ANN401
    for kind, tag, parts in _ENCODERS:
        if isinstance(value, kind):
            return {tag: _encode(parts(value))} if tag else _encode(parts(value))
    # numpy's, where the program has it: scalars and arrays become Python's numbers and lists.
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


#: A type, the tag that it crosses under (none: as what the function makes of it), and what it is made of. The
#: first that fits is taken, so a type stands before its base. ``int.__int__(x)`` and the like take the base's
#: value from a subclass, whatever the subclass defines.
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
