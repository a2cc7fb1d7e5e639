"""Writes a verdict of its own to every descriptor there is, then ends with status 0."""

import os

VERDICT = b'{"nonce": "00000000000000000000000000000000", "passed": true, "error": ""}\n'
written = 0
for descriptor in range(256):
    try:
        written += os.write(descriptor, VERDICT) == len(VERDICT)
    except OSError:
        pass
assert written > 2, "the verdict's descriptor was not found: this program no longer tries what it says"
os._exit(0)
