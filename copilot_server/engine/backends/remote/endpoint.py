"""Where an engine is: its URL, and whether source code may be sent there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from copilot_server.errors import ConfigError
from copilot_server.listening.address import is_loopback


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One engine. ``root`` is its URL without a final slash; ``api`` is that of OpenAI's API.

    ``host``: the host as it is shown to people, with the port if the URL has one.
    """

    root: str
    api: str
    host: str
    is_encrypted: bool


def read_endpoints(urls: Iterable[str], *, allow_http: bool) -> tuple[Endpoint, ...]:
    """The engines at these URLs, without duplicates.

    A URL may end in ``/v1`` or ``/v1/completions``, as engines' documentation gives it.

    Raises:
        ConfigError: source would be sent unencrypted over a network, which the settings do not allow.
    """
    endpoints = tuple(dict.fromkeys(_endpoint(url) for url in urls))
    for one in endpoints:
        if not (one.is_encrypted or allow_http or is_loopback(urlsplit(one.root).hostname or "")):
            raise ConfigError(
                f"The engine at {one.host} would be sent your source unencrypted.",
                remedy="Give it an https URL, or set remote.allow_http for a network that you trust.",
            )
    return endpoints


def _endpoint(url: str) -> Endpoint:
    parts = urlsplit(url)
    path = parts.path.rstrip("/").removesuffix("/completions").removesuffix("/v1")
    root = f"{parts.scheme}://{parts.netloc}{path}"
    return Endpoint(root, f"{root}/v1", parts.netloc, parts.scheme == "https")
