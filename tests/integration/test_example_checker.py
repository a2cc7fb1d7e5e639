"""The sandbox of an editor's session: opened when examples are there, closed when idle, stopped at once."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future

import psutil
import pytest

from copilot_server.completion.examples import Verdicts
from copilot_server.completion.types import Candidate
from copilot_server.completion.verification.checker import ExampleChecker
from copilot_server.context.document import Cursor, Document
from tests.support.patience import PATIENCE_S, wait_until

TEXT = 'def twice(x):\n    """Return x doubled.\n\n    >>> twice(2)\n    4\n    """\n    return'
RIGHT = Candidate(" x + x", 0.0, "stop")
ENDLESS = Candidate(" next(y for y in iter(int, 1) if y)", 0.0, "stop")

pytestmark = [
    pytest.mark.serial,  # counts processes
    pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is for Linux"),
]


def cursor(text: str = TEXT, language: str = "python") -> Cursor:
    return Cursor(Document("file:///a.py", language, text), len(text))


def verdicts_of(check: Future[Candidate]) -> Verdicts:
    verdicts = check.result(PATIENCE_S).verdicts
    assert verdicts is not None
    return verdicts


def sandboxes() -> list[psutil.Process]:
    """The processes that this one has started, which are those of sandboxes."""
    return psutil.Process(os.getpid()).children()


@pytest.fixture
def checker() -> Iterator[ExampleChecker]:
    assert sandboxes() == []
    checker = ExampleChecker()
    yield checker
    checker.close()
    checker._pool.shutdown()  # whoever still opens one: between the tiers that it tries there is none
    wait_until(lambda: sandboxes() == [])


def test_a_candidate_is_checked_once(checker: ExampleChecker):
    assert checker.known(cursor(), RIGHT) is None
    (check,) = checker.check(cursor(), [RIGHT])
    verdicts = verdicts_of(check)
    assert verdicts.summary() == "1 of 1 example passes"
    assert checker.known(cursor(), RIGHT) is verdicts
    assert sandboxes() != []


def test_no_sandbox_is_opened_without_examples(checker: ExampleChecker):
    silent = 'def twice(x):\n    """Return x doubled."""\n    return'
    for one in (cursor(silent), cursor(language="markdown"), cursor("")):
        (check,) = checker.check(one, [RIGHT])
        assert verdicts_of(check).verdicts == ()
        checker.warm(one)
    assert sandboxes() == []


def test_it_is_warm_where_there_are_examples(checker: ExampleChecker):
    checker.warm(cursor())
    wait_until(lambda: sandboxes() != [])


def test_the_document_is_read_once_while_the_user_types_on_in_a_line(
    checker: ExampleChecker, monkeypatch: pytest.MonkeyPatch
):
    read: list[Cursor] = []
    monkeypatch.setattr(checker, "_warm", read.append)
    after = "\n\nx = 1\n"

    def warm(text: str, below: str = after) -> list[Cursor]:
        read.clear()
        checker.warm(Cursor(Document("file:///a.py", "python", text + below), len(text)))
        checker._pool.submit(lambda: None).result(PATIENCE_S)
        checker._pool.submit(lambda: None).result(PATIENCE_S)
        return read[:]

    assert len(warm(TEXT)) == 1
    assert warm(f"{TEXT} x") == []
    assert warm(f"{TEXT} x +") == []
    assert len(warm(f"{TEXT} x +\n")) == 1
    assert len(warm(f"{TEXT} x +\n", f"{after}assert twice(1) == 2\n")) == 1


def test_it_is_closed_when_idle_and_opened_again():
    checker = ExampleChecker(idle_s=0.3)
    try:
        for text in (" x + x", " 2 * x"):
            (check,) = checker.check(cursor(), [Candidate(text, 0.0, "stop")])
            assert verdicts_of(check).passed
            wait_until(lambda: sandboxes() == [])
    finally:
        checker.close()


def test_stopping_ends_a_program_that_would_not_end_and_keeps_no_verdict(checker: ExampleChecker):
    (right,) = checker.check(cursor(), [RIGHT])
    right.result(PATIENCE_S)
    running = checker.check(cursor(), [ENDLESS])[0]
    wait_until(lambda: any(len(one.children(recursive=True)) > 1 for one in sandboxes()))
    began_s = time.monotonic()
    checker.stop()
    assert not verdicts_of(running).passed
    assert time.monotonic() - began_s < PATIENCE_S
    assert checker.known(cursor(), ENDLESS) is None
    (again,) = checker.check(cursor(), [Candidate(" 2 * x", 0.0, "stop")])
    assert verdicts_of(again).passed


def test_a_program_that_would_not_end_is_ended_and_fails(
    checker: ExampleChecker, monkeypatch: pytest.MonkeyPatch
):
    # On a busy machine the deadline of all examples may come first, and then nothing is said of this one.
    monkeypatch.setattr("copilot_server.completion.verification.checker.DEADLINE_S", PATIENCE_S)
    (check,) = checker.check(cursor(), [ENDLESS])
    verdicts = verdicts_of(check)
    assert [one.detail for one in verdicts.failed] == ["timed out"]


def test_a_candidate_gets_the_import_that_it_lacked_to_pass(checker: ExampleChecker):
    text = f"{TEXT.removesuffix('return')}"
    lacking = Candidate("return math.prod((2, x))", 0.0, "stop")
    useless = Candidate("return math.prod((3, x))", 0.0, "stop")
    mended, same = (check.result(PATIENCE_S) for check in checker.check(cursor(text), [lacking, useless]))
    assert mended.text == "import math\n    return math.prod((2, x))"
    assert mended.verdicts is not None
    assert mended.verdicts.summary() == "1 of 1 example passes"
    # What is known of the text that the model wrote is that it fails.
    known = checker.known(cursor(text), lacking)
    assert known is not None
    assert known.failed
    assert same.text == useless.text
    assert same.verdicts is not None
    assert "NameError" in same.verdicts.summary()
