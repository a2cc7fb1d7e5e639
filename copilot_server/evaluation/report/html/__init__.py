"""A run as one HTML page: everything in it, nothing fetched, readable without its script and on paper.

Whatever a model, a program or a file said is text there and nothing else. All of it goes through
``text.py``; and should something slip through, the page's content security policy lets no script run and no
style apply but the page's own two, which it names by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

from copilot_server.evaluation.report.html.figures import figures
from copilot_server.evaluation.report.html.problems import problems
from copilot_server.evaluation.report.html.summary import header, reproduction, score_table, title
from copilot_server.evaluation.report.html.text import escaped
from copilot_server.evaluation.results import Report

__all__ = ["render"]


def render(report: Report) -> str:
    """Return the whole page."""
    style, script = _own("page.css"), _own("page.js")
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    shown = figures(report)
    plots = f'<section id="figures">{shown}</section>' if shown else ""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">'
        f"<title>{escaped(title(report))}</title><style>{style}</style></head><body><main>"
        f"{header(report)}{plots}{score_table(report)}{problems(report)}{reproduction(report)}"
        f"</main><script>{script}</script></body></html>\n"
    )


def _own(name: str) -> str:
    """A file of this package, line feeds as a browser hashes them."""
    return (resources.files(__package__) / name).read_text("utf-8").replace("\r\n", "\n")


def _hash(text: str) -> str:
    """As a content security policy names an inline script or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
