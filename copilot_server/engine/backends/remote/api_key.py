"""An engine's API key, read from a file or the environment, never shown, and sent to few."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from copilot_server.config import RemoteSettings
from copilot_server.engine.backends.remote.endpoint import Endpoint
from copilot_server.engine.backends.remote.failures import Unanswered
from copilot_server.errors import ConfigError

#: The environment variable that holds the key if no file is named.
VARIABLE = "COPILOT_SERVER_API_KEY"


class ApiKey(httpx.Auth):
    """Signs requests. A file is read for each of them, so that a renewed key is used at once."""

    def __init__(self, file: str) -> None:
        self._file = Path(file).expanduser() if file else None
        self.read()

    def __repr__(self) -> str:
        return "ApiKey()"  # the key must not be printed

    def read(self) -> str:
        """The key; empty if there is none.

        Raises:
            ConfigError: the file cannot be read, is empty, or does not hold a key.
        """
        if self._file is None:
            return _checked(os.environ.get(VARIABLE, "").strip(), f"The environment variable {VARIABLE}")
        try:
            key = self._file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not text"
            raise ConfigError(
                f"The file {self._file} with the engine's API key cannot be read: {why}.",
                remedy="Set remote.api_key_file to a file that holds the key and nothing else.",
            ) from None
        if not key:
            raise ConfigError(f"The file {self._file} with the engine's API key is empty.")
        return _checked(key, f"The content of {self._file}")

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign one request.

        Raises:
            Unanswered: the key cannot be read any more; a later request tries again.
        """
        try:
            key = self.read()
        except ConfigError as error:
            raise Unanswered(
                f"is not asked: {error.message.rstrip('.')}", error.remedy, is_down=True
            ) from None
        if key:
            request.headers["Authorization"] = f"Bearer {key}"
        yield request


def endpoints_with_key(endpoints: Sequence[Endpoint], remote: RemoteSettings) -> frozenset[Endpoint]:
    """Return the engines that get the API key.

    Over plain http nobody gets it unless the user says so, not even on this machine: any of its programs may
    listen on a port before the engine does.

    Raises:
        ConfigError: several hosts could get it and none is named, or one is named that must not.
    """
    may = [one for one in endpoints if one.is_encrypted or remote.api_key_over_http]
    names = {name.lower() for name in remote.api_key_hosts}
    if not names:
        hosts = dict.fromkeys(_hostname(one) for one in may)
        if len(hosts) > 1:
            raise ConfigError(
                f"It is not clear which of these hosts get the API key: {', '.join(hosts)}.",
                remedy="Name them in remote.api_key_hosts.",
            )
        return frozenset(may)
    named = [one for one in endpoints if names & {one.host.lower(), _hostname(one)}]
    for one in named:
        if one not in may:
            raise ConfigError(
                f"The API key would be sent unencrypted to {one.host}.",
                remedy="Give it an https URL, or set remote.api_key_over_http.",
            )
    return frozenset(named)


def _hostname(endpoint: Endpoint) -> str:
    return (urlsplit(endpoint.root).hostname or "").lower()


def _checked(key: str, what: str) -> str:
    """Refuse what a header cannot hold, without showing the key."""
    if not (key.isascii() and key.isprintable()):
        raise ConfigError(f"{what} is not an API key: it has characters that a header cannot hold.")
    return key
