"""Says by hand what went wrong, at great length."""

import json
import os
import struct


def add(a, b):
    message = json.dumps(["raised", 1, ["ValueError"], "x" * 10, "y" * 60_000]).encode()
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, struct.pack("<I", len(message)) + message)
        except OSError:
            pass
    os._exit(0)
