"""What parsing may cost: work that is counted and not timed, and no other thread that waits for its end."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import tree_sitter_python
from tree_sitter import Language

from copilot_server.context.source import parsing
from copilot_server.workspace.languages import UNREAD, read
from copilot_server.workspace.python import nodes

PYTHON = Language(tree_sitter_python.language())
#: Without a limit the work for these grows with the square of their length.
SLOW = {
    "comments in a class": ("class A:\n    x = 1\n", "    # a line of a comment\n"),
    "joined lines": ("", "\\\n"),
}


@pytest.mark.parametrize("name", SLOW)
def test_a_source_that_takes_too_much_work_is_given_up(name: str) -> None:
    before, piece = SLOW[name]
    assert parsing.parse((before + piece * 20_000).encode(), PYTHON) is None


@pytest.mark.parametrize("name", SLOW)
def test_a_short_one_is_parsed(name: str) -> None:
    before, piece = SLOW[name]
    assert parsing.parse((before + piece * 200).encode(), PYTHON) is not None


def test_without_the_limit_a_longer_one_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    before, piece = SLOW["comments in a class"]
    source = (before + piece * 1_000).encode()
    assert parsing.parse(source, PYTHON) is None
    monkeypatch.setattr(parsing, "MIN_READS", 1_000_000)
    assert parsing.parse(source, PYTHON) is not None


@pytest.mark.parametrize("times", [1, 10])
def test_real_sources_and_dense_ones_are_parsed(times: int) -> None:
    written = Path(parsing.__file__).read_text() * times
    for text in (written, "a\n" * 10_000 * times, f"x = [{'1,' * 10_000 * times}]"):
        assert nodes.parse(text.encode()) is not None


def test_nodes_have_their_texts_however_many_are_asked_for() -> None:
    source = ("@a\n" * 200_000 + "def f(): ...\n").encode()
    root = nodes.parse(source)
    assert root is not None
    texts = [one.text for one in root.children[0].named_children]
    assert texts == [b"@a"] * 200_000 + [b"def f(): ..."]


def test_what_is_not_parsed_may_have_any_name() -> None:
    before, piece = SLOW["comments in a class"]
    found = read("a.py", before + piece * 20_000)
    assert (found.summary, found.names) == (UNREAD.summary, UNREAD.names)
    assert "A" in read("a.py", before + piece * 20).summary.names()


def test_other_threads_run_while_a_source_is_parsed() -> None:
    """Python's lock is given back at each piece that the parser asks for."""
    before, piece = SLOW["comments in a class"]
    source, rounds, ended = (before + piece * 20_000).encode(), 0, threading.Event()

    def parse() -> None:
        parsing.parse(source, PYTHON)
        ended.set()

    thread = threading.Thread(target=parse)
    thread.start()
    while not ended.wait(0.0):
        rounds += 1
    thread.join()
    assert rounds > 10
