"""Reaches for the network: a server that the test runs outside, then a name's address."""

import socket

connection = socket.create_connection(("127.0.0.1", PORT), timeout=1)
connection.sendall(b"out")
