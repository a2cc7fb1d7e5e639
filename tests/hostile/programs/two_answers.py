"""Answers a call three times: twice by hand with nothing, then rightly."""

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
    for call in range(1, 9):
        write_everywhere(frame(b'["value", %d, {"t": []}]' % call) * 2)
    return a + b
