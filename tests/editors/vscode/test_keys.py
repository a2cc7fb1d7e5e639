"""The keys of the editor, which it keeps where no ghost text shows."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Locator, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.editors.vscode.documents import BEFORE, FIBONACCI, FILE, suggested
from tests.editors.vscode_server import CodeServer
from tests.editors.vscode_window import Window

pytestmark = [pytest.mark.editors, pytest.mark.model]


def test_tab_indents_where_nothing_is_suggested(window: Window) -> None:
    suggested(window)
    window.press("Escape")
    window.ghost_goes()
    window.press("Tab")
    assert window.buffer(FILE) == f"{BEFORE}    "


def test_without_ghost_text_every_key_is_the_editors(window: Window, server: CodeServer) -> None:
    window.status_item.click()
    window.choose("Suggest only when asked")
    window.status_says("suggestions come when you ask")
    keys_of_the_text(window)
    keys_of_the_completion_list(window, server)
    keys_of_the_search_box(window)
    window.close_tab("keys.js")
    keys_of_several_cursors(window)
    keys_of_a_snippet(window, server)
    keys_of_other_inputs(window)
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


def keys_of_several_cursors(window: Window) -> None:
    window.replace_all("x = 1\nx = 1\n")
    window.press("Control+Home", "Control+d", "Control+d")
    window.type("total")
    window.press("Home", "Tab", "Control+ArrowRight")
    window.type("s")
    window.press("Escape", "Escape")
    assert window.buffer(FILE) == "    totals = 1\n    totals = 1\n"


def keys_of_a_snippet(window: Window, server: CodeServer) -> None:
    """Tab goes through the fields, and who asks there is told why VS Code shows nothing.

    What is typed there are numbers, for which there are no completions.
    """
    snippet = {"prefix": "twofields", "scope": "python", "body": "x = ${1:0}\ny = ${2:0}\nz = $0"}
    file = server.workspace / ".vscode" / "fields.code-snippets"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"Two fields": snippet}), encoding="utf-8")
    window.press("Control+a", "Delete")
    window.until("the snippet", lambda: tries_to_insert(window, "twofields"))
    window.until("its fields", lambda: window.page.locator(".snippet-placeholder").count())
    window.press("Alt+\\")
    told = window.page.locator(".statusbar-item", has_text="while you fill in a snippet")
    expect(told.first).to_be_visible()
    for number in ("12", "34", "56"):
        window.type(number)
        window.press("Tab")
    assert window.buffer(FILE) == "x = 12\ny = 34\nz = 56  "
    file.unlink()


def tries_to_insert(window: Window, name: str) -> bool:
    """Choose a snippet; whether VS Code has read its file already."""
    window.run_any("Snippets: Insert Snippet")
    try:
        window.row(name).click(timeout=5000)
    except PlaywrightTimeout:
        window.press("Escape")
        return False
    return True


def keys_of_other_inputs(window: Window) -> None:
    """The palette, and the box that searches in all files."""
    window.press("F1")
    palette = window.page.locator(".quick-input-box input")
    goes_by_words(window, palette, ">")
    window.press("Escape")

    window.run_any("Search: Find in Files")
    box = window.page.locator(".search-view .search-container textarea").first
    goes_by_words(window, box)
    assert not window.notices()
    window.run_any("Explorer: Focus on Folders View")


def keys_of_the_search_box(window: Window) -> None:
    window.press("Escape", "Control+f")
    box = window.page.locator(".find-widget.visible .find-part textarea").first
    goes_by_words(window, box)
    assert not window.notices()
    window.press("Escape")


def goes_by_words(window: Window, box: Locator, before: str = "") -> None:
    """Write two words after ``before``, go back by one, and write between them; no key is taken meanwhile."""
    box.fill(f"{before}one two")
    window.press("Control+ArrowLeft", "Alt+\\")
    window.type("3")
    expect(box).to_have_value(f"{before}one 3two")


def test_the_changed_side_of_a_comparison_has_ghost_text_and_its_own_keys(
    window: Window, server: CodeServer
) -> None:
    changed = "changed.py"
    (server.workspace / changed).write_text("", encoding="utf-8")
    # Without VS Code's native modules the list has only what has been opened.
    window.page.locator(".explorer-folders-view .monaco-list-row", has_text=changed).dblclick()
    window.page.locator(".tab.active", has_text=changed).wait_for()
    window.tab(FILE).click()
    window.run_any("File: Compare Active File With...")
    window.pick(changed, changed)
    side = window.page.locator(".monaco-diff-editor .editor.modified")
    side.locator(".lines-content > .view-lines").click()
    suggested(window)
    shown = side.locator(".ghost-text-decoration, .ghost-text, .suggest-preview-text")
    assert shown.count()
    window.press("Escape")
    window.ghost_goes()
    window.press("Tab")
    assert window.buffer(changed) == f"{BEFORE}    "
    window.press("Backspace", "Alt+\\")
    body = window.ghost_shows()
    window.press("Tab")
    assert window.buffer(changed) == BEFORE + body
    window.run_any("View: Close Editor")
    window.until("the comparison closed", lambda: window.page.locator(".monaco-diff-editor").count() == 0)
    window.close_tab(changed)
    (server.workspace / changed).unlink()  # or the model would see its function from other files
