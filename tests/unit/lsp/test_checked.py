"""Suggestions that are checked against the examples in a docstring, in the real sandbox."""

from __future__ import annotations

from typing import Any

import pytest
from lsprotocol import types

from copilot_server.config import Settings
from copilot_server.lsp.server import CopilotServer
from tests.support.lsp_stand_in import open_stand_in
from tests.support.lsp_wire import URI, Wire
from tests.support.patience import PATIENCE_S

INLINE, PANEL = "textDocument/inlineCompletion", "textDocument/copilotPanelCompletion"
TWICE = 'def twice(x):\n    """Return x doubled.\n\n    >>> twice(2)\n    4\n    """\n    return'
SILENT = 'def twice(x):\n    """Return x doubled."""\n    return'


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, no example is given up."""
    for name in ("TIMEOUT_S", "DEADLINE_S"):
        monkeypatch.setattr(f"copilot_server.completion.verification.checker.{name}", PATIENCE_S)
    monkeypatch.setattr("copilot_server.lsp.checked.EDITOR_S", PATIENCE_S)


def at_end(text: str, *, invoked: bool = True) -> dict[str, Any]:
    lines = text.split("\n")
    position = {"line": len(lines) - 1, "character": len(lines[-1])}
    context = {"triggerKind": 1 if invoked else 2}
    return {"textDocument": {"uri": URI}, "position": position, "context": context}


def marks(items: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    return [(one["insertText"], one.get("examples", {}).get("mark")) for one in items]


async def test_what_passes_comes_first_and_what_fails_says_how(editor: Wire) -> None:
    editor.initialize()
    editor.open(TWICE)
    items = (await editor.request(INLINE, at_end(TWICE)))["items"]
    assert marks(items) == [(" x + x", "passed"), (" 5", "failed"), (" x * 0", "failed")]
    assert items[0]["examples"] == {
        "mark": "passed",
        "message": "1 of 1 example passes",
        "passed": 1,
        "examples": 1,
    }
    assert "twice(2)" in items[1]["examples"]["message"]
    assert "5" in items[1]["examples"]["message"]
    status = editor.messages("didChangeStatus")[-1]
    assert status["examples"] == "passed"
    assert status["message"] == "Ready. The suggestion: 1 of 1 example passes."


async def test_a_panel_ends_with_what_fails(editor: Wire) -> None:
    editor.initialize()
    editor.open(TWICE)
    items = (await editor.request(PANEL, at_end(TWICE)))["items"]
    assert marks(items) == [
        (" x + x", "passed"),
        (" 5", "failed"),
        (" x * 0", "failed"),
        (" 6", "failed"),
    ]


async def test_what_lacks_an_import_comes_with_it_if_it_passes_then(editor: Wire) -> None:
    text = f"{TWICE.removesuffix('return')}# lacks an import\n    "
    editor.initialize()
    editor.open(text)
    items = (await editor.request(INLINE, at_end(text)))["items"]
    assert marks(items) == [
        ("import math\n    return math.prod((2, x))", "passed"),
        ("return math.prod((3, x))", "failed"),
    ]
    # While the user types, it comes as the model wrote it.
    items = (await editor.request(INLINE, at_end(text, invoked=False)))["items"]
    assert marks(items) == [("return math.prod((2, x))", None)]


async def test_what_comes_by_itself_takes_nothing_from_a_panel_for_the_same_text(editor: Wire) -> None:
    editor.initialize()
    editor.open(TWICE)
    editor.send(PANEL, at_end(TWICE), id="panel")
    editor.send(INLINE, at_end(TWICE, invoked=False), id="typed")
    await editor.settled()
    assert editor.answer_to("typed")["result"] == {"items": []}
    assert marks(editor.answer_to("panel")["result"]["items"])[0] == (" x + x", "passed")
    items = (await editor.request(INLINE, at_end(TWICE, invoked=False)))["items"]
    assert marks(items) == [(" 5", None)]


async def test_what_a_panel_holds_back_is_given_when_typing_ends_it(editor: Wire) -> None:
    editor.initialize()
    text = f"{TWICE} +"
    editor.open(text)
    editor.send(PANEL, at_end(text), id="panel")
    worker = editor.server.session.scheduler._worker
    # The first candidate has failed, and the others are being sampled.
    await editor.until(lambda: (now := worker.running) is not None and bool(now.request.sampling.temperature))
    assert editor.answers_to("panel") == []
    editor.change(2, {"text": f"{text} x"})
    editor.send(INLINE, at_end(f"{text} x", invoked=False), id="typed")
    await editor.settled()
    assert marks(editor.answer_to("panel")["result"]["items"]) == [(" 5", "failed")]
    assert editor.answer_to("typed")["result"]["items"]


async def test_the_menu_says_what_is_known_of_its_item(editor: Wire) -> None:
    editor.send("initialize", {"capabilities": {}}, id=1)
    editor.send("initialized", {})
    editor.open(TWICE)
    menu = await editor.request("textDocument/completion", at_end(TWICE))
    assert [item["detail"] for item in menu["items"]] == ["copilot-server"]
    await editor.request(INLINE, at_end(TWICE))
    menu = await editor.request("textDocument/completion", at_end(TWICE))
    assert [item["detail"] for item in menu["items"]] == [
        "copilot-server: example `twice(2) == 4` fails: got 5"
    ]


async def test_without_examples_or_when_it_is_off_nothing_is_marked() -> None:
    for text, settings in ((SILENT, Settings()), (TWICE, Settings(verify="off"))):
        editor = Wire(CopilotServer(settings, {}, open_stand_in))
        editor.initialize()
        editor.open(text)
        items = (await editor.request(INLINE, at_end(text)))["items"]
        assert marks(items) == [(" 5", None)]
        assert editor.messages("didChangeStatus")[-1]["examples"] is None
        editor.end()


async def test_what_is_suggested_while_one_types_is_not_checked_at_once(editor: Wire) -> None:
    editor.initialize()
    editor.open(TWICE)
    items = (await editor.request(INLINE, at_end(TWICE, invoked=False)))["items"]
    assert marks(items) == [(" 5", None)]


@pytest.fixture
async def idle(editor: Wire, monkeypatch: pytest.MonkeyPatch) -> Wire:
    """An editor whose user wants what is shown to be checked while nobody types."""
    monkeypatch.setattr("copilot_server.lsp.checked.QUIET_S", 0.0)
    editor.initialize(initializationOptions={"verify": "idle"})
    editor.open(TWICE)
    return editor


async def shown_and_checked(editor: Wire) -> None:
    """Have a suggestion that fails shown to a user who types no more, until another one has passed."""
    items = (await editor.request(INLINE, at_end(TWICE, invoked=False)))["items"]
    assert marks(items) == [(" 5", None)]
    await editor.until(
        lambda: editor.messages("didChangeStatus")[-1]["message"].endswith("another one passes.")
    )
    assert editor.messages("didChangeStatus")[-1]["examples"] == "failed"


def asked_of_the_model(editor: Wire) -> int:
    return editor.server.session.scheduler.counts.requests


async def test_what_passed_while_nobody_typed_comes_at_once_when_the_user_asks(idle: Wire) -> None:
    await shown_and_checked(idle)
    before = asked_of_the_model(idle)
    items = (await idle.request(INLINE, at_end(TWICE)))["items"]
    assert marks(items) == [(" x + x", "passed"), (" 5", "failed"), (" x * 0", "failed")]
    assert asked_of_the_model(idle) == before
    assert idle.messages("didChangeStatus")[-1]["examples"] == "passed"
    # Who asks again wants others. What passed is still the first.
    items = (await idle.request(INLINE, at_end(TWICE)))["items"]
    assert marks(items)[0] == (" x + x", "passed")
    assert asked_of_the_model(idle) > before


async def test_the_mark_of_what_is_shown_is_not_that_of_the_same_with_an_import(idle: Wire) -> None:
    text = f"{TWICE.removesuffix('return')}# lacks an import\n    "
    idle.change(2, {"text": text})
    items = (await idle.request(INLINE, at_end(text, invoked=False)))["items"]
    assert marks(items) == [("return math.prod((2, x))", None)]
    await idle.until(lambda: idle.messages("didChangeStatus")[-1]["message"].endswith("another one passes."))
    status = idle.messages("didChangeStatus")[-1]
    assert status["examples"] == "failed"
    assert "NameError" in status["message"]
    items = (await idle.request(INLINE, at_end(text)))["items"]
    assert marks(items)[0] == ("import math\n    return math.prod((2, x))", "passed")


async def test_it_is_the_first_part_of_a_panel(idle: Wire) -> None:
    await shown_and_checked(idle)
    await idle.request(PANEL, {**at_end(TWICE), "partialResultToken": "panel"})
    parts = [marks(one["value"]["items"]) for one in idle.messages("$/progress")]
    assert parts[0] == [(" x + x", "passed")]
    assert sorted(one for part in parts for one in part) == [
        (" 5", "failed"),
        (" 6", "failed"),
        (" x * 0", "failed"),
        parts[0][0],
    ]
    assert parts[-1][-1][1] == "failed"


async def test_typing_ends_the_check_of_what_was_shown(idle: Wire) -> None:
    await idle.request(INLINE, at_end(TWICE, invoked=False))
    task = idle.server.session.examples._idle
    assert task is not None
    idle.change(2, {"text": f"{TWICE} "})
    await idle.until(task.done)
    assert task.cancelled()
    assert idle.messages("didChangeStatus")[-1]["examples"] is None


async def test_nothing_is_kept_for_who_switches_checking_off(idle: Wire) -> None:
    await shown_and_checked(idle)
    idle.send("workspace/didChangeConfiguration", {"settings": {"verify": "off"}})
    items = (await idle.request(INLINE, at_end(TWICE)))["items"]
    assert marks(items) == [(" 5", None)]


async def test_what_is_shown_is_checked_while_nobody_types_only_if_that_is_set(
    editor: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("copilot_server.lsp.checked.QUIET_S", 0.0)
    editor.initialize()
    editor.open(TWICE)
    await editor.request(INLINE, at_end(TWICE, invoked=False))
    assert editor.server.session.examples._idle is None


async def test_where_no_sandbox_works_that_is_said_once_and_nothing_runs(
    editor: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("copilot_server.sandbox.host.tiers", list)
    editor.initialize()
    editor.open(TWICE)
    for _ in range(2):
        items = (await editor.request(INLINE, at_end(TWICE)))["items"]
        assert marks(items) == [(" 5", None)]
    said = [one["message"] for one in editor.messages("window/logMessage")]
    assert len([one for one in said if "Examples are not checked" in one]) == 1


async def test_it_is_said_too_where_the_sandbox_was_to_be_ready_before_anyone_asked(
    editor: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("copilot_server.sandbox.host.tiers", list)
    editor.initialize()
    editor.open(TWICE)
    session = editor.server.session
    document = session.documents.get(URI)
    assert document is not None
    session.examples.warm(document.cursor_at(types.Position(6, 10), session.documents.encoding))
    await editor.until(lambda: bool(session.examples._checker.unavailable))
    items = (await editor.request(INLINE, at_end(TWICE)))["items"]
    assert marks(items) == [(" 5", None)]
    said = [one["message"] for one in editor.messages("window/logMessage")]
    assert len([one for one in said if "Examples are not checked" in one]) == 1
