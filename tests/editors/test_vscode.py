"""The extension in a real VS Code, with the real server and model: keys go in, file and screen come out."""

from __future__ import annotations

import json
import os
import re
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.editors.vscode_server import COPILOT_SERVER, CodeServer, environment, open_code_server
from tests.editors.vscode_window import Window
from tests.support.chromium import open_browser
from tests.support.engines import llamacpp_engine

pytestmark = [pytest.mark.editors, pytest.mark.model]

FILE = "main.py"
FIBONACCI = 'def fibonacci(n: int) -> int:\n"""Return the n-th Fibonacci number."""\n'
#: The same in the document: VS Code indents.
BEFORE = 'def fibonacci(n: int) -> int:\n    """Return the n-th Fibonacci number."""\n    '
TRIANGLE = 'def triangle(n: int) -> int:\n"""Return the sum of the numbers from 1 to n."""\n'
BEFORE_TRIANGLE = 'def triangle(n: int) -> int:\n    """Return the sum of the numbers from 1 to n."""\n    '
#: Settings with which several suggestions are hardly ever all the same.
DIVERSE = {"copilot-server.completion.candidates": 5, "copilot-server.completion.temperature": 1.0}
#: In JavaScript, VS Code's completion list has the words of the document.
WORDS = {"[javascript]": {"editor.wordBasedSuggestions": "currentDocument"}}
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
#: A file of the project, and what uses it: only the file can tell the attribute's name.
ATTRIBUTE = "snooze_after_failure_s"
PREFERENCES = f'''class Preferences:
    """What the user has set."""

    {ATTRIBUTE}: float = 1.0
    bucket_prefix: str = ""
'''
PAUSE = '''from preferences import Preferences


def pause(preferences: Preferences, attempt: int) -> float:
"""Return how long to wait before the next attempt."""
return attempt * preferences.'''
TOGGLE = "Control+Alt+Shift+\\"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("vscode")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[CodeServer]:
    with open_code_server(folder / "run", user={**DIVERSE, **WORDS}) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(server: CodeServer, browser: Browser, folder: Path) -> Window:
    window = Window(server, browser, folder / "evidence")
    window.open(FILE)
    return window


@pytest.fixture
def window(shared: Window) -> Window:
    """A window with an empty Python file and a server that is ready."""
    shared.press("Escape", "Escape")
    shared.clear_notices()
    shared.tab(FILE).click()
    shared.status_says("ready")
    shared.replace_all("")
    return shared


def suggested(window: Window) -> str:
    """Type a signature and a docstring; return the suggested body, which has several lines."""
    window.type(FIBONACCI)
    body = window.ghost_shows()
    assert body.count("\n") > 1
    return body


def test_a_newcomer_is_offered_the_walkthrough(shared: Window) -> None:
    # If it opened by itself, it would take the focus from the open file.
    shared.notice("Open Walkthrough").get_by_role("button", name="Open Walkthrough").click()
    expect(shared.page.locator("h2", has_text="Get started with Copilot Server")).to_be_visible()
    expect(shared.page.locator("h3", has_text="Compare several suggestions")).to_be_visible()
    shared.until("the step that is done", lambda: step_is_done(shared, "server"))
    assert not step_is_done(shared, "write")  # nothing has been accepted yet
    shared.press("Control+F4")


def step_is_done(window: Window, step: str) -> bool:
    """Whether a step of the walkthrough, which is shown, has its tick."""
    button = window.page.locator(f'[data-step-id$="#{step}"].getting-started-step')
    return button.locator(".codicon-getting-started-step-checked").count() > 0


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


def test_tab_indents_where_nothing_is_suggested(window: Window) -> None:
    suggested(window)
    window.press("Escape")
    window.ghost_goes()
    window.press("Tab")
    assert window.buffer(FILE) == f"{BEFORE}    "


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


