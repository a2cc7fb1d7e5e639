"""``copilotServer/stats``."""

from __future__ import annotations

from tests.support.lsp_client import inline_params
from tests.support.lsp_wire import URI, Wire


async def test_the_counts_are_those_of_the_scheduler(editor: Wire) -> None:
    editor.initialize()
    editor.open("x = ")
    await editor.request("textDocument/inlineCompletion", inline_params(URI, 0, 4))
    assert await editor.request("copilotServer/stats") == {
        "requests": 1,
        "answers": {"model": 1},
        "cancelledWaiting": 0,
        "cancelledRunning": 0,
        "failed": 0,
        "prefetches": 0,
        "madeAhead": 0,
        "readAhead": 0,
        "readAheadGivenUp": 0,
    }
