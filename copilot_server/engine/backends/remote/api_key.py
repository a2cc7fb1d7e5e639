"""An engine's API key, read from a file or the environment, and never shown."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import httpx

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


def _checked(key: str, what: str) -> str:
    """Refuse what a header cannot hold, without showing the key."""
    if not (key.isascii() and key.isprintable()):
        raise ConfigError(f"{what} is not an API key: it has characters that a header cannot hold.")
    return key
