"""Settings and folders that change while the editor runs."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path

import attrs
import pytest

from copilot_server.config import DEFAULT_MODEL, RemoteSettings
from copilot_server.lsp.settings import GUARDED
from tests.support.lsp_client import inline_params
from tests.support.lsp_wire import URI, Wire

CHANGE = "workspace/didChangeConfiguration"


async def test_settings_that_are_sent_hold(editor: Wire) -> None:
    editor.initialize()
    editor.send(CHANGE, {"settings": {"copilot-server": {"completion": {"candidates": 7}}}})
    assert editor.server.session.settings.current.completion.candidates == 7
    assert editor.messages("window/showMessage") == []


async def test_wrong_settings_are_shown_and_the_others_hold(editor: Wire) -> None:
    editor.initialize()
    editor.send(CHANGE, {"settings": {"completion": {"candidates": 7, "topP": 9}}})
    assert editor.server.session.settings.current.completion.candidates == 7
    (shown,) = editor.messages("window/showMessage")
    assert "completion.top_p" in shown["message"]


async def test_an_editor_that_cannot_be_asked_is_not_asked(editor: Wire) -> None:
    editor.initialize()
    before = editor.server.session.settings.current
    editor.send(CHANGE, {"settings": None})
    await editor.request("checkStatus")
    assert editor.messages("workspace/configuration") == []
    assert editor.server.session.settings.current == before


async def test_a_pattern_is_anchored_to_a_folder_that_is_added(editor: Wire, tmp_path: Path) -> None:
    hidden = (tmp_path / "hidden.py").as_uri()
    editor.initialize()
    editor.send(CHANGE, {"settings": {"exclude": ["/hidden.py"]}})
    item = {"uri": hidden, "languageId": "python", "version": 1, "text": "x = "}
    editor.send("textDocument/didOpen", {"textDocument": item})
    inline = "textDocument/inlineCompletion"
    assert (await editor.request(inline, inline_params(hidden, 0, 4)))["items"] != []
    folder = {"uri": tmp_path.as_uri(), "name": "project"}
    editor.send("workspace/didChangeWorkspaceFolders", {"event": {"added": [folder], "removed": []}})
    assert (await editor.request(inline, inline_params(hidden, 0, 4)))["items"] == []
    editor.open("x = ")
    assert (await editor.request(inline, inline_params(URI, 0, 4)))["items"] != []


# What a project's own files may ask for, through an editor that sends them on.

#: By name: the user's own setting, what a project sends later, and a later message that is welcome.
ATTACKS: dict[str, tuple[object, object, object]] = {
    "engine": (["https://gpu.example.com"], ["https://evil.example"], ["https://gpu.example.com"]),
    "remote.model": ("coder", "other", "coder"),
    "remote.fim": ("prompt", "suffix", "prompt"),
    "remote.api_key_file": ("/home/me/key", "/home/me/.ssh/id_rsa", "/home/me/key"),
    "remote.api_key_hosts": (["gpu.example.com"], ["evil.example"], ["gpu.example.com"]),
    "remote.api_key_over_http": (False, True, False),
    "remote.allow_http": (False, True, False),
    "remote.connect_timeout_s": (3.0, 60.0, 3.0),
    "remote.read_timeout_s": (20.0, 600.0, 20.0),
    "remote.deadline_s": (60.0, 3600.0, 60.0),
    "model": ("qwen2.5-coder-0.5b", "./model", "qwen2.5-coder-1.5b"),
    "offline": (True, False, True),
    "fetch": ("ask", "always", "ask"),
    "statistics": (False, True, False),
    "workspace": (False, True, False),
    "automatic": (False, True, False),
    "verify": ("asked", "idle", "off"),
    "share": (False, True, False),
}


def held(editor: Wire, name: str) -> object:
    """The setting that holds, as JSON has it."""
    value = attrgetter(name)(editor.server.session.settings.current)
    return list(value) if isinstance(value, tuple) else value


def test_every_setting_that_only_the_user_may_set_is_attacked() -> None:
    assert {name.partition(".")[0] for name in ATTACKS} | {"exclude"} == set(GUARDED)
    assert {name for name in ATTACKS if name.startswith("remote.")} == {
        f"remote.{field.name}" for field in attrs.fields(RemoteSettings)
    }


@pytest.mark.parametrize("name", ATTACKS)
async def test_a_later_configuration_cannot_change_what_is_the_users_own(editor: Wire, name: str) -> None:
    own, attack, welcome = ATTACKS[name]
    editor.initialize(initializationOptions={name: own})
    editor.send(CHANGE, {"settings": {"copilot-server": {name: attack, "completion": {"candidates": 7}}}})
    assert held(editor, name) == own
    assert held(editor, "completion.candidates") == 7  # the rest of the message holds
    (shown,) = editor.messages("window/showMessage")
    assert f"`{name.partition('.')[0]}`" in shown["message"]
    editor.send(CHANGE, {"settings": {name: welcome}})
    assert held(editor, name) == welcome
    assert len(editor.messages("window/showMessage")) == 1


@pytest.mark.parametrize("name", ATTACKS)
async def test_the_user_may_set_it_at_the_start(editor: Wire, name: str) -> None:
    editor.initialize(initializationOptions={name: ATTACKS[name][1]})
    assert held(editor, name) == ATTACKS[name][1]
    assert editor.messages("window/showMessage") == []


@pytest.mark.parametrize(
    "model", ["./m", "/m", "~/m", "m.gguf", "someone/model", "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF", "?"]
)
async def test_a_later_model_is_one_of_the_catalogue(editor: Wire, model: str) -> None:
    editor.initialize()
    editor.send(CHANGE, {"settings": {"model": model}})
    assert held(editor, "model") == DEFAULT_MODEL
    (shown,) = editor.messages("window/showMessage")
    assert "copilot-server models" in shown["message"]
    for welcome in ("qwen2.5-coder-3b", "auto"):
        editor.send(CHANGE, {"settings": {"model": welcome}})
        assert held(editor, "model") == welcome


async def items_in(editor: Wire, name: str) -> int:
    """How many suggestions a new document of this name gets."""
    uri = f"file:///w/{name}"
    item = {"uri": uri, "languageId": "python", "version": 1, "text": "x = "}
    editor.send("textDocument/didOpen", {"textDocument": item})
    answer = await editor.request("textDocument/inlineCompletion", inline_params(uri, 0, 4))
    return len(answer["items"])


@pytest.mark.parametrize("secret", [".env", "server.pem", "own.py"])
async def test_later_exclusions_only_add(editor: Wire, secret: str) -> None:
    editor.initialize(initializationOptions={"exclude": ["own.py"]})
    editor.send(CHANGE, {"settings": {"exclude": [f"!{secret}", "!*", "*.txt", "!open.txt"]}})
    found = {name: await items_in(editor, name) for name in (secret, "a.txt", "open.txt", "a.py")}
    assert found == {secret: 0, "a.txt": 0, "open.txt": 1, "a.py": 1}
    assert editor.messages("window/showMessage") == []
    editor.send(CHANGE, {"settings": {"exclude": []}})
    assert [await items_in(editor, name) for name in (secret, "b.txt")] == [0, 1]


async def test_the_user_can_take_a_secret_back_at_the_start(editor: Wire) -> None:
    editor.initialize(initializationOptions={"exclude": ["!.env"]})
    editor.send(CHANGE, {"settings": {"exclude": ["!.env"]}})
    assert await items_in(editor, ".env") == 1


async def test_what_a_plugin_knows_to_be_the_projects_is_taken_as_a_projects(editor: Wire) -> None:
    project = {"exclude": ["!.env", "*.txt"], "statistics": True, "workspace": False, "model": "./m"}
    own = {"statistics": False, "exclude": ["own.py"]}
    editor.initialize(initializationOptions={**own, "projectSettings": project})
    names = ("statistics", "workspace", "model")
    assert [held(editor, name) for name in names] == [False, False, DEFAULT_MODEL]
    editor.send(CHANGE, {"settings": {}})  # which many editors send after it
    found = {name: await items_in(editor, name) for name in (".env", "a.txt", "own.py", "a.py")}
    assert found == {".env": 0, "a.txt": 0, "own.py": 0, "a.py": 1}
