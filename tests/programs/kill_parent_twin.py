"""A child of its own kills its parent, who is ready for it."""

import os
import signal

signals = []
signal.signal(signal.SIGUSR1, lambda number, _: signals.append(number))
child = os.fork()
if child == 0:
    os.kill(os.getppid(), signal.SIGUSR1)
    os._exit(0)
os.waitpid(child, 0)
assert signals == [signal.SIGUSR1]
