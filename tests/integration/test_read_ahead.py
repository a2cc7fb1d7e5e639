"""How much of a prompt is left to read at the first key: the real model, and the server in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from copilot_server.completion.pipeline import Pipeline, open_pipeline
from copilot_server.completion.scheduling.counts import Counts
from copilot_server.config import CompletionSettings, Settings
from copilot_server.engine.decoding.engine import DecodingEngine
from copilot_server.engine.decoding.schedule import Counters
from copilot_server.lsp.server import CopilotServer
from tests.support.lsp_wire import Wire
from tests.support.patience import PATIENCE_S

pytestmark = pytest.mark.model

INLINE, MOVED = "textDocument/inlineCompletion", "copilotServer/didMoveCursor"
#: The most tokens that a first key may leave to read, of a prompt of more than a hundred.
FEW = 24

OpenEditor = Callable[..., AbstractAsyncContextManager[Wire]]


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return open_pipeline(Settings(device="cpu", offline=True))


@pytest.fixture
def editor(pipeline: Pipeline) -> OpenEditor:
    """Opens an editor on the real model, which all tests share."""

    @asynccontextmanager
    async def opened(*, ahead: bool = True) -> AsyncIterator[Wire]:
        settings = CompletionSettings(max_prompt_tokens=384, max_new_tokens=16, eagerness="high")
        own = Pipeline(pipeline.engine, pipeline._manifest, settings, prefetch=ahead)
        wire = Wire(CopilotServer(Settings(), {}, lambda *_: own))
        wire.initialize()
        await wire.until(lambda: wire.server.session.scheduler.pipeline is not None)
        yield wire
        wire.end()

    return opened


def module(name: str) -> str:
    """A file of 300 lines that begins like no other, with a place for new code in the middle."""
    functions = [
        f'def {name}_{number}(width, height):\n    """Return the area number {number} of {name}."""\n'
        f"    total = width * height + {number}\n    return total\n\n\n"
        for number in range(60)
    ]
    return "".join(functions)


def open_document(wire: Wire, uri: str, text: str) -> None:
    item = {"uri": uri, "languageId": "python", "version": 1, "text": text}
    wire.send("textDocument/didOpen", {"textDocument": item})


def at(uri: str, line: int, character: int) -> dict[str, Any]:
    return {"textDocument": {"uri": uri}, "position": {"line": line, "character": character}}


def type_text(wire: Wire, uri: str, line: int, character: int, text: str) -> None:
    span = {"start": {"line": line, "character": character}, "end": {"line": line, "character": character}}
    document = {"uri": uri, "version": 2}
    change = {"textDocument": document, "contentChanges": [{"range": span, "text": text}]}
    wire.send("textDocument/didChange", change)


def counted(wire: Wire) -> Counts:
    return wire.server.session.scheduler.counts


def decoded(pipeline: Pipeline) -> Counters:
    assert isinstance(pipeline.engine, DecodingEngine)
    return pipeline.engine.counters


async def until_read_ahead(wire: Wire, times: int = 1) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while counted(wire).read_ahead < times:
            await asyncio.sleep(0.001)


#: The cursor in ``module``'s functions, what is typed there, and where the cursor is then.
KEYS = {
    "a letter at the end of a line": ((122, 34), " ", (122, 35)),
    "a letter on a blank line": ((124, 0), "x", (124, 1)),
    "Enter at the end of a line": ((122, 34), "\n    ", (123, 4)),
}


@pytest.mark.parametrize("ahead", [True, False])
@pytest.mark.parametrize("key", KEYS)
async def test_little_is_left_to_read_at_the_first_key(
    editor: OpenEditor, pipeline: Pipeline, key: str, ahead: bool
) -> None:
    (line, character), typed, (then_line, then_character) = KEYS[key]
    name = f"{'with' if ahead else 'without'}_{list(KEYS).index(key)}"
    uri = f"file:///{name}.py"
    async with editor(ahead=ahead) as wire:
        open_document(wire, uri, module(name))
        wire.send(MOVED, at(uri, line, character))
        if ahead:
            await until_read_ahead(wire)
        before = decoded(pipeline)
        type_text(wire, uri, line, character, typed)
        await wire.request(INLINE, at(uri, then_line, then_character))
        after = decoded(pipeline)
        read = after.prompt_tokens_read - before.prompt_tokens_read
        assert (read < FEW) if ahead else (read > 5 * FEW)
        assert counted(wire).answers["model"] == 1


async def test_little_is_left_to_read_for_the_body_of_a_new_function(
    editor: OpenEditor, pipeline: Pipeline
) -> None:
    """The prompt of a documented function's body is a chat, which begins otherwise than others."""
    docstring = '    """Return the perimeter of a rectangle."""'
    uri, text = "file:///body.py", module("body") + "def perimeter(width, height):\n" + docstring
    line = text.count("\n")
    async with editor() as wire:
        open_document(wire, uri, text)
        wire.send(MOVED, at(uri, line, len(docstring)))
        await until_read_ahead(wire)
        before = decoded(pipeline)
        type_text(wire, uri, line, len(docstring), "\n    ")
        await wire.request(INLINE, at(uri, line + 1, 4))
        assert decoded(pipeline).prompt_tokens_read - before.prompt_tokens_read < FEW


