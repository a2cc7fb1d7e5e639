"""Copilot's own messages, as its language server's README documents them and as its clients send them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.support.lsp_client import GHOST_TEXT, LspClient, ResponseError, inline_params, running_server
from tests.support.paths import TESTS

INLINE = "textDocument/inlineCompletion"
PANEL = "textDocument/copilotPanelCompletion"
STAND_IN = (str(TESTS / "support" / "lsp_stand_in.py"),)
#: The example of the README of @github/copilot-language-server, whose workspace folder has no name.
DOCUMENTED = {
    "processId": None,
    "workspaceFolders": [{"uri": "file:///workspace/folder"}],
    "capabilities": {"workspace": {"workspaceFolders": True}, "textDocument": {"inlineCompletion": {}}},
    "initializationOptions": {
        "editorInfo": {"name": "GitHub Copilot LSP Example", "version": "1.0"},
        "editorPluginInfo": {"name": "GitHub Copilot LSP for Example Editor", "version": "1.0"},
    },
}


def stand_in(*arguments: str) -> AbstractAsyncContextManager[LspClient]:
    return running_server(*arguments, program=STAND_IN)


@pytest.fixture
async def client() -> AsyncIterator[LspClient]:
    """A session that begins as those of Copilot's clients do."""
    async with stand_in() as client:
        await client.request("initialize", DOCUMENTED)
        client.notify("initialized", {})
        yield client
        assert await client.shut_down() == 0


def doc_params(uri: str, line: int, character: int, **more: object) -> dict[str, Any]:
    return {"textDocument": {"uri": uri}, "position": {"line": line, "character": character}, **more}


async def only_item(client: LspClient, uri: str, character: int) -> dict[str, Any]:
    answer = await client.request(INLINE, inline_params(uri, 0, character))
    (item,) = answer["items"]
    return dict(item)


async def test_the_documented_initialize_is_answered() -> None:
    async with stand_in() as client:
        result = await client.request("initialize", DOCUMENTED)
        capabilities = result["capabilities"]
        assert capabilities["inlineCompletionProvider"] == {}
        assert capabilities["textDocumentSync"]["change"] == 2
        commands = capabilities["executeCommandProvider"]["commands"]
        assert commands == ["github.copilot.didAcceptCompletionItem"]


async def test_other_clients_get_a_command_that_no_other_server_has() -> None:
    async with stand_in() as client:
        result = await client.initialize()
        commands = result["capabilities"]["executeCommandProvider"]["commands"]
        assert commands == ["copilotServer.didAcceptCompletionItem"]


@pytest.mark.parametrize(
    ("method", "params", "status"),
    [
        ("checkStatus", {}, "OK"),
        ("checkStatus", {"localChecksOnly": True}, "OK"),
        ("checkStatus", None, "OK"),
        ("signIn", {}, "AlreadySignedIn"),
        ("signInInitiate", {}, "AlreadySignedIn"),
        ("signInConfirm", {"userCode": "ABCD"}, "OK"),
        ("signOut", {}, "NotSignedIn"),
    ],
)
async def test_nobody_needs_an_account(client: LspClient, method: str, params: object, status: str) -> None:
    assert (await client.request(method, params))["status"] == status


async def test_the_version_is_reported(client: LspClient) -> None:
    assert (await client.request("getVersion", {}))["version"]
    assert await client.request("setEditorInfo", DOCUMENTED["initializationOptions"]) == "OK"


async def test_a_suggestion_is_shown_and_accepted(client: LspClient) -> None:
    uri = client.open("x = ")
    item = await only_item(client, uri, 4)
    command = item["command"]
    assert command["command"] == "github.copilot.didAcceptCompletionItem"
    client.notify("textDocument/didShowCompletion", {"item": item})
    client.notify("textDocument/didPartiallyAcceptCompletion", {"item": item, "acceptedLength": 1})
    client.notify(
        "textDocument/didPartiallyAcceptCompletion", {"item": {"command": command}, "acceptedLength": 1}
    )
    accepted = {"command": command["command"], "arguments": command["arguments"]}
    assert await client.request("workspace/executeCommand", accepted) is None
    # The other name works as well; an unknown one does not.
    accepted["command"] = "copilotServer.didAcceptCompletionItem"
    assert await client.request("workspace/executeCommand", accepted) is None
    with pytest.raises(ResponseError) as caught:
        await client.request("workspace/executeCommand", {"command": "rm -rf", "arguments": []})
    assert caught.value.code == -32602