def test_turned_off_nothing_runs_and_the_key_says_so_and_turned_on_it_is_again(
    window: Window, server: CodeServer
) -> None:
    suggested(window)
    assert server.language_servers()
    window.press(TOGGLE)
    window.status_says("suggestions are off")
    window.ghost_goes()
    window.until("no server", lambda: not server.language_servers())
    window.replace_all("")
    window.type(FIBONACCI)
    window.stays_without_ghost()
    assert window.buffer(FILE) == BEFORE

    window.press("Alt+\\")
    window.notice("Suggestions are off").get_by_role("button", name="Turn On").click()
    window.status_says("ready")
    window.focus_editor()
    window.press("Alt+\\")
    assert window.ghost_shows()


def test_the_menu_turns_one_language_off_and_on(window: Window, server: CodeServer) -> None:
    window.status_item.click()
    window.choose("Turn suggestions off for python")
    window.status_says("suggestions are off for python")
    settings = json.loads(server.user_settings.read_text(encoding="utf-8"))
    assert settings["copilot-server.languages"] == {"python": False}
    window.focus_editor()
    window.type(FIBONACCI)
    window.stays_without_ghost()
    window.press("Alt+\\")
    assert window.ghost_shows()  # who asks is answered
    window.press("Escape")

    window.status_item.click()
    window.choose("Turn suggestions on for python")
    window.status_says("ready")
    window.focus_editor()
    window.press("Alt+\\")
    assert window.ghost_shows()


def test_snoozed_nothing_comes_unasked_and_resumed_it_does_again(window: Window) -> None:
    window.status_item.click()
    window.choose("Snooze suggestions")
    window.choose("15 minutes")
    window.status_says("snoozed until")
    window.focus_editor()
    window.type(FIBONACCI)
    window.stays_without_ghost()
    window.press("Alt+\\")
    assert window.ghost_shows()
    window.press("Escape")
    window.status_item.click()
    window.choose("Resume suggestions")
    window.status_says("ready")
    window.focus_editor()
    window.replace_all("")
    assert suggested(window)


def test_who_asks_where_nothing_may_be_suggested_is_told_why(window: Window, server: CodeServer) -> None:
    (server.workspace / ".env").write_text("TOKEN=1\n", encoding="utf-8")
    window.page.locator(".explorer-folders-view .monaco-list-row", has_text=".env").dblclick()
    window.page.locator(".tab.active", has_text=".env").wait_for()
    window.status_says("excluded")
    window.press("Control+End", "Alt+\\")
    expect(window.page.locator(".statusbar-item", has_text="excluded").first).to_be_visible()
    assert not window.notices()  # nothing can be done about it
    window.close_tab(".env")
    assert "excluded" not in window.status_says("ready")


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


def test_several_cursors_get_what_is_typed_and_no_more(window: Window) -> None:
    window.replace_all("x = 1\nx = 1\n")
    window.press("Control+Home", "Control+d", "Control+d")
    window.type("total")
    window.press("Escape", "Escape")
    assert window.buffer(FILE) == "total = 1\ntotal = 1\n"


def test_without_ghost_text_every_key_is_the_editors(window: Window, server: CodeServer) -> None:
    window.status_item.click()
    window.choose("Suggest only when asked")
    window.status_says("suggestions come when you ask")
    keys_of_the_text(window)
    keys_of_the_completion_list(window, server)
    keys_of_the_search_box(window)
    window.close_tab("keys.js")
    window.focus_editor()
    window.replace_all("")
    window.type(FIBONACCI)
    window.stays_without_ghost()
    window.press("Alt+\\")
    assert window.ghost_shows()
    # What is shown takes the word from the key for words, and gives it back when the cursor goes to the left.
    window.press("Control+ArrowLeft")
    window.ghost_goes()
    window.press("Escape")
    window.status_item.click()
    window.choose("Suggest automatically")
    window.status_says("ready")


