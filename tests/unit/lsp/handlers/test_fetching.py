"""The request to fetch the model of the settings without a question."""

from __future__ import annotations

from copilot_server.lsp.handlers.fetching import FETCH_MODEL
from tests.support.lsp_client import inline_params
from tests.support.lsp_stand_in import ABSENT, StandIn
from tests.support.lsp_wire import URI, Wire


async def test_it_fetches_the_model_of_the_settings(editor: Wire) -> None:
    editor.initialize(initializationOptions={"model": ABSENT})
    editor.open("x = ")
    assert await editor.request(FETCH_MODEL) is None
    await editor.until(lambda: editor.messages("didChangeStatus")[-1]["state"] == "ready")
    answer = await editor.request("textDocument/inlineCompletion", inline_params(URI, 0, 4))
    assert answer["items"] != []


async def test_a_model_that_is_here_is_not_loaded_again(editor: Wire) -> None:
    editor.initialize()
    await editor.until(lambda: editor.messages("didChangeStatus")[-1]["state"] == "ready")
    loads = StandIn.loads
    assert await editor.request(FETCH_MODEL) is None
    await editor.until(lambda: editor.server.session.loader.progress is None)
    assert StandIn.loads == loads
