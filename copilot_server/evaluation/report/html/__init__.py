"""A report as one HTML page, which loads nothing and can be read without its script and on paper.

Whatever a model, a program or a file says appears as text. All of it goes through ``text.py``. Should
something slip through, the page's content security policy permits only the page's own script and style, which
it names by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

from copilot_server.evaluation.report.html.figures import figures
from copilot_server.evaluation.report.html.problems import problems
from copilot_server.evaluation.report.html.summary import header, reproduction, score_table, title
from copilot_server.evaluation.report.html.text import escaped
from copilot_server.evaluation.types import Report

__all__ = ["render"]


def render(report: Report) -> str:
    """Return the whole page."""
    style, script = _resource("page.css"), _resource("page.js")
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


def _resource(name: str) -> str:
    """Return a file of this package with the line feeds that a browser hashes."""
    return (resources.files(__package__) / name).read_text("utf-8").replace("\r\n", "\n")


def _hash(text: str) -> str:
    """Return the name of an inline script or style in a content security policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
