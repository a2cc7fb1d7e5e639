"""Suggestions are cut before the line that uses a name which does not exist, or dropped."""

from __future__ import annotations

import pytest

from copilot_server.completion.known_names import with_known_names
from copilot_server.completion.scope.scope import situation_at
from copilot_server.completion.types import Candidate, CompletionRequest
from copilot_server.context.document import Cursor
from copilot_server.workspace.types import MissingName, Snippet
from tests.support.cursor_text import cursor_in

BODY = "def f():\n    ‸\n"


class Without:
    """A workspace in which one name does not exist."""

    def __init__(self, name: str) -> None:
        self._name = name

    def snippets(self, _cursor: Cursor) -> tuple[Snippet, ...]:
        return ()

    def missing_name(self, _cursor: Cursor, text: str, _replaced: int) -> MissingName | None:
        at = text.find(self._name)
        return MissingName(self._name, at) if at >= 0 else None


def known(drawn: str, text: str, name: str = "bad", replaced: int = 0) -> tuple[str, int, str]:
    """Return what is left of a suggestion, how much it replaces, and the name because of which it is lost."""
    request = CompletionRequest(cursor_in(drawn), workspace=Without(name))
    candidate = Candidate(text, -1.0, "stop", replaced)
    (left,), missing = with_known_names(request, situation_at(request.cursor), [candidate])
    return left.text, left.replaced, missing


@pytest.mark.parametrize(
    ("text", "left", "missing"),
    [
        ("x = a.good", "x = a.good", ""),
        ("x = a.bad", "", "bad"),
        ("x = 1\n    y = a.bad\n    z = 2", "x = 1", ""),
        ("x = 1\n\n    y = a.bad", "x = 1", ""),
        ("x = f(\n        1,\n        a.bad,\n    )", "", "bad"),
        ("x = 1\n    y = f(\n        a.bad,\n    )", "x = 1", ""),
    ],
)
def test_whole_lines_before_the_name_are_kept(text: str, left: str, missing: str):
    assert known(BODY, text) == (left, 0, missing)


def test_lines_end_as_the_document_does():
    drawn = BODY.replace("\n", "\r\n")
    assert known(drawn, "x = 1\r\n    y = 2\r\n    a.bad")[0] == "x = 1\r\n    y = 2"


def test_in_a_gap_the_line_after_it_still_fits():
    drawn = "for x in y:\n‸    print(x)\n"
    assert known(drawn, "    a = 1\n    a.bad\n")[0] == "    a = 1\n"


def test_what_was_replaced_at_the_end_stays():
    assert known("f(‸)\n", "1)\na.bad", replaced=1) == ("1)", 1, "")
    assert known("x = ‸  # noqa\n", "1\na.bad  # noqa", replaced=8)[1] == 0


def test_without_a_workspace_that_knows_names_nothing_is_cut():
    request = CompletionRequest(cursor_in(BODY))
    candidates = (Candidate("a.bad", -1.0, "stop"),)
    assert with_known_names(request, situation_at(request.cursor), candidates) == (candidates, "")