async def test_a_key_while_a_prompt_is_read_is_answered_and_ends_the_reading(
    editor: OpenEditor, pipeline: Pipeline
) -> None:
    uri, other = "file:///long.py", "file:///short.py"
    async with editor() as wire:
        open_document(wire, other, "import os\n\nprint(os.")
        open_document(wire, uri, module("long"))
        before = decoded(pipeline)

        def read_ahead() -> int:
            return decoded(pipeline).prompt_tokens_read_ahead - before.prompt_tokens_read_ahead

        wire.send(MOVED, at(uri, 122, 34))
        await wire.until(lambda: read_ahead() > 0)
        assert (await wire.request(INLINE, at(other, 2, 9)))["items"]
        assert counted(wire).read_ahead_given_up == 1
        part = read_ahead()
        wire.send(MOVED, at(uri, 122, 34))  # what had been read of it is still there
        await until_read_ahead(wire, 2)
        assert part < read_ahead() < 384 + FEW  # of which no token was read twice
        read = decoded(pipeline).prompt_tokens_read
        await wire.request(INLINE, at(uri, 122, 34))
        assert decoded(pipeline).prompt_tokens_read - read < FEW


async def test_of_twenty_documents_opened_at_once_one_is_read(editor: OpenEditor, pipeline: Pipeline) -> None:
    before = decoded(pipeline)
    async with editor() as wire:
        for number in range(20):
            uri = f"file:///tab_{number}.py"
            open_document(wire, uri, module(f"tab_{number}"))
            wire.send(MOVED, at(uri, 122, 34))
        await until_read_ahead(wire)
        read = decoded(pipeline).prompt_tokens_read_ahead - before.prompt_tokens_read_ahead
        assert 5 * FEW < read < 384 + FEW
        wire.send(MOVED, at("file:///tab_3.py", 122, 34))  # the twin: another that is looked at
        await until_read_ahead(wire, 2)
        assert counted(wire).read_ahead == 2


async def test_an_excluded_document_is_not_read(editor: OpenEditor, pipeline: Pipeline) -> None:
    before = decoded(pipeline)
    async with editor() as wire:
        for name in (".env", "id_rsa.pem"):
            open_document(wire, f"file:///{name}", module("secret"))
            wire.send(MOVED, at(f"file:///{name}", 122, 34))
        open_document(wire, "file:///open.py", "x = 1\ny = ")
        await wire.request(INLINE, at("file:///open.py", 1, 4))
        assert decoded(pipeline).prompt_tokens_read_ahead == before.prompt_tokens_read_ahead
        open_document(wire, "file:///env.py", module("secret"))
        wire.send(MOVED, at("file:///env.py", 122, 34))
        await until_read_ahead(wire)
        assert decoded(pipeline).prompt_tokens_read_ahead > before.prompt_tokens_read_ahead
