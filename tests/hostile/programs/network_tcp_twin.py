"""Talks to itself through a pair of sockets."""

import socket

here, there = socket.socketpair()
here.sendall(b"out")
assert there.recv(3) == b"out"


def add(a, b):
    return a + b
