"""Knows the names of families of sockets."""

import socket

assert socket.AF_NETLINK == 16


def add(a, b):
    return a + b
