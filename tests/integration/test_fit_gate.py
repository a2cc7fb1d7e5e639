"""The model of confidence, fitted on a report of the self-test over a repository."""

from __future__ import annotations

import json
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import fit_gate
from copilot_server.catalog import Gate
from copilot_server.completion.confidence import probability
from copilot_server.evaluation.repository.report import to_json
from copilot_server.evaluation.repository.types import Outcome
from tests.support.repositories import a_report, an_outcome, done

LIKELY, UNLIKELY = -0.1, -2.0


def offered(*, exact: bool, shown: bool = True) -> Outcome:
    """A suggestion that is as likely as it should be."""
    found = an_outcome(exact=exact and shown, shown=shown, logprob=LIKELY if exact else UNLIKELY)
    return replace(found, right=exact, answer=replace(found.answer, offered=True))


def fitted(
    *outcomes: Outcome, path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Gate:
    report = a_report(*(done(f"{number}.py", one) for number, one in enumerate(outcomes)))
    path.write_text(json.dumps(to_json(report)), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["fit_gate", str(path)])
    fit_gate.main()
    return Gate(source="a test", **tomllib.loads(capsys.readouterr().out)["gate"])


@pytest.mark.parametrize("shown", [True, False])  # what another gate has withheld counts, too
def test_right_suggestions_are_found_more_probable(
    shown: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    outcomes = [offered(exact=number % 2 == 0, shown=shown) for number in range(40)]
    gate = fitted(*outcomes, path=tmp_path / "r.json", monkeypatch=monkeypatch, capsys=capsys)
    likely, unlikely = (probability(gate, {"mean_logprob": one}) for one in (LIKELY, UNLIKELY))
    assert likely > 0.8
    assert unlikely < 0.2
    assert unlikely < gate.medium <= gate.low
