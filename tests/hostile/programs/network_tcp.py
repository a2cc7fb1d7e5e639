"""Reaches for a server outside by TCP."""

import socket

connection = socket.create_connection(("127.0.0.1", PORT), timeout=1)
connection.sendall(b"out")


def add(a, b):
    return a + b
