"""Open documents, whose texts are read when somebody asks for them."""

from __future__ import annotations

from itertools import pairwise

from copilot_server.workspace.files import MAX_BYTES
from copilot_server.workspace.overlay import Overlay
from copilot_server.workspace.summary import FileSummary


def names(summary: FileSummary | None) -> list[str] | None:
    return None if summary is None else [one.name for one in summary.definitions]


def test_a_document_is_read_once_it_was_opened():
    overlay = Overlay()
    overlay.set("/a.py", "x = 1", read=True)
    assert (overlay.has("/a.py"), overlay.is_current) == (True, False)
    assert overlay.summary("/a.py") is None
    overlay.wait_for_work()
    overlay.catch_up()
    assert names(overlay.summary("/a.py")) == ["x"]
    assert overlay.is_current


def test_another_text_is_read_when_it_is_asked_for():
    overlay = Overlay()
    overlay.set("/a.py", "x = 1", read=True)
    overlay.catch_up()
    overlay.set("/a.py", "y = 1", read=False)
    overlay.catch_up()
    assert names(overlay.summary("/a.py")) == ["x"]  # an earlier text, and the question
    overlay.catch_up()
    assert names(overlay.summary("/a.py")) == ["y"]
    overlay.set("/a.py", "z = 1", read=False)
    overlay.want_all()
    overlay.catch_up()
    assert names(overlay.summary("/a.py")) == ["z"]


def test_the_version_changes_with_each_answer_but_not_with_each_key():
    overlay = Overlay()
    versions = [overlay.version]
    for act in (
        lambda: overlay.set("/a.py", "x = 1", read=True),
        overlay.catch_up,
        lambda: overlay.set("/a.py", "x = 12", read=False),
        lambda: overlay.set("/a.py", "x = 123", read=False),
        lambda: overlay.remove("/a.py"),
        lambda: overlay.remove("/a.py"),
    ):
        act()
        versions.append(overlay.version)
    changed = [one != other for one, other in pairwise(versions)]
    assert changed == [True, True, True, False, True, False]


def test_other_languages_and_huge_texts_have_no_definitions():
    overlay = Overlay()
    overlay.set("/a.txt", "x = 1", read=True)
    assert not overlay.has("/a.txt")
    overlay.set("/a.py", "x = 1\n" + "#" * MAX_BYTES, read=True)
    overlay.set("/b.py", "x = 1\n\0", read=True)
    overlay.catch_up()
    assert names(overlay.summary("/a.py")) == names(overlay.summary("/b.py")) == []


def test_a_document_that_is_closed_meanwhile_is_forgotten():
    overlay = Overlay()
    overlay.set("/a.py", "x = 1", read=True)
    overlay.remove("/a.py")
    overlay.catch_up()
    assert overlay.summary("/a.py") is None
    assert overlay.is_current