def keys_of_the_text(window: Window) -> None:
    window.replace_all("alpha beta gamma")
    window.press("Home", "Control+ArrowRight")
    window.type("1")
    window.press("Control+ArrowRight")
    window.type("2")
    window.press("Control+ArrowLeft", "Alt+]", "Alt+[")
    window.type("3")
    assert window.buffer(FILE) == "alpha1 3beta2 gamma"
    groups = window.page.locator(".editor-group-container")
    assert groups.count() == 1
    window.run_any("View: Split Editor Right")
    window.press("Control+Alt+ArrowRight")  # it moves the editor to the next group, and closes what is empty
    window.run_any("View: Single Column Editor Layout")
    window.until("one group", lambda: groups.count() == 1)


def keys_of_the_completion_list(window: Window, server: CodeServer) -> None:
    (server.workspace / "keys.js").write_text("", encoding="utf-8")
    window.page.locator(".explorer-folders-view .monaco-list-row", has_text="keys.js").dblclick()
    window.page.locator(".tab.active", has_text="keys.js").wait_for()
    offered = window.page.locator(".suggest-widget.visible .monaco-list-row")

    def complete(start: str, *keys: str) -> None:
        window.type(start)
        window.press("Escape", "Control+Space")
        offered.filter(has_text="alphabets").wait_for()
        window.press(*keys)
        window.until("no list", lambda: offered.count() == 0)

    window.type("const alphabet = 1;\nconst alphabets = 2;\n")
    complete("alphab", "Tab")
    window.type(";\n")
    complete("alphab", "ArrowDown", "Enter")
    window.type(";")
    assert window.buffer("keys.js").endswith("2;\nalphabet;\nalphabets;")


def keys_of_the_search_box(window: Window) -> None:
    window.press("Escape", "Control+f")
    box = window.page.locator(".find-widget.visible .find-part textarea").first
    box.fill("one two")
    window.press("Control+ArrowLeft", "Alt+\\")
    window.type("3")
    expect(box).to_have_value("one 3two")
    assert not window.notices()
    window.press("Escape")


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


def test_the_panel_shows_several_and_inserts_one_that_one_undo_takes_back(window: Window) -> None:
    suggested(window)
    window.press("Control+Alt+\\")
    page = window.webview("#candidates article")
    expect(page.locator("#state")).to_contain_text("to accept", timeout=300_000)
    codes = page.locator("article code").all_text_contents()
    assert len(codes) > 1
    assert len(set(codes)) == len(codes)

    page.locator("article button").nth(1).click()
    window.until("the panel closed", lambda: window.tab("Suggestions").count() == 0)
    window.until("the cursor back", lambda: window.page.locator(".tab.active", has_text=FILE).count())
    inserted = window.buffer(FILE)
    assert inserted.startswith(BEFORE)
    # The panel shows the line before the cursor too, but not the indentation that all lines share.
    assert textwrap.dedent(f"    {inserted.removeprefix(BEFORE)}") == codes[1]
    window.press("Control+z")
    assert window.buffer(FILE) == BEFORE


def test_the_panel_refuses_a_document_that_has_changed_and_asks_again_in_it_as_it_is(window: Window) -> None:
    suggested(window)
    window.press("Control+Alt+\\")
    page = window.webview("#candidates article")
    expect(page.locator("#state")).to_contain_text("to accept", timeout=300_000)
    window.tab(FILE).click()
    window.type("pass")
    page.locator("article button").first.click()
    expect(page.locator("#state")).to_contain_text("has changed")
    window.focus_editor()
    assert window.buffer(FILE) == f"{BEFORE}pass"

    window.replace_all("")
    window.type(TRIANGLE)
    window.press("Escape")
    page.locator("#again").click()
    expect(page.locator("#where")).to_contain_text("line 3")
    expect(page.locator("#state")).to_contain_text("to accept", timeout=300_000)
    page.locator("article button").first.click()
    window.until("the panel closed", lambda: window.tab("Suggestions").count() == 0)
    window.until("the cursor back", lambda: window.page.locator(".tab.active", has_text=FILE).count())
    inserted = window.buffer(FILE).removeprefix(BEFORE_TRIANGLE)
    assert inserted
    assert not inserted.startswith("def ")


