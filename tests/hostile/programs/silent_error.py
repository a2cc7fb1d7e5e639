"""Says by hand that an error was raised, of no class and without a word."""

import os
import struct


def add(a, b):
    for descriptor in range(3, 64):
        try:
            message = b'["raised", 1, [], "", ""]'
            os.write(descriptor, struct.pack("<I", len(message)) + message)
        except OSError:
            pass
    os._exit(0)
