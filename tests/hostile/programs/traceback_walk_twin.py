"""Reaches its own frame through the traceback of an error."""


def add(a, b):
    total = a + b
    try:
        raise ValueError
    except ValueError as error:
        return error.__traceback__.tb_frame.f_locals["total"]
