"""Ghost text in a real VS Code: keys go in, file and screen come out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.editors.vscode.documents import BEFORE, BEFORE_TRIANGLE, FIBONACCI, FILE, TRIANGLE, suggested
from tests.editors.vscode_server import CodeServer
from tests.editors.vscode_window import Window

pytestmark = [pytest.mark.editors, pytest.mark.model]

#: A file of the project, and what uses it: only the file can tell the attribute's name.
ATTRIBUTE = "snooze_after_failure_s"
PREFERENCES = f'''class Preferences:
    """What the user has set."""

    {ATTRIBUTE}: float = 1.0
    bucket_prefix: str = ""
'''
#: A notebook with a cell that alone tells an attribute's name, and an empty one. VS Code opens it without the
#: extension for Jupyter, and runs nothing.
RETRIES = "retries_before_giving_up"
CELL = f'%matplotlib inline\nclass Limits:\n    """What is allowed."""\n\n    {RETRIES}: int = 3\n'
NOTEBOOK = {
    "cells": [
        {"cell_type": "code", "id": name, "metadata": {}, "source": source, "outputs": []}
        for name, source in (("a", CELL.splitlines(keepends=True)), ("b", []))
    ],
    "metadata": {"language_info": {"name": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


PAUSE = '''from preferences import Preferences


def pause(preferences: Preferences, attempt: int) -> float:
"""Return how long to wait before the next attempt."""
return attempt * preferences.'''


def test_a_signature_and_a_docstring_bring_the_body_as_ghost_text_only(window: Window) -> None:
    body = suggested(window)
    assert "return" in body
    assert window.buffer(FILE) == BEFORE
    assert window.ghost() == body  # saving leaves it


def test_a_word_a_line_and_all_are_accepted_one_after_the_other(window: Window) -> None:
    body = suggested(window)
    window.press("Control+ArrowRight")
    word = window.buffer(FILE).removeprefix(BEFORE)
    assert word
    assert body.startswith(word)
    assert len(word.split()) == 1
    window.ghost_is(body.removeprefix(word))

    window.press("Control+Alt+ArrowRight")
    first, rest = body.split("\n", 1)
    assert window.buffer(FILE) == f"{BEFORE}{first}\n"
    window.ghost_is(rest)

    indent = rest[: len(rest) - len(rest.lstrip())]
    window.press("Tab")  # indents first, as VS Code always does if a suggestion begins with more than a tab
    window.ghost_is(rest.removeprefix(indent))
    window.press("Tab")
    assert window.buffer(FILE) == BEFORE + body


def test_tab_accepts_all_and_one_undo_takes_it_back(window: Window) -> None:
    body = suggested(window)
    window.press("Tab")
    assert window.buffer(FILE) == BEFORE + body
    window.press("Control+z")
    assert window.buffer(FILE) == BEFORE


def test_typing_what_is_suggested_leaves_the_rest(window: Window) -> None:
    body = suggested(window)
    window.type(body[:4])
    window.ghost_is(body[4:])
    window.press("Tab")
    assert window.buffer(FILE) == BEFORE + body


def test_escape_dismisses_and_the_key_asks_again(window: Window) -> None:
    suggested(window)
    window.press("Escape")
    window.ghost_goes()
    assert window.buffer(FILE) == BEFORE
    window.press("Alt+\\")
    again = window.ghost_shows()
    window.press("Tab")
    assert window.buffer(FILE) == BEFORE + again


def test_what_was_typed_away_comes_again_only_by_the_key(window: Window) -> None:
    suggested(window)
    window.type("§")
    window.press("Backspace")
    window.ghost_goes()
    window.stays_without_ghost()
    assert window.buffer(FILE) == BEFORE
    window.press("Alt+\\")
    assert window.ghost_shows()


def test_what_another_file_defines_is_suggested_and_accepted(window: Window, server: CodeServer) -> None:
    (server.workspace / "preferences.py").write_text(PREFERENCES, encoding="utf-8")
    window.type(PAUSE)

    def invoked() -> str | bool:
        # The index is made in the background: invoke completion again until it is there.
        window.press("Escape", "Alt+\\")
        shown = window.ghost_shows()
        return shown if shown.startswith(ATTRIBUTE) else False

    offered = window.until("what the other file defines", invoked)
    before = window.buffer(FILE)
    window.press("Tab")
    assert window.buffer(FILE) == before + offered


def test_the_keys_go_round_several_suggestions(window: Window) -> None:
    first = suggested(window)
    window.press("Alt+]")
    second = window.until("another suggestion", lambda: window.ghost() not in ("", first) and window.ghost())
    window.press("Alt+[")
    window.ghost_is(first)
    window.press("Alt+]")
    window.ghost_is(second)
    window.press("Tab")
    assert window.buffer(FILE) == BEFORE + second


def test_edits_while_the_model_writes_are_kept_and_answered(window: Window) -> None:
    # Each key makes a new request, and the text changes again before every answer.
    window.type(FIBONACCI)
    window.replace_all("")
    window.type(TRIANGLE)
    body = window.ghost_shows()
    assert window.buffer(FILE) == BEFORE_TRIANGLE
    window.press("Tab")
    assert window.buffer(FILE) == BEFORE_TRIANGLE + body
    assert "fibonacci" not in body


def test_an_untitled_document_has_suggestions_and_an_output_has_none(window: Window) -> None:
    window.run_any("File: New Untitled Text File")
    window.page.locator(".tab.active", has_text="Untitled").wait_for()
    window.type(FIBONACCI.replace('\n"""', '\n    """') + "    ")
    window.press("Alt+\\")  # it is plain text, in which no line is likely enough to be right
    assert window.ghost_shows()
    window.press("Escape")
    window.run("Show Log")
    window.page.locator(".panel .view-lines").wait_for()
    window.page.locator(".panel .view-lines").click()
    assert "for log" not in window.status()
    window.run_any("View: Hide Panel")
    window.close_tab("Untitled")


def test_a_cell_of_a_notebook_knows_the_cells_before_it(window: Window, server: CodeServer) -> None:
    notebook = server.workspace / "notebook.ipynb"
    notebook.write_text(json.dumps(NOTEBOOK), encoding="utf-8")
    window.page.locator(".explorer-folders-view .monaco-list-row", has_text=notebook.name).dblclick()
    window.page.locator(".notebookOverlay .cell .monaco-editor").nth(1).click()
    window.type("def may_retry(limits: Limits, failures: int) -> bool:\nreturn failures < limits.")
    window.press("Alt+\\")
    offered = window.until(
        "what the cell above defines", lambda: starting_with(RETRIES, window.ghost_shows())
    )
    window.press("Tab", "Control+s")
    body = f"def may_retry(limits: Limits, failures: int) -> bool:\n    return failures < limits.{offered}"
    window.until("the cell saved", lambda: cells(notebook) == [CELL.rstrip(), body])
    window.close_tab(notebook.name)


def starting_with(wanted: str, text: str) -> str | bool:
    return text if text.startswith(wanted) else False


def cells(notebook: Path) -> list[str]:
    saved = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return ["".join(one["source"]).rstrip() for one in saved]