@pytest.mark.parametrize("item", [None, 7, {}, {"command": None}, {"command": {"arguments": [{"a": 1}]}}])
async def test_reports_about_unknown_suggestions_do_no_harm(client: LspClient, item: object) -> None:
    uri = client.open("x = ")
    client.notify("textDocument/didShowCompletion", {"item": item})
    client.notify("textDocument/didPartiallyAcceptCompletion", {"item": item, "acceptedLength": -3})
    for arguments in ([], [item], [item, item], None):
        command = {"command": "github.copilot.didAcceptCompletionItem", "arguments": arguments}
        assert await client.request("workspace/executeCommand", command) is None
    assert (await only_item(client, uri, 4))["insertText"] == "ok"
    assert client.messages("window/showMessage") == []


async def test_a_request_may_carry_its_version_and_formatting(client: LspClient) -> None:
    uri = client.open("x = ", version=3)
    params = inline_params(uri, 0, 4)
    params["textDocument"]["version"] = 3
    params["formattingOptions"] = {"tabSize": 4, "insertSpaces": True}
    assert len((await client.request(INLINE, params))["items"]) == 1


async def test_a_panel_holds_many(client: LspClient) -> None:
    uri = client.open("count")
    answer = await client.request(PANEL, doc_params(uri, 0, 5))
    texts = [item["insertText"] for item in answer["items"]]
    assert texts == ["number 0", "number 1", "number 2", "number 3", "number 4"]
    assert len({item["command"]["arguments"][0] for item in answer["items"]}) == 5


async def test_a_panel_fills_as_candidates_come(client: LspClient) -> None:
    uri = client.open("count")
    answer = await client.request(PANEL, doc_params(uri, 0, 5, partialResultToken="mine"))
    assert answer["items"] == []
    parts = [one["value"]["items"] for one in client.messages("$/progress") if one["token"] == "mine"]
    assert parts[0][0]["insertText"] == "number 0"
    assert sum(map(len, parts)) == 5
    assert len(parts) == 2


async def test_typing_is_served_before_a_panel(client: LspClient) -> None:
    uri = client.open("slow\nx = ")
    panel = client.begin(PANEL, doc_params(uri, 0, 4))
    assert (await client.request(INLINE, inline_params(uri, 1, 4)))["items"]
    assert (await client.answer(panel))["error"]["code"] == -32800


async def test_inline_edits_are_none(client: LspClient) -> None:
    uri = client.open("x = ")
    assert await client.request("textDocument/copilotInlineEdit", doc_params(uri, 0, 4)) == {"edits": []}
    client.notify("textDocument/didShowInlineEdit", {"item": {}})


async def test_older_clients_are_served(client: LspClient) -> None:
    uri = client.open("x = ", version=2)
    doc = {"uri": uri, "position": {"line": 0, "character": 4}, "version": 2, "tabSize": 4, "source": "x = "}
    (one,) = (await client.request("getCompletions", {"doc": doc}))["completions"]
    here = {"line": 0, "character": 4}
    assert (one["text"], one["displayText"], one["docVersion"]) == ("ok", "ok", 2)
    assert one["range"] == {"start": here, "end": here}
    assert len((await client.request("getCompletionsCycling", {"doc": doc}))["completions"]) == 3
    for method, params in (
        ("notifyShown", {"uuid": one["uuid"]}),
        ("notifyAccepted", {"uuid": one["uuid"]}),
        ("notifyAccepted", {"uuid": one["uuid"], "acceptedLength": 1}),
        ("notifyRejected", {"uuids": [one["uuid"]]}),
    ):
        assert await client.request(method, params) == "OK"


@pytest.mark.parametrize("method", [INLINE, PANEL, "getCompletions"])
async def test_a_document_that_is_not_open_is_refused(client: LspClient, method: str) -> None:
    uri = "file:///nowhere.py"
    params = doc_params(uri, 0, 0, doc={"uri": uri, "position": {"line": 0, "character": 0}})
    with pytest.raises(ResponseError) as caught:
        await client.request(method, params)
    assert caught.value.code == -32602


# The status.


async def test_the_status_goes_from_loading_to_ready(client: LspClient) -> None:
    await client.wait_for(
        lambda one: one.get("method") == "didChangeStatus" and one["params"]["state"] == "ready"
    )
    statuses = client.messages("didChangeStatus")
    assert [(one["state"], one["kind"], one["busy"]) for one in statuses] == [
        ("loading", "Normal", True),
        ("ready", "Normal", False),
    ]


async def test_the_status_reports_thinking(client: LspClient) -> None:
    uri = client.open("slow\nx = ")
    running = client.begin(INLINE, inline_params(uri, 0, 4))
    await client.wait_for(lambda one: one.get("params", {}).get("state") == "thinking")
    client.notify("$/cancelRequest", {"id": running})
    assert (await client.answer(running))["error"]["code"] == -32800
    await client.request("checkStatus")
    assert client.messages("didChangeStatus")[-1]["state"] == "ready"


