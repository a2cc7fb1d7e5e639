"""Reaches for a server outside by a name that is no file."""

import socket

connection = socket.socket(socket.AF_UNIX)
connection.connect("\0" + SOCKET)
connection.sendall(b"out")


def add(a, b):
    return a + b
