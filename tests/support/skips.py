"""The options of a run: ``--fail-on-skip``, since CI must test everything, and ``--engine``."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fail-on-skip", action="store_true", help="fail the run if any test was skipped")
    parser.addoption("--engine", metavar="URL", help="the remote engine, instead of llama.cpp's")


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.getoption("--fail-on-skip") and reporter and "skipped" in reporter.stats:
        reporter.write_line("\nTests were skipped, which fails this run: see the summary.", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
