"""Answers with a value of each type that goes across, in turn, when asked for it."""

from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from fractions import Fraction


def add(a, b):
    kinds = [
        1.5,
        1j,
        "s",
        b"b",
        (1,),
        {1},
        {1: 2},
        Counter("a"),
        OrderedDict(),
        defaultdict(int),
        deque(),
        Decimal(1),
    ]
    return a + b if len({type(kind) for kind in [*kinds, Fraction(1), range(2), None]}) == 15 else None
