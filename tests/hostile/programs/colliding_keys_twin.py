"""Makes a small table with keys of the same hash."""

MODULUS = 2**61 - 1


def add(a, b):
    table = {number * MODULUS: number for number in range(1, 20)}
    return a + b if len(table) == 19 else None
