"""Addresses as they are written in URLs."""

from __future__ import annotations

#: The names of this machine in a URL.
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


def format_address(host: str, port: int) -> str:
    """Join a host and a port; an IPv6 address gets the brackets that RFC 3986, section 3.2.2 asks for."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
