"""Promises an answer of four gigabytes, and sends some."""

import os
import struct


def frame(text, length=None):
    return struct.pack("<I", len(text) if length is None else length) + text


def write_everywhere(data):
    """Write to every descriptor but the output's; return how many took it."""
    written = 0
    for descriptor in range(3, 64):
        try:
            written += os.write(descriptor, data) == len(data)
        except OSError:
            pass
    return written


def add(a, b):
    assert write_everywhere(frame(b"[" * 4096, length=0xFFFFFFFF))
    return a + b