def test_what_is_accepted_is_counted(window: Window, folder: Path) -> None:
    before = statistics(folder)
    suggested(window)
    window.press("Tab")
    window.until("one more accepted", lambda: statistics(folder)["accepted"] > before["accepted"])
    window.replace_all("")
    suggested(window)
    window.press("Control+ArrowRight", "Control+Alt+ArrowRight", "Escape")
    window.until("a part", lambda: statistics(folder)["partly_accepted"] > before["partly_accepted"])
    window.run("Show Statistics")
    window.tab("Copilot Server Statistics").wait_for()
    assert "accepted" in window.page.locator(".editor-instance .view-lines").first.inner_text()
    window.close_tab("Copilot Server Statistics")
    window.run("Open Walkthrough")
    window.until("the step that is done now", lambda: step_is_done(window, "write"))
    window.page.wait_for_timeout(1500)  # until it has been opened for the second time: see walkthrough.ts
    window.press("Control+F4")


def statistics(folder: Path) -> dict[str, int]:
    """The server's counts of this test."""
    command = [str(COPILOT_SERVER), "stats", "--json"]
    said = subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment(folder / "run")
    ).stdout
    totals: dict[str, int] = json.loads(said)["totals"]
    return totals


def test_what_the_server_is_told_and_what_takes_long_can_be_cancelled(
    window: Window, server: CodeServer, folder: Path
) -> None:
    sent = record(server, folder)
    window.until("the server that records", sent.exists)
    window.status_says("ready")
    window.focus_editor()
    window.type("x = 1\n\nyes = 2")
    window.press("Escape", "Control+Home")
    window.until("a report of the first line", lambda: reported(sent)[-1:] == [(FILE, 0, 0)])
    window.press("Control+End")
    window.until("a report of the last line", lambda: reported(sent)[-1:] == [(FILE, 2, 7)])

    # Where there is no document, the focus is on none of the server's.
    window.run("Open Walkthrough")
    window.until("a report of no document", lambda: messages(sent, "textDocument/didFocus")[-1:] == [{}])
    assert len(reported(sent)) == len(messages(sent, "copilotServer/didMoveCursor"))
    window.page.wait_for_timeout(1500)  # as above
    window.tab(FILE).click()
    window.until("a report of the file", lambda: reported(sent)[-1:] == [(FILE, 2, 7)])

    window.replace_all("")
    suggested(window)
    window.until("a report of what is shown", lambda: messages(sent, "textDocument/didShowCompletion"))
    for command, progress in (("Select Model", "listing the models"), ("Show Statistics", "reading the")):
        window.run(command)
        window.notice(progress).get_by_role("button", name="Cancel").click()
        window.until(f"no {progress}", lambda progress=progress: window.notice(progress).count() == 0)
        assert not window.page.locator(".quick-input-widget:visible").count()
    window.focus_editor()
    server.change_machine_settings(serverPath=str(COPILOT_SERVER))
    window.until("one server", lambda: len(server.language_servers()) == 1)
    window.status_says("ready")


#: A server that keeps what it is sent, and whose other commands do not end by themselves.
RECORDER = """#!/bin/sh
case "$1" in
  models | stats) exec cat "{hold}" ;;
  *) tee -a "{sent}" | "{program}" "$@" ;;
esac
"""


def record(server: CodeServer, folder: Path) -> Path:
    """Have the server run by the recorder; return the file that gets what the server is sent."""
    sent, recorder = folder / "sent", folder / "recorder"
    recorder.write_text(RECORDER.format(sent=sent, hold=folder / "hold", program=COPILOT_SERVER), "utf-8")
    recorder.chmod(0o755)
    os.mkfifo(folder / "hold")
    server.change_machine_settings(serverPath=str(recorder))
    return sent


