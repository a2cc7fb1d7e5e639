"""The targets of the attacks, and the table of what was tried (``make hostile``).

A test in this folder is an attempt if its name begins with ``test_hostile``, a benign twin if it has ``twin``
or ``benign`` in its name, and a check of the tests themselves otherwise. An attempt may say more about
itself: ``record_property("tries", ...)`` and ``record_property("met", ...)``, each a line of text.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.outside import SECRET, Outside

HERE = Path(__file__).parent
_TRIES, _MET = 90, 60
#: What the failure of each kind of test means.
_FAILURES = {"attempt": "SUCCEEDED", "benign twin": "FAILED", "check": "FAILED"}


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("COPILOT_SERVER_TEST_SECRET", SECRET)
        host = Outside(Path(folder))
        yield host
        host.close()


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table if the tests of this folder were asked for, and no others."""
    asked = [config.rootpath / argument.partition("::")[0] for argument in config.args]
    if not asked or not all(path.is_relative_to(HERE) for path in asked):
        return
    ended = [
        report
        for outcome in ("passed", "failed", "error")
        for report in terminalreporter.getreports(outcome)
        if getattr(report, "when", "") == "call" or outcome == "error"
    ]
    terminalreporter.section("hostile")
    for line in table(ended):
        terminalreporter.write_line(line)


def table(reports: list[pytest.TestReport]) -> list[str]:
    """Return a line for each attempt and for each other test that failed, and the totals."""
    rows = sorted(reports, key=lambda report: report.nodeid)
    kinds = {kind: [one for one in rows if kind_of(one.nodeid) == kind] for kind in _FAILURES}
    lines = [
        _line(_FAILURES[kind] if report.failed else "held", report)
        for kind, ended in kinds.items()
        for report in ended
        if report.failed or kind == "attempt"
    ]
    totals = [
        f"{len(ended)} {kind}s: {sum(report.failed for report in ended)} {_FAILURES[kind].lower()}"
        for kind, ended in kinds.items()
    ]
    return [*lines, "; ".join(totals)]


def kind_of(nodeid: str) -> str:
    """Return whether a test is an attempt, a benign twin or a check of the tests."""
    name = nodeid.rpartition("::")[2].partition("[")[0]
    if re.search(r"twin|benign", name):
        return "benign twin"
    return "attempt" if name.startswith("test_hostile") else "check"


def _line(outcome: str, report: pytest.TestReport) -> str:
    said = dict(report.user_properties)
    name = report.nodeid.rpartition("::")[2].removeprefix("test_")
    tries = str(said.get("tries") or name.replace("_", " "))
    line = f"{outcome:9}  {tries[:_TRIES]:{_TRIES}}  {str(said.get('met', ''))[:_MET]}"
    return line.rstrip().encode("ascii", "backslashreplace").decode()