async def test_the_status_reports_failures_until_something_works(client: LspClient) -> None:
    uri = client.open("memory\nx = ")
    for _ in range(2):
        with pytest.raises(ResponseError, match="Out of memory"):
            await client.request(INLINE, inline_params(uri, 0, 6))
    assert client.messages("didChangeStatus")[-1]["kind"] == "Error"
    assert [one["message"] for one in client.messages("window/showMessage")] == [
        "copilot-server: Out of memory. Take a smaller model."
    ]
    assert (await client.request(INLINE, inline_params(uri, 1, 4)))["items"]
    await client.request("checkStatus")
    assert client.messages("didChangeStatus")[-1]["state"] == "ready"


async def test_the_status_says_why_nothing_is_shown(client: LspClient) -> None:
    async def message() -> str:
        await client.request("checkStatus")
        return client.messages("didChangeStatus")[-1]["message"]

    uri = client.open("unlikely\nx = \nmissing")
    assert (await client.request(INLINE, inline_params(uri, 0, 8)))["items"] == []
    assert "not likely enough to be right (eagerness: medium)" in await message()
    assert (await client.request(INLINE, inline_params(uri, 1, 4)))["items"]
    assert await message() == "Ready"
    for invoked in (False, True):
        await client.request(INLINE, inline_params(uri, 2, 7, invoked=invoked))
        assert await message() == "Ready. The suggestion here uses a name that does not exist: save."
    await client.request(INLINE, inline_params(uri, 0, 8))
    assert (await client.request(INLINE, inline_params(uri, 0, 8, invoked=True)))["items"]
    assert await message() == "Ready"


async def test_a_document_in_focus_that_is_excluded_shows_in_the_status(client: LspClient) -> None:
    await client.wait_for(lambda one: one.get("params", {}).get("state") == "ready")
    secret, uri = client.open("A=1", "file:///w/.env", "plaintext"), client.open("x = ")
    client.notify("textDocument/didFocus", {"textDocument": {"uri": secret}})
    await client.request("checkStatus")
    assert client.messages("didChangeStatus")[-1]["kind"] == "Inactive"
    client.notify("textDocument/didFocus", {"textDocument": {"uri": uri}})
    await client.request("checkStatus")
    assert client.messages("didChangeStatus")[-1]["state"] == "ready"
    client.notify("textDocument/didFocus", {})
    client.notify("textDocument/didFocus", None)
    await client.request("checkStatus")
    assert client.messages("didChangeStatus")[-1]["state"] == "ready"


async def test_the_status_names_the_host_of_a_remote_engine() -> None:
    async with stand_in() as client:
        urls = ["https://gpu.example.com/v1", "http://127.0.0.1:8000"]
        await client.initialize(options={"engine": urls, "remote": {"model": "coder"}})
        await client.wait_for(lambda one: one.get("params", {}).get("state") == "ready")
        statuses = client.messages("didChangeStatus")
        assert {one["engine"] for one in statuses} == {"gpu.example.com, 127.0.0.1:8000"}
        assert {one["model"] for one in statuses} == {"coder"}
        assert statuses[0]["message"] == "Connecting to gpu.example.com, 127.0.0.1:8000"
        assert await client.shut_down() == 0


async def test_the_status_names_no_host_where_the_model_runs_in_the_server(client: LspClient) -> None:
    await client.wait_for(lambda one: one.get("params", {}).get("state") == "ready")
    assert {one["engine"] for one in client.messages("didChangeStatus")} == {None}


@pytest.mark.parametrize(
    "settings", [{"engine": "https://elsewhere.example.com"}, {"remote": {"allowHttp": True}}]
)
async def test_a_projects_own_settings_do_not_send_source_to_a_remote_engine(settings: object) -> None:
    async with stand_in() as client:
        await client.initialize(options={"engine": "https://gpu.example.com"})
        client.notify("workspace/didChangeConfiguration", {"settings": settings})
        message = await client.notification("window/showMessage")
        assert "is taken from the settings file, from flags" in message["message"]
        await client.request("checkStatus")
        assert {one["engine"] for one in client.messages("didChangeStatus")} == {"gpu.example.com"}


async def test_what_an_editor_said_at_its_start_it_may_say_again() -> None:
    options = {"engine": "https://gpu.example.com", "completion": {"candidates": 1}}
    async with stand_in() as client:
        await client.initialize(options=options)
        client.notify("workspace/didChangeConfiguration", {"settings": options | {"enabled": False}})
        await client.wait_for(lambda one: one.get("params", {}).get("state") == "off")
        assert client.messages("window/showMessage") == []


