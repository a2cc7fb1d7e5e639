"""Reads its own memory at an address that it knows."""

import ctypes


def add(a, b):
    held = ctypes.create_string_buffer(str(a + b).encode())
    return int(ctypes.string_at(ctypes.addressof(held)))