def messages(sent: Path, method: str) -> list[dict[str, Any]]:
    """The parameters of each message that the server was sent."""
    # Not as a text, in which a carriage return before a line feed would be lost.
    heads = re.split(r"Content-Length: \d+\r\n\r\n", sent.read_bytes().decode("utf-8", "replace"))
    bodies = [json.loads(head) for head in heads if method in head and head.endswith("}")]
    return [body["params"] for body in bodies if body.get("method") == method]


def reported(sent: Path) -> list[tuple[str, int, int]]:
    """The file and position of each report of the cursor that the server was sent."""
    params = messages(sent, "copilotServer/didMoveCursor")
    return [
        (one["textDocument"]["uri"].rpartition("/")[2], one["position"]["line"], one["position"]["character"])
        for one in params
    ]


def test_the_status_bar_shows_starting_loading_and_thinking(window: Window) -> None:
    window.record_statuses()
    window.run("Restart Server")
    window.until("a loading model", lambda: any("loading" in said for said in window.statuses()))
    window.status_says("ready")
    assert any("starting" in said for said in window.statuses())
    window.focus_editor()
    suggested(window)
    # The state is not shown if it lasts too short a time to be seen; several suggestions take longer.
    window.press("Control+Alt+\\")
    window.until("thinking", lambda: any("thinking" in said for said in window.statuses()))
    window.status_says("ready")
    window.close_tab("Suggestions")


def test_a_killed_server_is_reported_and_restarted(window: Window, server: CodeServer) -> None:
    (killed,) = server.language_servers()
    killed.kill()
    expect(window.notice("The server stopped unexpectedly (signal SIGKILL)")).to_be_visible()
    window.until("another server", lambda: killed.pid not in [one.pid for one in server.language_servers()])
    window.status_says("ready")
    body = suggested(window)
    window.press("Tab")
    assert window.buffer(FILE) == BEFORE + body


def test_a_missing_server_is_reported_with_a_remedy(window: Window, server: CodeServer) -> None:
    server.change_machine_settings(serverPath="/no/such/copilot-server")
    window.status_says("the server is not installed")
    notice = window.notice("/no/such/copilot-server")
    expect(notice.get_by_role("button", name="Install")).to_be_visible()
    window.until("no server", lambda: not server.language_servers())
    window.status_item.click()
    window.row("Install the server…").wait_for()
    assert "Install the server…" in window.rows()[0]
    window.press("Escape")
    window.clear_notices()
    window.focus_editor()
    window.press("Alt+\\")
    expect(notice.get_by_role("button", name="Install")).to_be_visible()

    server.change_machine_settings(serverPath="/bin/false")
    window.status_says("error")
    window.clear_notices()
    window.focus_editor()
    window.press("Alt+\\")
    expect(window.notice("does not start").get_by_role("button", name="Restart")).to_be_visible()
    server.change_machine_settings(serverPath=str(COPILOT_SERVER))
    window.status_says("ready")
    window.focus_editor()
    assert suggested(window)


def test_a_missing_model_is_an_error_that_the_picker_fixes(
    window: Window, server: CodeServer, folder: Path
) -> None:
    window.run("Select Model")
    window.row("qwen2.5-coder-0.5b").wait_for()
    window.type("Another")
    window.choose("Another model…")
    window.page.locator(".quick-input-box input").fill(str(folder / "no-such-model"))
    window.press("Enter")
    assert "no-such-model" in window.status_says("error")
    assert "no-such-model" in server.machine_settings.read_text(encoding="utf-8")

    window.run("Select Model")
    window.choose("qwen2.5-coder-0.5b")
    window.status_says("ready")
    window.clear_notices()
    window.focus_editor()
    assert suggested(window)