# Where nothing is offered.


async def test_excluded_bytes_never_reach_the_model(tmp_path: Path) -> None:
    (tmp_path / ".copilotignore").write_text("/private/\n*.txt\n!open.txt\n")
    seen = tmp_path / "seen"
    async with stand_in("--seen", str(seen)) as client:
        await client.initialize(options={"exclude": ["*.secret"]})
        marked = {
            ".env": "python", "a.secret": "python", "private/a.py": "python", "a.txt": "plaintext",
            "node_modules/a.js": "javascript", "a.py": "python", "open.txt": "plaintext",
        }  # fmt: skip
        answers = {}
        for number, (name, language) in enumerate(marked.items()):
            uri = client.open(f"MARK{number}{name} = ", (tmp_path / name).as_uri(), language)
            params = inline_params(uri, 0, len(f"MARK{number}{name} = "), invoked=True)
            answers[name] = len((await client.request(INLINE, params))["items"])
            panel = {"textDocument": {"uri": uri}, "position": params["position"]}
            answers[name] += len((await client.request(PANEL, panel))["items"])
        assert await client.shut_down() == 0
    read = seen.read_text()
    for number, name in enumerate(marked):
        welcome = name in ("a.py", "open.txt")
        assert (f"MARK{number}{name}" in read) is welcome
        assert (answers[name] > 0) is welcome


async def test_languages_and_exclusions_change_while_it_runs() -> None:
    async with stand_in() as client:
        await client.initialize()
        uri = client.open("x = ")
        for settings, expected in (
            ({"languages": {"python": False}}, 0),
            ({"languages": {"*": False}}, 0),
            ({"languages": {"*": False, "python": True}}, 1),
            ({"exclude": ["a.py"]}, 0),
            ({"exclude": ["*.py", "!a.py"]}, 1),
            ({}, 1),
        ):
            client.notify("workspace/didChangeConfiguration", {"settings": {"copilot-server": settings}})
            answer = await client.request(INLINE, inline_params(uri, 0, 4))
            assert len(answer["items"]) == expected, settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"exclude": "*.py"}, "`exclude` must be a list of patterns as in .gitignore"),
        ({"exclude": ["!"]}, "`exclude` must be a list of patterns as in .gitignore"),
        ({"languages": ["python"]}, "`languages` must be a table of language ids, each true or false"),
        ({"languages": {"python": "no"}}, "`languages` must be a table of language ids, each true or false"),
    ],
)
async def test_wrong_exclusions_are_reported(settings: object, message: str) -> None:
    async with stand_in() as client:
        await client.initialize(options=settings)
        assert message in (await client.notification("window/showMessage"))["message"]


@pytest.mark.parametrize(
    ("text", "character", "offered"),
    [
        ("x = foo", 6, False),  # in a word
        ("x = (1 + 2) * 3", 5, False),  # before code
        ("x = foo()", 8, True),  # before what an editor closes
        ("x = {[(", 7, True),
        ("    return 1", 0, True),  # before a whole line
        ("", 0, False),
        ("  \n\n", 0, False),
    ],
)
async def test_typing_is_answered_where_an_answer_is_worth_something(
    client: LspClient, text: str, character: int, offered: bool
) -> None:
    uri = client.open(text)
    typing = await client.request(INLINE, inline_params(uri, 0, character))
    assert bool(typing["items"]) is offered
    invoked = await client.request(INLINE, inline_params(uri, 0, character, invoked=True))
    assert invoked["items"]


# While an item of the editor's menu is selected.


async def test_suggestions_go_on_from_the_selected_item() -> None:
    async with stand_in() as client:
        await client.initialize(GHOST_TEXT)
        uri = client.open("x = 1\nprint(😀pri")
        params = inline_params(uri, 1, 11)
        word = {"start": {"line": 1, "character": 8}, "end": {"line": 1, "character": 11}}
        params["context"]["selectedCompletionInfo"] = {"range": word, "text": "known"}
        (item,) = (await client.request(INLINE, params))["items"]
        assert item["insertText"] == "knownok"
        assert item["range"] == word


async def test_what_a_suggestion_replaces_goes_with_the_selected_item() -> None:
    async with stand_in() as client:
        await client.initialize(GHOST_TEXT)
        uri = client.open("ov)")
        params = inline_params(uri, 0, 2, invoked=True)
        word = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 2}}
        params["context"]["selectedCompletionInfo"] = {"range": word, "text": "over"}
        (item,) = (await client.request(INLINE, params))["items"]
        assert item["insertText"] == "overall"
        assert item["range"] == {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 3}}
