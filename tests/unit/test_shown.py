"""Untrusted text on a terminal, in a log and in an editor: nothing in it is obeyed or looks like ours."""

from __future__ import annotations

import logging
import sys

import pytest

from copilot_server.lsp.status import Status
from copilot_server.shown import ShownFormatter, shown, shown_lines

#: Sets a terminal's title, clears the screen, goes back to the beginning of the line, and begins another one.
HOSTILE = "m\x1b]0;title\x07\x1b[2J\rerror\nWARNING forged\x9b31m\u202egpj\u2028x\ud800"
IN_ONE_LINE = r"m\x1b]0;title\x07\x1b[2J\rerror\nWARNING forged\x9b31m\u202egpj\u2028x\ud800"


def test_what_is_not_printable_is_escaped():
    assert shown(HOSTILE) == IN_ONE_LINE


@pytest.mark.parametrize("text", ["", "/home/zoë/模型/qwen.gguf", r"C:\models\new", "a b [x] {y} 😀"])
def test_ordinary_names_are_shown_as_they_are(text: str):
    assert shown(text) == shown_lines(text) == text


def test_a_list_of_ours_stays_a_list_and_no_line_of_others_begins_at_the_margin():
    assert (
        shown_lines("malformed lines: 2.\n  line 1\n  line 2\n") == "malformed lines: 2.\n  line 1\n  line 2"
    )
    assert shown_lines("m\nerror: forged\n") == r"m\nerror: forged"


def test_a_record_of_the_log_is_one_line_and_a_traceback_keeps_its_own():
    record = logging.LogRecord("a", logging.WARNING, "a.py", 1, "%s serves %s", ("host", HOSTILE), None)
    formatter = ShownFormatter("%(levelname)s %(message)s")
    assert formatter.format(record) == rf"WARNING host serves {IN_ONE_LINE}"
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        record.exc_info = sys.exc_info()
    first, second, *rest = formatter.format(record).split("\n")
    assert second == "Traceback (most recent call last):"
    assert "\x1b" not in "".join([first, *rest])


def test_an_editor_is_told_names_in_one_line():
    params = Status("ready", HOSTILE, HOSTILE).params()
    assert params["message"] == params["model"] == IN_ONE_LINE
