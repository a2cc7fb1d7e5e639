"""A report as one HTML page, which loads nothing and can be read without its script and on paper.

Whatever a model, a program or a file says appears as text. All of it goes through ``text.py``. Should
something slip through, the page's content security policy permits only the page's own script and style, which
it names by their hashes.
"""

from __future__ import annotations

from copilot_server.evaluation.report.html.examples import examples
from copilot_server.evaluation.report.html.figures import figures
from copilot_server.evaluation.report.html.page import page
from copilot_server.evaluation.report.html.problems import problems
from copilot_server.evaluation.report.html.summary import header, reproduction, score_table, title
from copilot_server.evaluation.types import Report

__all__ = ["render"]


def render(report: Report) -> str:
    """Return the whole page."""
    shown = figures(report)
    plots = f'<section id="figures">{shown}</section>' if shown else ""
    found = "".join(section(report) for section in (score_table, examples, problems, reproduction))
    body = f"{header(report)}{plots}{found}"
    return page(title(report), body)
