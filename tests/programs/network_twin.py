"""Talks to a server of its own, in the same way."""

import socket

server = socket.create_server(("127.0.0.1", 0))
connection = socket.create_connection(server.getsockname(), timeout=1)
connection.sendall(b"out")
assert server.accept()[0].recv(3) == b"out"
