"""Addresses as they are written in URLs, and which of them are this machine's own."""

from __future__ import annotations

import ipaddress

#: The names of this machine in a URL.
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


def format_address(host: str, port: int) -> str:
    """Join a host and a port; an IPv6 address gets the brackets that RFC 3986, section 3.2.2 asks for."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(hostname: str) -> bool:
    """Whether a host is this machine by name: nothing is looked up, since the answer could change."""
    if hostname == "localhost" or hostname.endswith(".localhost"):  # RFC 6761, section 6.3
        return True
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return False
