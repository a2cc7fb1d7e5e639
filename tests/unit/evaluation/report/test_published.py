"""The published figures."""

from __future__ import annotations

from copilot_server.evaluation.report.published import FAMILIES


def test_models_are_sorted_by_size_and_have_figures_in_percent():
    for family in FAMILIES:
        sizes = [model.parameters for model in family.models]
        assert sizes == sorted(sizes)
        assert all(0 < figure <= 100 for model in family.models for figure in model.pass_at.values())
        assert family.source
        assert family.method


def test_the_figures_of_the_codex_paper():
    codex = {model.name: model for family in FAMILIES for model in family.models}["Codex-12B"]
    assert (codex.parameters, codex.pass_at) == (12e9, {1: 28.81, 10: 46.81, 100: 72.31})
