"""The program that tells a sandbox that works from one that only starts: it passes if it finds no hole."""

from __future__ import annotations

from copilot_server.sandbox.types import Limits, Program

_CHECKS = """
import os, socket, time

# nobody, or a user without a name
assert os.getuid() == os.geteuid() >= 65534, "the user is not nobody"

try:
    socket.create_connection(("192.0.2.1", 9), timeout=1)  # a documentation address, RFC 5737
except TimeoutError:
    raise AssertionError("packets leave")
except OSError:
    pass
else:
    raise AssertionError("the network is there")

for folder in ("/", "/dev", os.path.dirname(os.__file__)):
    try:
        open(os.path.join(folder, "probe"), "w")
    except OSError:
        continue
    raise AssertionError(folder + " is writable")

try:
    bytearray(MEMORY_BYTES)
except MemoryError:
    pass
else:
    raise AssertionError("memory is not limited")

for _ in range(PROCESSES):
    try:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
    except OSError:
        break
else:
    raise AssertionError("processes are not limited")


def probe():
    return 1
"""

_TEST = """
def check(candidate):
    assert candidate() == 1
"""


def probe_program(limits: Limits) -> Program:
    """Return a program that passes only without network and writable folders, and within ``limits``."""
    solution = f"MEMORY_BYTES = {limits.memory_bytes}\nPROCESSES = {limits.processes}\n{_CHECKS}"
    return Program(solution, _TEST, "probe")
