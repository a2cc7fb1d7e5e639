"""The names of models as the statistics keep them: a keyed hash for all that is not in the catalogue."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from functools import cache
from pathlib import Path

from copilot_server.catalog import all_manifests
from copilot_server.statistics.types import MAX_NAME

#: The size of the key, which is random and differs between installations.
KEY_BYTES = 32

_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
_PATH = re.compile(r"^[.~]|\.gguf$", re.IGNORECASE)


def stored_name(model: str, key: bytes) -> str:
    """Return a model's name as it is stored: a path or a name of one's own may identify the user."""
    return model[:MAX_NAME] if model in _public_names() else hashed_name(model, key)


def hashed_name(model: str, key: bytes) -> str:
    """Return a hash of 80 bits (BLAKE2b, RFC 7693), which nobody without the key can compare with a guess."""
    digest = hashlib.blake2b(model.encode("utf-8", "replace"), key=key, digest_size=10)
    return f"local-{digest.hexdigest()}"


def earlier_name(model: str) -> str:
    """Return the name under which versions up to 0.2.0 stored a model."""
    if is_hub_name(model):
        return model[:MAX_NAME]
    return f"local-{hashlib.sha256(model.encode('utf-8', 'replace')).hexdigest()[:8]}"


def is_hub_name(model: str) -> bool:
    """Whether it looks like a name on a hub or in the catalogue, and not like a path."""
    return _HUB_NAME.fullmatch(model) is not None and not _PATH.search(model)


def key_path(database: Path) -> Path:
    """Return the path of the key, which lies beside the database."""
    return database.with_name("names.key")


def read_key(database: Path) -> bytes | None:
    """Return the key of the database's names; None if there is none.

    Raises:
        OSError: it cannot be read.
    """
    try:
        key = key_path(database).read_bytes()
    except FileNotFoundError:
        return None
    return key if len(key) == KEY_BYTES else None


def make_key(database: Path) -> bytes:
    """Return the key, which is created if there is none. The caller holds the database's lock.

    Raises:
        OSError: it cannot be read or written.
    """
    key = read_key(database)
    if key is None:
        key_path(database).unlink(missing_ok=True)
        file = os.open(key_path(database), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "wb") as stream:
            stream.write(key := secrets.token_bytes(KEY_BYTES))
    return key


@cache
def _public_names() -> frozenset[str]:
    return frozenset(name for one in all_manifests() for name in (one.id, one.upstream) if name)
