"""Starts two threads and waits for them."""

import threading

threads = [threading.Thread(target=int) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()


def add(a, b):
    return a + b
