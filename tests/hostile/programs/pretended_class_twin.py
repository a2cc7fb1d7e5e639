"""Has an object that isinstance takes for an int, and answers with a real one."""


class Pretender:
    __class__ = int


def add(a, b):
    return a + b if isinstance(Pretender(), int) else None
