"""Sets the machine's clock."""

import time

time.clock_settime(time.CLOCK_REALTIME, time.time())


def add(a, b):
    return a + b
