"""Nothing is fetched before the user has agreed, and one question is open at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from copilot_server.catalog import Manifest
from copilot_server.completion.engine_pool import EnginePool, open_with_consent
from copilot_server.config import Settings
from copilot_server.engine.base import Engine
from copilot_server.engine.model_choice import measuring
from copilot_server.engine.model_choice.machine import Machine
from copilot_server.fetch import HOME_VARIABLE
from copilot_server.fetch.progress import Progress
from copilot_server.lsp.server import CopilotServer
from tests.support.lsp_client import inline_params
from tests.support.lsp_stand_in import ABSENT, STALLED, open_stand_in
from tests.support.lsp_wire import URI, Wire

ASK = "window/showMessageRequest"
CHANGE = "workspace/didChangeConfiguration"
FETCH_MODEL = "copilotServer/fetchModel"
INLINE = "textDocument/inlineCompletion"
WHY_NOTHING = "copilotServer/whyNothing"

FETCH, NOT_NOW = {"title": "Fetch"}, {"title": "Not now"}


class Editor(Wire):
    """An editor whose model is not on the machine, and whose user answers when the test says so."""

    def questions(self) -> list[dict[str, Any]]:
        return [one for one in self.received if one.get("method") == ASK]

    def reply(self, answer: object = None, **error: object) -> None:
        """Answer the question that was asked last."""
        outcome = error or {"result": answer}
        self.send_raw({"jsonrpc": "2.0", "id": self.questions()[-1]["id"], **outcome})

    async def asked(self, times: int = 1) -> None:
        """Wait until this many questions have been asked."""
        await self.until(lambda: len(self.questions()) == times)

    async def in_state(self, state: str) -> None:
        """Wait until the last status is ``state``."""
        await self.until(lambda: self.status()["state"] == state)

    def status(self) -> dict[str, Any]:
        statuses = self.messages("didChangeStatus")
        return statuses[-1] if statuses else {"state": "none"}

    async def suggested(self, *, invoked: bool = False) -> list[str]:
        answer = await self.request(INLINE, inline_params(URI, 0, 4, invoked=invoked))
        return [item["insertText"] for item in answer["items"]][:1]


@pytest.fixture
async def editor() -> AsyncIterator[Editor]:
    editor = Editor(CopilotServer(Settings(model=ABSENT), {}, open_stand_in))
    yield editor
    editor.end()


def start(editor: Editor, **options: object) -> None:
    editor.initialize(initializationOptions=options)
    editor.open("x = ")


async def test_a_model_is_fetched_once_the_user_has_agreed(editor: Editor) -> None:
    start(editor)
    await editor.asked()
    (question,) = editor.messages(ASK)
    assert [action["title"] for action in question["actions"]] == ["Fetch", "Not now"]
    assert ABSENT in question["message"]
    assert (editor.status()["state"], editor.status()["reason"]) == ("error", "consent")
    assert await editor.suggested() == []
    editor.reply(FETCH)
    await editor.in_state("ready")
    assert await editor.suggested() == ["ok"]
    assert len(editor.questions()) == 1


@pytest.mark.parametrize("answer", [NOT_NOW, None, {"title": "Buy"}, "Fetch", 7, {}])
async def test_whoever_does_not_answer_fetch_has_not_agreed(editor: Editor, answer: object) -> None:
    start(editor)
    await editor.asked()
    editor.reply(answer)
    assert await editor.suggested() == []
    assert editor.status()["state"] == "error"
    assert editor.status()["reason"] == "consent"
    assert f"copilot-server pull {ABSENT}" in editor.status()["message"]
    assert editor.messages("window/showMessage") == []
    why = await editor.request(WHY_NOTHING, {"textDocument": {"uri": URI}})
    assert (why["code"], why["message"]) == ("consent", editor.status()["message"])


async def test_an_editor_that_knows_no_questions_has_not_agreed(editor: Editor) -> None:
    start(editor)
    await editor.asked()
    editor.reply(error={"code": -32601, "message": "unknown"})
    assert await editor.suggested() == []
    assert editor.status()["state"] == "error"


async def test_after_not_now_only_an_explicit_request_asks_again(editor: Editor) -> None:
    start(editor)
    await editor.asked()
    editor.reply(NOT_NOW)
    assert await editor.suggested() == []
    editor.send(CHANGE, {"settings": {"completion": {"candidates": 2}}})
    assert await editor.suggested() == []
    assert len(editor.questions()) == 1
    assert await editor.suggested(invoked=True) == []
    await editor.asked(2)
    editor.reply(FETCH)
    await editor.in_state("ready")
    assert await editor.suggested() == ["ok"]


async def test_several_requests_ask_once(editor: Editor) -> None:
    start(editor)
    for _ in range(3):
        assert await editor.suggested(invoked=True) == []
    editor.send(CHANGE, {"settings": {"completion": {"candidates": 2}}})
    await editor.asked()
    editor.reply(NOT_NOW)
    for _ in range(3):
        assert await editor.suggested(invoked=True) == []
    await editor.asked(2)


async def test_what_is_asked_for_by_a_request_is_fetched_without_a_question(editor: Editor) -> None:
    start(editor)
    await editor.asked()
    editor.reply(NOT_NOW)
    assert await editor.request(FETCH_MODEL) is None
    assert await editor.suggested() == ["ok"]
    assert len(editor.questions()) == 1


async def test_an_answer_that_comes_after_that_request_changes_nothing(editor: Editor) -> None:
    start(editor)
    await editor.asked()
    await editor.request(FETCH_MODEL)
    assert await editor.suggested() == ["ok"]
    editor.reply(NOT_NOW)
    assert await editor.suggested(invoked=True) == ["ok"]
    assert len(editor.questions()) == 1


async def test_with_fetch_always_nobody_is_asked(editor: Editor) -> None:
    start(editor, fetch="always")
    assert await editor.suggested() == ["ok"]
    assert editor.questions() == []


async def test_another_model_is_served_while_the_question_is_open(editor: Editor) -> None:
    start(editor)
    await editor.asked()
    editor.send(CHANGE, {"settings": {"model": "qwen2.5-coder-0.5b"}})
    assert await editor.suggested() == ["ok"]
    editor.reply(FETCH)
    assert await editor.suggested() == ["ok"]
    assert editor.status()["model"] == "qwen2.5-coder-0.5b"
    assert not any("Fetching" in one["message"] for one in editor.messages("didChangeStatus"))


async def test_cancelling_a_download_that_stalls_is_not_now(editor: Editor) -> None:
    start(editor, model=STALLED)
    await editor.asked()
    editor.reply(FETCH)
    await editor.until(lambda: editor.status()["message"].startswith("Fetching"))
    assert editor.status()["percent"] == 0
    editor.server.session.loader.progress.cancel()  # type: ignore[union-attr]
    await editor.in_state("error")
    assert editor.status()["reason"] == "consent"
    assert await editor.suggested() == []
    assert len(editor.questions()) == 1
    assert await editor.suggested(invoked=True) == []
    await editor.asked(2)


async def test_a_download_ends_when_another_model_is_chosen(editor: Editor) -> None:
    start(editor, model=STALLED, fetch="always")
    await editor.until(lambda: editor.status()["message"].startswith("Fetching"))
    editor.send(CHANGE, {"settings": {"model": "qwen2.5-coder-0.5b"}})
    assert await editor.suggested() == ["ok"]


async def test_auto_asks_for_the_model_that_suits_the_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    monkeypatch.setattr(measuring, "this_machine", lambda *_: Machine("cpu", "int8", 1e12, 6e10, 32 * 10**9))
    opened: list[tuple[str, str]] = []

    def open_engine(settings: Settings, progress: Progress | None) -> tuple[Engine, Manifest]:
        opened.append((settings.model, settings.fetch))
        return open_with_consent(attrs.evolve(settings, fetch="ask"), progress)  # so nothing is fetched

    pool = EnginePool(open_engine)
    editor = Editor(CopilotServer(Settings(model="auto", device="cpu"), {}, pool.open_pipeline))
    start(editor)
    await editor.asked()
    assert "Qwen2.5-Coder 1.5B" in editor.messages(ASK)[-1]["message"]
    assert editor.status()["reason"] == "consent"
    editor.reply(FETCH)
    await editor.until(lambda: len(opened) == 2)
    assert opened == [("qwen2.5-coder-1.5b", "ask"), ("qwen2.5-coder-1.5b", "always")]
    editor.end()
