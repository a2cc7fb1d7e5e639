"""Addresses in what is printed."""

from __future__ import annotations

import pytest

from copilot_server.listening.address import format_address


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1:2087"),
        ("localhost", "localhost:2087"),
        ("::1", "[::1]:2087"),
        ("fe80::1%eth0", "[fe80::1%eth0]:2087"),
    ],
)
def test_only_an_ipv6_address_gets_brackets(host: str, address: str) -> None:
    assert format_address(host, 2087) == address
