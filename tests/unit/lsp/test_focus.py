"""Which document the user looks at."""

from __future__ import annotations

from lsprotocol.types import Position

from copilot_server.lsp.focus import Focus

A, B = "file:///w/a%20b.py", "file:///w/b.py"


def test_an_editor_that_reports_nothing_is_in_what_it_has_touched_last() -> None:
    focus = Focus()
    assert focus.uri is None
    assert [focus.touch(uri) for uri in (A, A, B)] == [True, False, True]
    assert focus.is_on(B)
    assert focus.move(A, Position(1, 2))
    assert focus.touch(B)


def test_an_editor_that_reports_the_focus_touches_documents_in_the_background() -> None:
    focus = Focus()
    assert focus.report(A)
    assert not focus.touch(B)
    assert focus.is_on(A)
    assert focus.move(B, Position(0, 0))  # it asks for a suggestion there
    assert focus.report(None)
    assert not focus.touch(A)
    assert not focus.is_on(A)


def test_one_document_may_be_written_in_two_ways() -> None:
    focus = Focus()
    focus.report(A, Position(3, 4))
    for uri in (A, "file:///w/a b.py"):
        assert focus.is_on(uri)
        assert focus.cursor(uri) == Position(3, 4)
    assert not focus.is_on(B)
    assert focus.cursor(B) is None
