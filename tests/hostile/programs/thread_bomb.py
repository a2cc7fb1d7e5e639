"""Starts threads without end."""

import threading

made = 0
while True:
    try:
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    except (RuntimeError, MemoryError):
        assert made > 1000, "stopped early"
        break
    made += 1


def add(a, b):
    return a + b
