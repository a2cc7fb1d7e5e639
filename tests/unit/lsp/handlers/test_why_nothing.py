"""``copilotServer/whyNothing``, and the reason in the status, for each way to get nothing."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from copilot_server.config import Settings
from copilot_server.fetch.progress import Progress
from copilot_server.lsp.server import CopilotServer
from tests.support.lsp_client import inline_params
from tests.support.lsp_stand_in import StandIn, open_stand_in
from tests.support.lsp_wire import URI, Wire
from tests.support.patience import PATIENCE_S

INLINE, WHY = "textDocument/inlineCompletion", "copilotServer/whyNothing"
CHANGE = "workspace/didChangeConfiguration"


async def items(editor: Wire, character: int, *, invoked: bool = False) -> int:
    answer = await editor.request(INLINE, inline_params(URI, 0, character, invoked=invoked))
    return len(answer["items"])


async def why(editor: Wire, uri: str = URI) -> dict[str, Any] | None:
    found: dict[str, Any] | None = await editor.request(WHY, {"textDocument": {"uri": uri}})
    return found


async def code(editor: Wire) -> str | None:
    found = await why(editor)
    return found and found["code"]


async def message(editor: Wire) -> str:
    found = await why(editor)
    assert found is not None
    return str(found["message"])


def status(editor: Wire) -> dict[str, Any]:
    found: dict[str, Any] = editor.messages("didChangeStatus")[-1]
    return found


async def ready(editor: Wire, text: str, language: str = "python") -> None:
    editor.initialize()
    await editor.until(lambda: status(editor)["state"] == "ready")
    editor.open(text, language)


@pytest.mark.parametrize("word", ["nothing", "filtered", "missing", "unlikely"])
async def test_a_suggestion_that_is_not_there_has_its_reason(editor: Wire, word: str) -> None:
    await ready(editor, word)
    assert await why(editor) is None  # nobody has asked for a suggestion yet
    assert await items(editor, len(word)) == 0
    assert await code(editor) == word
    assert (status(editor)["state"], status(editor)["reason"]) == ("ready", word)
    assert status(editor)["message"] == f"Ready. {await message(editor)}"
    assert await items(editor, 0) == 1
    assert await why(editor) is None
    assert (status(editor)["message"], status(editor)["reason"]) == ("Ready", None)


@pytest.mark.parametrize("word", ["nothing", "filtered", "missing"])
async def test_an_explicit_request_has_the_same_reason(editor: Wire, word: str) -> None:
    await ready(editor, word)
    assert await items(editor, len(word), invoked=True) == 0
    assert await code(editor) == word


async def test_what_is_too_unlikely_while_typing_answers_an_explicit_request(editor: Wire) -> None:
    await ready(editor, "unlikely")
    assert await items(editor, 8) == 0
    assert await code(editor) == "unlikely"
    assert await items(editor, 8, invoked=True) > 0
    assert await why(editor) is None


async def test_where_typing_is_not_worth_a_request_the_reason_says_so(editor: Wire) -> None:
    await ready(editor, "x = foo")
    assert await items(editor, 6) == 0
    assert (await message(editor)).startswith("While you type, nothing is suggested within a word")


async def test_what_the_user_has_dismissed_is_rejected(editor: Wire) -> None:
    await ready(editor, "x = ")
    answer = await editor.request(INLINE, inline_params(URI, 0, 4))
    ids = [item["command"]["arguments"][0] for item in answer["items"]]
    assert await editor.request("notifyRejected", {"uuids": ids}) == "OK"
    assert await items(editor, 4) == 0
    assert await code(editor) == "rejected"
    assert await items(editor, 4, invoked=True) > 0


async def test_suggestions_that_are_off_are_off_for_everyone(editor: Wire) -> None:
    await ready(editor, "x = ")
    editor.send(CHANGE, {"settings": {"enabled": False}})
    assert (status(editor)["state"], status(editor)["reason"]) == ("off", "off")
    for invoked in (False, True):
        assert await items(editor, 4, invoked=invoked) == 0
        assert await why(editor) == {"code": "off", "message": "Suggestions are off.", "percent": None}
    editor.send(CHANGE, {"settings": {}})
    assert (status(editor)["state"], status(editor)["reason"]) == ("ready", None)
    assert await items(editor, 4) == 1


async def test_an_excluded_document_gets_nothing_and_says_why(editor: Wire) -> None:
    await ready(editor, "x = ")
    editor.send(CHANGE, {"settings": {"exclude": ["a.py"]}})
    for invoked in (False, True):
        assert await items(editor, 4, invoked=invoked) == 0
        assert await code(editor) == "excluded"
    assert (status(editor)["state"], status(editor)["reason"]) == ("off", "excluded")


async def test_a_language_that_is_off_answers_explicit_requests_alone(editor: Wire) -> None:
    await ready(editor, "x = ")
    editor.send(CHANGE, {"settings": {"languages": {"python": False}}})
    position = {"line": 0, "character": 4}
    at = {"textDocument": {"uri": URI}, "position": position}
    doc = {"doc": {"uri": URI, "position": position, "version": 1}}
    for _ in range(2):  # no explicit request switches the others on
        assert await items(editor, 4) == 0
        assert await code(editor) == "language"
        assert (await editor.request("getCompletions", doc))["completions"] == []
        assert (status(editor)["state"], status(editor)["reason"]) == ("off", "language")
        assert status(editor)["message"] == "Suggestions are off for python, unless you ask for one."
        assert await items(editor, 4, invoked=True) == 3
        assert await why(editor) is None
        assert len((await editor.request("getCompletionsCycling", doc))["completions"]) == 3
        assert (await editor.request("textDocument/copilotPanelCompletion", at))["items"]


async def test_without_automatic_suggestions_only_who_asks_gets_one(editor: Wire) -> None:
    await ready(editor, "x = \nnothing")
    editor.send(CHANGE, {"settings": {"automatic": False}})
    assert (status(editor)["state"], status(editor)["reason"]) == ("ready", "manual")
    assert status(editor)["message"] == "Ready. Suggestions come only when you ask for one."
    assert await items(editor, 4) == 0
    assert await code(editor) == "manual"
    assert await items(editor, 4, invoked=True) == 3
    assert status(editor)["reason"] == "manual"
    assert (await editor.request(INLINE, inline_params(URI, 1, 7, invoked=True)))["items"] == []
    assert (await code(editor), status(editor)["reason"]) == ("nothing", "nothing")
    editor.send(CHANGE, {"settings": {"automatic": True}})
    assert await items(editor, 4) == 1


async def test_an_editor_that_shows_suggestions_in_its_menu_asks_for_none_explicitly() -> None:
    editor = Wire(CopilotServer(Settings(languages={"python": False}), {}, open_stand_in))
    editor.send("initialize", {"processId": None, "capabilities": {}}, id="initialize")
    editor.send("initialized")
    editor.open("x = ")
    # Editors say that a menu was invoked for each word that is typed.
    params = {**inline_params(URI, 0, 4), "context": {"triggerKind": 1}}
    assert (await editor.request("textDocument/completion", params))["items"] == []
    assert await code(editor) == "language"
    editor.send(CHANGE, {"settings": {"languages": {"python": True}}})
    assert (await editor.request("textDocument/completion", params))["items"]
    editor.end()


async def test_a_panel_says_why_it_is_empty(editor: Wire) -> None:
    await ready(editor, "nothing")
    panel = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 7}}
    assert await editor.request("textDocument/copilotPanelCompletion", panel) == {"items": []}
    assert await code(editor) == "nothing"
    panel["position"]["character"] = 0
    assert (await editor.request("textDocument/copilotPanelCompletion", panel))["items"]
    assert await why(editor) is None


async def test_a_failed_generation_says_what_failed(editor: Wire) -> None:
    await ready(editor, "memory")
    await editor.request(INLINE, inline_params(URI, 0, 6))
    assert await message(editor) == "Out of memory. Take a smaller model."
    assert (status(editor)["state"], status(editor)["reason"]) == ("error", "engine")


async def test_a_model_that_cannot_be_loaded_says_so() -> None:
    editor = Wire(CopilotServer(Settings(model="missing"), {}, open_stand_in))
    editor.initialize()
    await editor.until(lambda: status(editor)["state"] == "error")
    assert status(editor)["reason"] == "engine"
    editor.open("x = ")
    assert await items(editor, 4, invoked=True) == 0
    assert await why(editor) == {
        "code": "engine",
        "message": "The model is not on this machine. Run `copilot-server pull`.",
        "percent": None,
    }
    editor.end()


async def test_while_the_model_loads_a_request_waits_and_says_what_for() -> None:
    released = threading.Event()

    def held(settings: Settings, progress: Progress) -> StandIn:
        progress.start("Fetching stand-in.gguf", 100_000_000)
        progress.advance(37_000_000)
        assert released.wait(PATIENCE_S)
        return open_stand_in(settings, progress)

    editor = Wire(CopilotServer(Settings(), {}, held))
    editor.initialize()
    editor.open("x = ")
    editor.send(INLINE, inline_params(URI, 0, 4, invoked=True), id=1)
    await editor.until(lambda: status(editor)["percent"] == 37)
    assert (status(editor)["state"], status(editor)["reason"]) == ("loading", "loading")
    await editor.until(lambda: editor.server.session.reporter.why_nothing(URI) is not None)
    editor.send(WHY, {"textDocument": {"uri": URI}}, id=2)  # it is answered before the request that waits
    await editor.until(lambda: bool(editor.answers_to(2)))
    assert editor.answer_to(2)["result"] == {
        "code": "loading",
        "message": "The model is not ready yet. Fetching stand-in.gguf: 37 of 100 MB (37 %)",
        "percent": 37,
    }
    assert editor.answers_to(1) == []
    released.set()
    await editor.settled()
    assert editor.answer_to(1)["result"]["items"]
    assert await why(editor) is None
    editor.end()


async def test_a_request_that_was_cancelled_while_the_model_loaded_waits_for_nothing_afterwards() -> None:
    released = threading.Event()

    def held(settings: Settings, progress: Progress) -> StandIn:
        assert released.wait(PATIENCE_S)
        return open_stand_in(settings, progress)

    editor = Wire(CopilotServer(Settings(), {}, held))
    editor.initialize()
    editor.open("x = ")
    editor.send(INLINE, inline_params(URI, 0, 4, invoked=True), id=1)
    await editor.until(lambda: editor.server.session.reporter.why_nothing(URI) is not None)
    editor.send("$/cancelRequest", {"id": 1})
    await editor.settled()
    assert await code(editor) == "loading"
    released.set()
    await editor.until(lambda: status(editor)["state"] == "ready")
    assert await why(editor) is None
    editor.end()


async def test_the_status_says_no_more_why_there_is_nothing_once_the_cursor_has_moved(editor: Wire) -> None:
    await ready(editor, "nothing")
    at = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 7}}
    assert await items(editor, 7) == 0
    editor.send("copilotServer/didMoveCursor", at)
    assert status(editor)["message"] == "Ready. The model has nothing to suggest here."
    editor.send("copilotServer/didMoveCursor", {**at, "position": {"line": 0, "character": 3}})
    assert (status(editor)["message"], status(editor)["reason"]) == ("Ready", None)
    assert await code(editor) == "nothing"  # which is why the last request was answered so


async def test_the_reason_belongs_to_its_document_and_is_forgotten_with_it(editor: Wire) -> None:
    other = "file:///b.py"
    await ready(editor, "nothing")
    editor.send(
        "textDocument/didOpen",
        {"textDocument": {"uri": other, "languageId": "python", "version": 1, "text": "x = "}},
    )
    assert await items(editor, 7) == 0
    assert (await editor.request(INLINE, inline_params(other, 0, 4)))["items"]
    assert (await code(editor), await why(editor, other)) == ("nothing", None)
    assert status(editor)["reason"] is None  # the user looks at the other one
    editor.send("textDocument/didClose", {"textDocument": {"uri": URI}})
    assert await why(editor) is None
    editor.open("nothing")
    assert await why(editor) is None


@pytest.mark.parametrize("params", [None, {}, {"textDocument": {}}, {"textDocument": {"uri": 5}}])
async def test_a_request_without_a_document_is_refused(editor: Wire, params: object) -> None:
    editor.initialize()
    assert (await editor.request(WHY, params))["code"] == -32602
