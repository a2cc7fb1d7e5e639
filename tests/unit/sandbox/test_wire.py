"""What crosses between the solution's process and the judge's, and what does not."""

from __future__ import annotations

import itertools
import math
import os
import signal
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_server.sandbox import wire

HASHABLE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=5,
)
PLAIN = st.recursive(
    HASHABLE | st.complex_numbers(allow_nan=False) | st.fractions() | st.decimals(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(HASHABLE, inner, max_size=3),
    max_leaves=10,
)
VALUES = [
    *(None, True, 0, -1, 10**5000, -(10**5000), 0.1, -0.0, math.inf, 1 + 2j),
    *("", "é", "\ud83d\ude00", "😀", "\ud800", b"\0\xff", bytearray(b"x")),
    *([], [[1], "a"], (), (1, (2,)), {}, {(1, 2): {None: [1.5]}}, {1: "a", "1": "b"}),
    *({1, 2}, set(), frozenset([frozenset()]), range(0, 10, 3), Decimal("1.10"), Fraction(1, 3)),
    *(Counter("aab"), OrderedDict([(2, 1), (1, 2)]), deque([1, 2], maxlen=3), defaultdict(list, a=[1])),
    *({"s": "00"}, {"d": []}, {"": 1}, ["value", 1], {"t": {"t": ()}}),
]


class Liar(int):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


class Text(str):
    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    __iter__ = None
    __hash__ = str.__hash__


class Mapping(dict[object, object]):
    def items(self):
        return [("a", "a lie")]


Pair = namedtuple("Pair", "a b")


def shown(value: object) -> str:
    """What tells 0.0 from -0.0 and True from 1; Python prints no int as long as some of these."""
    return hex(value) if type(value) is int else repr(value)


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_values_come_back_as_they_were(value: object):
    got = wire.loads(wire.dumps(value))
    assert (got, type(got), shown(got)) == (value, type(value), shown(value))


@given(PLAIN)
def test_any_plain_value_comes_back(value: object):
    got = wire.loads(wire.dumps(value))
    assert (got, type(got)) == (value, type(value))


def test_a_defaultdict_keeps_a_factory_that_is_known():
    known, other = defaultdict(int, a=1), defaultdict(lambda: 7, a=1)
    assert wire.loads(wire.dumps(known))["b"] == 0
    assert wire.loads(wire.dumps(other)) == {"a": 1}
    assert wire.loads(wire.dumps(other)).default_factory is None


def test_nan_and_views_and_iterators():
    assert math.isnan(wire.loads(wire.dumps(math.nan)))
    views = {1: 2}
    got = wire.loads(wire.dumps([views.keys(), views.values(), views.items()]))
    assert [sorted(one) for one in got] == [[1], [2], [(1, 2)]]
    got = wire.loads(wire.dumps(number**2 for number in range(3)))
    assert [next(got), *got] == [0, 1, 4]
    assert list(wire.loads(wire.dumps(zip("ab", [1, 2], strict=True)))) == [("a", 1), ("b", 2)]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Liar(3), 3),
        (Text("x"), "x"),
        (Pair(1, 2), (1, 2)),
        (Mapping(a="true"), {"a": "true"}),
        (signal.SIGKILL, 9),
    ],
)
def test_a_subclass_arrives_as_its_base(value: object, plain: object):
    got = wire.loads(wire.dumps([value]))[0]
    assert (got, type(got)) == (plain, type(plain))


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (object(), "a value of the type 'object'"),
        ([len], "a value of the type 'builtin_function_or_method'"),
        ({"a": int}, "a value of the type 'type'"),
        (itertools.count(), "an iterator of more than 1,000,000 items"),
    ],
)
def test_what_cannot_cross_is_named(value: object, why: str):
    with pytest.raises(wire.WireError) as caught:
        wire.dumps(value)
    assert str(caught.value) == why


def test_a_value_within_itself_cannot_cross():
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(wire.WireError, match="within itself"):
        wire.dumps(loop)


MALFORMED = [
    *(b"", b"{", b'{"x": 1}', b"{}", b'{"t": 1}', b'{"t": [], "d": []}', b'{"e": [[1]]}', b'{"i": "z"}'),
    *(b'{"d": [[[], 1]]}', b'{"r": [1, 2, 0]}', b'{"F": [1, 0]}', b'{"D": "x"}', b'{"q": []}', b"\xff"),
    *(b"1" * 5000, b"[" * 10**6, b'{"b": "0"}', b'{"s": "00"}', b'{"c": [1, 2, 3]}', b'{"n": 5}'),
]


@pytest.mark.parametrize("message", MALFORMED, ids=range(len(MALFORMED)))
def test_any_other_bytes_are_refused(message: bytes):
    with pytest.raises(wire.WireError):
        wire.loads(message)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (b"\x01\0\0\0", "cut short"),
        (b"\x01", "cut short"),
        (b"\x05\0\0\0abc", "cut short"),
        (b"\xff\xff\xff\xff", "more than 16 MiB"),
        (b"\x01\0\0\0a\x01\0\0\0b", "two messages"),
    ],
)
def test_frames_that_are_none_are_refused(written: bytes, why: str):
    assert received(b"\x03\0\0\0abc") == b"abc"
    assert received(b"") is None
    with pytest.raises(wire.WireError, match=why):
        received(written)


def received(written: bytes) -> bytes | None:
    read_fd, write_fd = os.pipe()
    with os.fdopen(read_fd) as reader:
        os.write(write_fd, written)
        os.close(write_fd)
        return wire.receive(reader.fileno())


def test_a_message_too_long_is_not_sent():
    with pytest.raises(wire.WireError, match="more than 16 MiB"):
        wire.send(-1, bytes(wire.MAX_MESSAGE_BYTES + 1))
