"""The workspace of a run with context."""

from __future__ import annotations

from pathlib import Path

import pytest

from copilot_server.context.document import Cursor, Document
from copilot_server.evaluation.repository.context import contexts_of, open_workspace
from tests.support.repositories import commit

TEXT = "from shapes import area\n\nsize = area("


def test_the_contexts_that_are_asked_for():
    assert [contexts_of(asked) for asked in ("on", "off", "both")] == [("on",), ("off",), ("off", "on")]


@pytest.mark.parametrize(("exclude", "given"), [((), True), (("shapes.py",), False)])
def test_it_gives_code_of_files_that_are_not_excluded(tmp_path: Path, exclude: tuple[str, ...], given: bool):
    commit(tmp_path, {"shapes.py": "def area(width, height): ...\n", "user.py": TEXT})
    cursor = Cursor(Document((tmp_path / "user.py").as_uri(), "python", TEXT), len(TEXT))
    with open_workspace(tmp_path, exclude, ["off", "on"]) as workspace:
        assert workspace is not None
        found = workspace.snippets(cursor)
    assert any("width, height" in one.text for one in found) == given


def test_a_run_without_context_indexes_nothing(tmp_path: Path):
    with open_workspace(tmp_path, (), ["off"]) as workspace:
        assert workspace is None
