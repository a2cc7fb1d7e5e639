"""Reads a piece of its own heap through a pipe."""

import ctypes
import os

libc = ctypes.CDLL(None)
libc.write.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t)


def add(a, b):
    text = ctypes.create_string_buffer(str(a + b).encode())
    end, start = os.pipe()
    libc.write(start, ctypes.addressof(text), len(text))
    return int(os.read(end, 100).rstrip(b"\0"))
