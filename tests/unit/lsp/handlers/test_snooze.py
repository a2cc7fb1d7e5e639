"""``copilotServer/snooze``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.support.lsp_client import inline_params
from tests.support.lsp_wire import URI, Wire

INLINE, SNOOZE = "textDocument/inlineCompletion", "copilotServer/snooze"


async def items(editor: Wire, *, invoked: bool = False) -> int:
    answer = await editor.request(INLINE, inline_params(URI, 0, 4, invoked=invoked))
    return len(answer["items"])


def status(editor: Wire) -> dict[str, Any]:
    found: dict[str, Any] = editor.messages("didChangeStatus")[-1]
    return found


async def ready(editor: Wire) -> None:
    editor.initialize()
    await editor.until(lambda: status(editor)["state"] == "ready")
    editor.open("x = ")


async def test_until_then_only_explicit_requests_are_answered(editor: Wire) -> None:
    await ready(editor)
    assert await items(editor) == 1
    until = (await editor.request(SNOOZE, {"minutes": 60}))["until"]
    assert datetime.fromisoformat(until).tzinfo is not None
    shown = until[11:16]
    found = status(editor)
    assert (found["kind"], found["state"], found["reason"]) == ("Inactive", "off", "snoozed")
    assert shown in found["message"]
    assert await items(editor) == 0
    why = await editor.request("copilotServer/whyNothing", {"textDocument": {"uri": URI}})
    assert (why["code"], why["message"]) == ("snoozed", found["message"])
    assert await items(editor, invoked=True) == 3
    assert status(editor)["reason"] == "snoozed"
    assert await editor.request(SNOOZE, {"minutes": 0}) == {"until": None}
    assert (status(editor)["state"], status(editor)["reason"]) == ("ready", None)
    assert await items(editor) == 1


async def test_the_server_resumes_by_itself(editor: Wire) -> None:
    await ready(editor)
    await editor.request(SNOOZE, {"minutes": 0.001})
    assert "snoozed" in [one["reason"] for one in editor.messages("didChangeStatus")]
    await editor.until(lambda: status(editor)["state"] == "ready")
    assert await items(editor) == 1


async def test_a_user_who_has_switched_suggestions_off_can_snooze_them_too(editor: Wire) -> None:
    await ready(editor)
    await editor.request(SNOOZE, {"minutes": 60})
    editor.send("workspace/didChangeConfiguration", {"settings": {"enabled": False}})
    assert status(editor)["reason"] == "off"
    editor.send("workspace/didChangeConfiguration", {"settings": {}})
    assert status(editor)["reason"] == "snoozed"


@pytest.mark.parametrize("minutes", [-1, "5", None, True, [], 10081, 1e300, float("nan"), float("inf")])
async def test_a_time_that_is_none_is_refused(editor: Wire, minutes: object) -> None:
    await ready(editor)
    assert (await editor.request(SNOOZE, {"minutes": minutes}))["code"] == -32602
    assert status(editor)["reason"] is None
    assert (await editor.request(SNOOZE, {"minutes": 10080}))["until"] is not None
