"""Says by hand that it failed, and gives no reason: whoever looks for a reason finds none."""

import os
import struct

written = 0
for descriptor in range(3, 64):
    try:
        message = b'["failed", ""]'
        written += os.write(descriptor, struct.pack("<I", len(message)) + message) > 0
    except OSError:
        pass
assert written, "nothing was written"
os._exit(0)
