"""The frame of a page: its style, its script, and the policy that permits nothing else."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

from copilot_server.evaluation.report.html.text import escaped


def page(title: str, body: str) -> str:
    """Return a whole page. ``title`` is plain text, and ``body`` is HTML."""
    style, script = _resource("page.css"), _resource("page.js")
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">'
        f"<title>{escaped(title)}</title><style>{style}</style></head><body><main>"
        f"{body}</main><script>{script}</script></body></html>\n"
    )


def _resource(name: str) -> str:
    """Return a file of this package with the line feeds that a browser hashes."""
    return (resources.files(__package__) / name).read_text("utf-8").replace("\r\n", "\n")


def _hash(text: str) -> str:
    """Return the name of an inline script or style in a content security policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
