"""The token that an editor presents to a server that listens, since any program can connect to a port."""

from __future__ import annotations

import hmac
import os
import re
import secrets
import stat
from pathlib import Path

from copilot_server.errors import ConfigError

#: The key of initializationOptions, and of a WebSocket URL's query, that holds it.
KEY = "token"

_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,200}")
_MAX_BYTES = 400


def make_token() -> str:
    """Make a token that cannot be guessed."""
    return secrets.token_urlsafe(24)


def read_token(file: Path) -> str:
    """Return the token in ``file``, which is made if it is not there.

    Raises:
        ConfigError: it cannot be read or made, holds no token, or others may read or write it.
    """
    try:
        return _created(file)
    except FileExistsError:
        pass
    except OSError as error:
        raise ConfigError(f"The token file {file} cannot be made: {error.strerror}.") from error
    try:
        return _read(file)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        remedy = "Name a file that does not exist yet, and the server makes it."
        raise ConfigError(f"The token file {file} cannot be used: {why}.", remedy=remedy) from error


def is_right(presented: object, token: str) -> bool:
    """Whether what an editor has presented is the token. How long it takes says nothing about the token."""
    return isinstance(presented, str) and hmac.compare_digest(
        presented.encode("utf-8", "replace"), token.encode()
    )


def _created(file: Path) -> str:
    token = make_token()
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as opened:
        opened.write(f"{token}\n")
    return token


def _read(file: Path) -> str:
    descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as opened:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("it is not a regular file")
        if os.name == "posix" and (found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077):
            raise ValueError("other users may read or change it; run chmod 600")
        token = opened.read(_MAX_BYTES).decode("ascii", "replace").strip()
    if not _TOKEN.fullmatch(token):
        raise ValueError("it holds no token of at least 20 letters, digits, - and _")
    return token