def test_a_workspace_cannot_send_source_to_a_remote_engine(window: Window, server: CodeServer) -> None:
    file = server.workspace / ".vscode" / "settings.json"
    file.parent.mkdir(exist_ok=True)
    settings = {"copilot-server.engine": ["http://127.0.0.1:9"], "copilot-server.enabled": False}
    file.write_text(json.dumps(settings), encoding="utf-8")
    window.status_says("suggestions are off")  # which shows that the settings are read, and ends the server
    file.write_text(json.dumps(settings | {"copilot-server.enabled": True}), encoding="utf-8")
    assert "127.0.0.1" not in window.status_says("ready (qwen2.5-coder-0.5b)")
    assert suggested(window)
    assert len(server.language_servers()) == 1
    file.unlink()


def test_a_remote_engine_is_named_and_reported_when_it_is_unreachable(
    window: Window, server: CodeServer
) -> None:
    with llamacpp_engine() as engine:
        host = engine.url.removeprefix("http://")
        server.change_machine_settings(engine=[engine.url])
        assert f"is sent to the engine at {host}" in window.status_says("ready (qwen2.5-coder-0.5b at ")
        expect(window.status_item).to_contain_text(f"Copilot Server: {host}")
        window.status_item.click()
        window.row(f"The model runs at {host}").wait_for()
        window.press("Escape")
        window.focus_editor()
        body = suggested(window)
        window.press("Tab")
        assert window.buffer(FILE) == BEFORE + body

        engine.kill()
        assert f"The engine at {host}" in window.status_says("error")
        engine.restart()
        assert "tried again" not in window.status_says("ready")
        window.replace_all("")
        assert suggested(window)

        server.change_machine_settings(engine=[])
        window.status_says("ready (qwen2.5-coder-0.5b)")
        assert host not in window.status()
    window.focus_editor()
    window.replace_all("")
    assert suggested(window)


def test_a_self_test_shows_how_far_it_is_and_can_be_cancelled(window: Window, server: CodeServer) -> None:
    window.run("Run Self-test (HumanEval)")
    window.choose("The whole of HumanEval")
    expect(window.notice(" of 164, pass@1")).to_be_visible(timeout=300_000)
    window.notice("of 164").get_by_role("button", name="Cancel").click()
    window.until("no self-test", lambda: not server.self_tests())


def test_a_self_test_opens_its_report(window: Window) -> None:
    window.run("Run Self-test (HumanEval)")
    window.choose("A quick look")
    report = window.webview("text=95 % interval")
    expect(report.locator("body")).to_contain_text("Of 20 tasks")
    expect(window.notice("on 20 problems")).to_be_visible()
    window.close_tab("Self-test Report")


# The last one, since VS Code keeps the server of a window that was closed.
def test_of_two_folders_one_may_have_suggestions_off(
    shared: Window, server: CodeServer, browser: Browser, folder: Path
) -> None:
    shared.page.close()
    (folder / "two").mkdir()
    sent = record(server, folder / "two")
    window = Window(server, browser, folder / "evidence")
    roots = [folder / "folders" / name for name in ("on", "off")]
    for root in roots:
        (root / ".vscode").mkdir(parents=True)
        (root / FILE).touch()
    settings = json.dumps({"copilot-server.enabled": False})
    (folder / "folders" / "off" / ".vscode" / "settings.json").write_text(settings, encoding="utf-8")
    file = folder / "both.code-workspace"
    file.write_text(json.dumps({"folders": [{"path": str(root)} for root in roots]}), encoding="utf-8")
    window.open_workspace(file, *(root / FILE for root in roots))
    window.status_says("suggestions are off in this workspace")
    window.focus_editor()
    window.press("Alt+\\")
    expect(window.notice("off in this workspace").get_by_role("button", name="Turn On")).to_be_visible()
    window.page.locator(".explorer-folders-view .monaco-list-row", has_text=FILE).first.dblclick()
    window.status_says("ready")
    suggested(window)
    text = sent.read_text("utf-8")
    assert f"{roots[0].name}/{FILE}" in text
    assert f"{roots[1].name}/{FILE}" not in text
    window.page.close()
