"""The hostile programs as what the model writes: a real server runs them on the examples of a function.

They are asked for by a key and in the panel, and one that is shown is checked while nobody types. The model
is a remote engine of the tests' own. All meet one server on stdio, and so one session and one sandbox.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal, get_args

import psutil
import pytest
import pytest_asyncio

from tests.hostile.outside import Outside, marked
from tests.hostile.test_examples import BODY, DOCUMENT, HOSTILE
from tests.support.lsp_client import LspClient, Message, inline_params, running_server
from tests.support.patience import PATIENCE_S
from tests.support.processes import command_line
from tests.support.writing_engine import WritingEngine

INLINE, PANEL, STATUS = (
    "textDocument/inlineCompletion",
    "textDocument/copilotPanelCompletion",
    "didChangeStatus",
)
#: How a suggestion comes to be checked: two are asked for, and one is shown.
Way = Literal["key", "panel", "idle"]
WAYS: tuple[Way, ...] = get_args(Way)
RIGHT = "def add(a, b): return a + b"
#: The server, which waits for no pause in the typing; and with limits of minutes.
HURRIED = """
from copilot_server.cli import main
from copilot_server.completion.verification import checker
from copilot_server.lsp import checked
checked.QUIET_S = 0.0
"""
PATIENT = f"{HURRIED}checker.TIMEOUT_S = checker.DEADLINE_S = {PATIENCE_S}\n"

pytestmark = [
    pytest.mark.serial,  # short time limits, and counts of processes
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is for Linux"),
]


@dataclass
class Editor:
    """An editor in which one function is written again and again, with another body each time."""

    client: LspClient
    engine: WritingEngine
    numbers: Iterator[int]

    def open(self, solution: str) -> str:
        """Have the model write a body that does what ``solution`` does, and open a document for it.

        Its text is a new one each time, since a candidate is checked only once at a position.
        """
        body = BODY.format(solution=solution)
        self.engine.writes = lambda _asked: body
        number = next(self.numbers)
        return self.client.open(f"# {number}\n{DOCUMENT}", f"file:///{number}.py")

    def ask(self, uri: str, way: Way) -> int:
        """Ask at the end of a document; return the request's id."""
        params = inline_params(uri, DOCUMENT.count("\n") + 1, 0, invoked=way != "idle")
        return self.client.begin(PANEL if way == "panel" else INLINE, params)

    async def noted(self, solution: str, way: Way) -> Mapping[str, Any]:
        """Return what the editor shows of the examples beside the suggestion."""
        uri, seen = self.open(solution), len(self.client.received)
        (item,) = (await self.client.result(self.ask(uri, way)))["items"]
        assert item["insertText"].strip() == BODY.format(solution=solution).strip()
        if way != "idle":
            return dict(item["examples"])
        assert "examples" not in item

        def notes() -> list[Message]:
            news = [one for one in self.client.received[seen:] if one.get("method") == STATUS]
            return [one["params"] for one in news if one["params"]["examples"] is not None]

        await self.client.wait_for(lambda _message: bool(notes()))
        return {"mark": notes()[0]["examples"], "message": notes()[0]["message"]}

    async def begin_to_check(self, solution: str, way: Way) -> tuple[str, int]:
        """Ask, and wait until processes with a mark run; return the document's URI and the request's id."""
        uri = self.open(solution)
        msg_id = self.ask(uri, way)
        await until(marked)
        return uri, msg_id

    def sandbox(self) -> list[psutil.Process]:
        return psutil.Process(self.client.process.pid).children(recursive=True)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.02)


async def until_ended(processes: list[psutil.Process]) -> None:
    await until(lambda: not any(command_line(one) for one in processes))


@asynccontextmanager
async def opened(*, is_patient: bool = False) -> AsyncIterator[Editor]:
    """A server whose limits are those of the product, or very long ones, and its only editor."""
    program = ("-c", (PATIENT if is_patient else HURRIED) + "main()\n")
    with WritingEngine(lambda _asked: "") as engine:
        async with running_server("--engine", engine.url, program=program) as client:
            await client.initialize(options={"verify": "idle"})
            yield Editor(client, engine, count())


@asynccontextmanager
async def ending(*, is_patient: bool = False) -> AsyncIterator[Editor]:
    """One that ends in order, after which nothing that the server has started is left."""
    async with opened(is_patient=is_patient) as editor:
        yield editor
        async with asyncio.timeout(PATIENCE_S):
            while (await editor.noted(RIGHT, "key"))["mark"] != "passed":
                pass  # a busy machine may take longer than a program may
        started = editor.sandbox()
        assert started != []
        assert await editor.client.shut_down() == 0
        await until_ended(started)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def editor(outside: Outside) -> AsyncIterator[Editor]:
    """The editor of all programs; ``outside`` has set what they want to read."""
    async with ending() as editor:
        yield editor


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def patient(outside: Outside) -> AsyncIterator[Editor]:
    """One whose programs may take minutes: for those that end by themselves, however busy the machine is."""
    async with ending(is_patient=True) as editor:
        yield editor


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_suggestion_does_not_pass(
    editor: Editor, outside: Outside, name: str, record_property: Callable[[str, object], None]
) -> None:
    record_property("tries", f"suggestion: {outside.tries(name)}")
    # What only takes its time does so in the other tests against half of an editor's limit.
    solution = outside.solution(name).replace("time.sleep(0.4)", "time.sleep(0.8)")
    for way in WAYS:
        note = await editor.noted(solution, way)
        record_property("met", note["message"])
        assert note["mark"] in {"failed", "unchecked"}, way
        assert marked() == []
        assert outside.touched() == set()


@pytest.mark.parametrize("name", HOSTILE)
async def test_benign_twin_passes(patient: Editor, outside: Outside, name: str) -> None:
    for way in WAYS:
        note = await patient.noted(outside.solution(f"{name}_twin"), way)
        assert note["mark"] == "passed", way
        assert "3 of 3 examples pass" in note["message"]


@pytest.mark.parametrize("way", WAYS)
async def test_hostile_suggestion_does_not_outlive_its_request(
    patient: Editor, outside: Outside, way: Way, record_property: Callable[[str, object], None]
) -> None:
    """Only its end in the editor ends it: its time is not up for minutes."""
    record_property("tries", f"suggestion, {way}: {outside.tries('sleeper')}")
    uri, msg_id = await patient.begin_to_check(outside.solution("sleeper"), way)
    if way == "idle":
        patient.client.change(uri, 2, {"text": "# typed"})
    else:
        patient.client.notify("$/cancelRequest", {"id": msg_id})
    await until(lambda: marked() == [])
    assert (await patient.noted(RIGHT, way))["mark"] == "passed"


@pytest.mark.parametrize("end", ["the editor has gone", "the server is killed"])
async def test_hostile_suggestion_does_not_outlive_its_session(
    outside: Outside, end: str, record_property: Callable[[str, object], None]
) -> None:
    record_property("tries", f"suggestion, when {end}: {outside.tries('sleeper')}")
    async with opened(is_patient=True) as editor:
        await editor.begin_to_check(outside.solution("sleeper"), "key")
        started = editor.sandbox()
        assert {one.pid for one in marked()} <= {one.pid for one in started}
        if end == "the server is killed":
            editor.client.process.kill()
        else:
            await editor.client.disconnect()
        await until(lambda: marked() == [])
        await until_ended(started)
