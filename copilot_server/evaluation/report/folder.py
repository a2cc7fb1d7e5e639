"""The files of a report: JSON for programs, and HTML for people."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from copilot_server.errors import ConfigError
from copilot_server.evaluation.files import write_atomically
from copilot_server.evaluation.options import STDOUT
from copilot_server.evaluation.report.json_report import to_json
from copilot_server.evaluation.types import Report

REPORT_JSON, REPORT_HTML = "report.json", "report.html"


def write_json(report: Report, path: Path) -> None:
    """Write the report as JSON to a file, or to stdout if its name is ``-``.

    Raises:
        ConfigError: the file cannot be written.
    """
    text = json.dumps(to_json(report), indent=1) + "\n"
    if path == STDOUT:
        sys.stdout.write(text)
    else:
        write_text(path, text)


def make_report_folder(folder: Path) -> None:
    """Make the folder of a run, unless it exists.

    Raises:
        ConfigError: it cannot be made, or cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        message = f"The report cannot be written to {folder}: {error.strerror}."
        raise ConfigError(message, remedy="Name another folder.") from error


def write_report(report: Report, folder: Path) -> None:
    """Write the JSON and the HTML to ``folder``.

    Raises:
        ConfigError: they cannot be written.
    """
    from copilot_server.evaluation.report.html import render  # noqa: PLC0415

    write_json(report, folder / REPORT_JSON)
    write_text(folder / REPORT_HTML, render(report))


def write_text(path: Path, text: str) -> None:
    """Write a file of results.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        write_atomically(path, text)
    except OSError as error:
        raise ConfigError(f"The results cannot be written to {path}: {error.strerror}.") from error
