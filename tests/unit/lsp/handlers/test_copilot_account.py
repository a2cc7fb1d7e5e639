"""Copilot's requests about an account, which there is none of here."""

from __future__ import annotations

import pytest

from copilot_server import __version__
from tests.support.lsp_wire import Wire


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("checkStatus", {"status": "OK", "user": "local"}),
        ("signIn", {"status": "AlreadySignedIn", "user": "local"}),
        ("signInInitiate", {"status": "AlreadySignedIn", "user": "local"}),
        ("signInConfirm", {"status": "OK", "user": "local"}),
        ("signOut", {"status": "NotSignedIn"}),
        ("setEditorInfo", "OK"),
        ("textDocument/copilotInlineEdit", {"edits": []}),
    ],
)
async def test_each_request_has_a_fixed_answer(editor: Wire, method: str, answer: object) -> None:
    editor.initialize()
    assert await editor.request(method, {}) == answer


async def test_the_version_is_the_packages(editor: Wire) -> None:
    editor.initialize()
    assert (await editor.request("getVersion"))["version"] == __version__
