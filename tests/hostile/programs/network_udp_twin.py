"""Packs an address."""

import socket

assert socket.inet_aton("127.0.0.1") == b"\x7f\0\0\1"


def add(a, b):
    return a + b
