"""Sends a datagram outside."""

import socket

socket.socket(type=socket.SOCK_DGRAM).sendto(b"out", ("127.0.0.1", PORT))


def add(a, b):
    return a + b
