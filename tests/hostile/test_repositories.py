"""Hostile repositories: what a folder brings, and what a project's settings ask for, once an editor opens it.

All of them are opened in one server, whose remote engine notes what it is asked: what a model would read. In
each the server must find what an honest file defines, run nothing, and read nothing that lies outside.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from copilot_server.context.exclusion import Exclusions
from copilot_server.workspace import files
from tests.hostile.test_names import is_harmless
from tests.support.hostile_engine import HostileEngine
from tests.support.lsp_client import LspClient
from tests.support.patience import PATIENCE_S
from tests.support.shared_server import SharedServer, shared_server, suggested
from tests.support.workspaces import git, repository, write

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes and links")

#: What only an honest file of the repository can tell, and what only a file outside of it can.
INSIDE, OUTSIDE = "a_parameter_inside", "a_parameter_outside"
FILES = {
    "app/__init__.py": "",
    "app/honest.py": f"def honest({INSIDE}: int) -> int: ...\n",
}
SECRET = f"def linked({OUTSIDE}: int) -> int: ...\n"
#: The document: both functions are called at the cursor, in a line that is another one each time.
DOCUMENT = "from app.honest import honest\nfrom app.linked import linked\n\n\ny{} = linked(honest("
ESCAPES = "a\x1b]0;title\x07\x1b[2J\nWARNING forged\x9b31m\u202egpj.py"


@pytest.fixture(scope="module")
def engine() -> Iterator[HostileEngine]:
    with HostileEngine() as honest:
        yield honest


@pytest.fixture(scope="module")
def server(engine: HostileEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedServer]:
    """A server whose engine stands in the user's settings: a flag would win over whatever a project sends."""
    config = tmp_path_factory.mktemp("config")
    write(config, {"copilot-server/config.toml": f'engine = ["{engine.url}"]\nstatistics = false\n'})
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    with shared_server(environment=environment | {"XDG_CONFIG_HOME": str(config)}) as started:
        yield started
        assert started.is_running
        assert is_harmless(started.log.decode())


@dataclass(frozen=True)
class Ground:
    """A repository with an honest file, a folder outside of it, and a program there that leaves a mark."""

    folder: Path
    outside: Path

    @property
    def program(self) -> str:
        return str(self.outside / "program.sh")

    @property
    def evil(self) -> str:
        """Python that leaves the mark."""
        return f"open({str(self.outside / 'ran')!r}, 'w')\n"

    @property
    def has_run(self) -> bool:
        return (self.outside / "ran").exists()


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    outside = tmp_path / "outside"
    write(outside, {"linked.py": SECRET, "program.sh": f"#!/bin/sh\ntouch {outside}/ran\n"})
    (outside / "program.sh").chmod(0o755)
    return Ground(repository(tmp_path / "work", FILES), outside)


@asynccontextmanager
async def opened(
    server: SharedServer, folder: Path, options: Mapping[str, object] | None = None
) -> AsyncIterator[LspClient]:
    """An editor that opens a folder."""
    folders = [{"uri": folder.as_uri(), "name": "project"}]
    one = {"completion": {"candidates": 1}, **(options or {})}
    async with server.editor(one, workspaceFolders=folders) as client:
        yield client


async def read_by_the_model(client: LspClient, engine: HostileEngine, folder: Path) -> str:
    """Ask in a document until the index knows the honest file; return all that the engine was sent."""
    begin, number = len(engine.bodies), 0
    uri, deadline_s = (folder / "app" / "main.py").as_uri(), time.monotonic() + PATIENCE_S
    while True:
        sent = b"".join(engine.bodies[begin:]).decode()
        if INSIDE in sent and number > 2:
            return sent
        assert time.monotonic() < deadline_s, "the index never knew the honest file"
        client.open(text := DOCUMENT.format(number), uri, version=number)
        assert await suggested(client, uri, 4, len(text.split("\n")[4])) != []
        number += 1
        await asyncio.sleep(0.2)


# Files and folders.


def link_file(ground: Ground) -> None:
    (ground.folder / "app" / "linked.py").symlink_to(ground.outside / "linked.py")


def link_folder(ground: Ground) -> None:
    (ground.outside / "__init__.py").write_text("from app.linked.linked import linked\n")
    (ground.folder / "app" / "linked").symlink_to(ground.outside)


def link_in_git(ground: Ground) -> None:
    link_file(ground)
    git(ground.folder, "add", "-A")
    git(ground.folder, "commit", "-q", "-m", "a link")


def link_to_zeros(ground: Ground) -> None:
    (ground.folder / "app" / "linked.py").symlink_to("/dev/zero")
    (ground.folder / "app" / "more.py").symlink_to("/proc/self/environ")


def link_loops(ground: Ground) -> None:
    for number in range(20):
        (ground.folder / f"loop{number}").symlink_to(ground.folder)
        (ground.folder / "app" / f"loop{number}").symlink_to("..")
    (ground.folder / "app" / "itself.py").symlink_to("itself.py")
    shutil.rmtree(ground.folder / ".git")


def pipes(ground: Ground) -> None:
    for name in ("app/linked.py", "pipe.py", "pyproject.toml", "README.md"):
        os.mkfifo(ground.folder / name)


def deep_folders(ground: Ground) -> None:
    deep = ground.folder / "/".join(["d" * 10] * 90)
    write(deep, {"a.py": "x = 1\n"})
    shutil.rmtree(ground.folder / ".git")


def odd_names(ground: Ground) -> None:
    names = (ESCAPES, "-rf.py", "--help.py", "$(touch ran).py", ";touch ran;.py", "'\".py", ":(glob)*.py")
    write(ground.folder / "app", dict.fromkeys(names, "def odd(a_parameter: int): ...\n"))
    (ground.folder / os.fsdecode(b"\xff\xfe.py")).write_text("x = 1\n")


def environment_of_the_project(ground: Ground) -> None:
    site = ".venv/lib/python3.11/site-packages"
    modules = ("evil/__init__", "sitecustomize", "usercustomize", "tree_sitter", "json")
    write(
        ground.folder,
        {f"{site}/{name}.py": ground.evil for name in modules}
        | {
            ".venv/pyvenv.cfg": f"home = {ground.outside}\n",
            f"{site}/evil.pth": f"import evil; {ground.evil}",
        }
        | {f"{site}/out.pth": f"{ground.outside}\n", "app/use.py": "import evil\nevil.\n"},
    )
    (ground.folder / ".venv" / "bin").mkdir()
    (ground.folder / ".venv" / "bin" / "python").symlink_to(ground.program)


def modules_of_the_project(ground: Ground) -> None:
    names = ("sitecustomize", "usercustomize", "json", "sqlite3", "tree_sitter", "conftest", "setup")
    write(ground.folder, {f"{name}.py": ground.evil for name in (*names, "copilot_server/__init__")})


def tags_file(ground: Ground) -> None:
    line = f'linked\t{ground.outside}/linked.py\t/^def linked/;"\tf\n'
    write(
        ground.folder, {"tags": f"!_TAG_PROGRAM_NAME\t{ground.program}\n{line}", ".tags": line, "TAGS": line}
    )


def module_outside(ground: Ground) -> None:
    write(
        ground.folder,
        {"app/linked.py": "from ...outside.linked import linked\n", "app/up.py": "from ....... import x\n"},
    )


ENDLESS_COMMENTS = "class A:\n    x = 1\n" + "    # a line of a comment\n" * 38_000
SOURCES = {
    "a million lines": "x = 1\n" * 1_000_000,
    "10 MB in one line": "x = " + "1 + " * 2_500_000 + "1\n",
    "comments without end": ENDLESS_COMMENTS,
    "joined lines without end": "x = 1 + \\\n" + "\\\n" * 490_000,
    "NULs": "x = 1\n" + "\0" * 500_000,
    "brackets": "x = " + "(" * 40_000,
    "blocks": "".join(f"{' ' * depth}if 1:\n" for depth in range(900)),
    "classes": "".join(f"{' ' * depth}class A{depth}:\n" for depth in range(900)),
    "decorators": "@a\n" * 20_000 + "def f():\n    pass\n",
    "quotes": "'''" * 30_000,
    "a header without end": "def f(" + "a, " * 30_000,
    "escape codes": "x = 1 # \x1b]0;title\x07\x1b[2J\n" * 1_000,
}


def sources(ground: Ground) -> None:
    write(ground.folder, {f"app/source{number}.py": text for number, text in enumerate(SOURCES.values())})


def all_of_git(ground: Ground) -> None:
    for name in COMMANDS:
        configure(ground, name)


REPOSITORIES: dict[str, Callable[[Ground], None]] = {
    one.__name__.replace("_", "-"): one
    for one in (
        *(link_file, link_folder, link_in_git, link_to_zeros, link_loops, pipes, deep_folders, odd_names),
        *(environment_of_the_project, modules_of_the_project, tags_file, module_outside, sources, all_of_git),
    )
}


@pytest.mark.parametrize("attempt", REPOSITORIES)
async def test_hostile_repository_runs_nothing_and_shows_nothing_from_outside(
    server: SharedServer, engine: HostileEngine, ground: Ground, attempt: str
) -> None:
    REPOSITORIES[attempt](ground)
    async with opened(server, ground.folder) as client:
        sent = await read_by_the_model(client, engine, ground.folder)
    assert OUTSIDE not in sent
    assert not ground.has_run


async def test_benign_file_in_the_links_place_is_shown(
    server: SharedServer, engine: HostileEngine, ground: Ground
) -> None:
    shutil.copy(ground.outside / "linked.py", ground.folder / "app" / "linked.py")
    async with opened(server, ground.folder) as client:
        assert OUTSIDE in await read_by_the_model(client, engine, ground.folder)


async def test_benign_environment_is_read(
    server: SharedServer, engine: HostileEngine, ground: Ground
) -> None:
    site = ".venv/lib/python3.11/site-packages"
    text = FILES["app/honest.py"]
    write(ground.folder, {".venv/pyvenv.cfg": "", f"{site}/app/honest.py": "", "app/linked.py": ""})
    write(ground.folder, {f"{site}/linked.py": SECRET})
    document = f"from linked import linked\n{text.replace('honest', 'own')}\n\nx{{}} = linked(own("
    async with opened(server, ground.folder) as client:
        begin, number, uri = len(engine.bodies), 0, (ground.folder / "a.py").as_uri()
        while OUTSIDE not in b"".join(engine.bodies[begin:]).decode():
            client.open(written := document.format(number), uri, version=number)
            await suggested(client, uri, written.count("\n"), len(written.split("\n")[-1]))
            number += 1
            await asyncio.sleep(0.2)


def test_benign_python_alone_runs_what_an_environment_brings(ground: Ground) -> None:
    environment_of_the_project(ground)
    site = ground.folder / ".venv" / "lib" / "python3.11" / "site-packages"
    subprocess.run([sys.executable, "-c", f"import site; site.addsitedir({str(site)!r})"], check=True)
    assert ground.has_run


@pytest.mark.parametrize("attempt", SOURCES)
async def test_hostile_source_that_is_open_holds_up_no_key(
    server: SharedServer, engine: HostileEngine, ground: Ground, attempt: str
) -> None:
    """Keys in it, at its end and in another document are answered while it is read."""
    text = SOURCES[attempt]
    async with opened(server, ground.folder) as client:
        hostile = client.open(text, (ground.folder / "app" / "linked.py").as_uri())
        await read_by_the_model(client, engine, ground.folder)
        await suggested(client, hostile, 0, 4)
        if len(text) < 2_000_000:  # reading as much for a cursor at the end takes seconds
            await suggested(client, hostile, text.count("\n"), 0)
        assert not client.messages("window/showMessage")


# git.

COMMANDS: dict[str, tuple[tuple[tuple[str, str], ...], tuple[str, ...]]] = {
    "core.fsmonitor": ((("core.fsmonitor", "{program}"),), ("ls-files", "--others")),
    "core.hooksPath": ((("core.hooksPath", "{outside}/hooks"),), ("commit", "--allow-empty", "-m", "x")),
    "diff.external": ((("diff.external", "{program}"),), ("diff",)),
    "diff.x.textconv": ((("diff.x.textconv", "{program}"),), ("diff",)),
    "filter.x.clean": ((("filter.x.clean", "{program}"),), ("add", "app/honest.py")),
    "alias": ((("alias.ls-file", "!{program}"), ("help.autocorrect", "immediate")), ("ls-file",)),
    "core.sshCommand": (
        (("core.sshCommand", "{program}"), ("remote.origin.url", "ssh://127.0.0.1:1/x")),
        ("fetch", "origin"),
    ),
    "core.pager": ((("core.pager", "{program}"), ("pager.ls-files", "true")), ()),
    "include.path": ((("include.path", "{outside}/included"),), ("ls-files", "--others")),
    "core.askPass": ((("core.askPass", "{program}"),), ()),
    "gpg.program": ((("gpg.program", "{program}"), ("log.showSignature", "true")), ()),
    "uploadpack.packObjectsHook": ((("uploadpack.packObjectsHook", "{program}"),), ()),
    "extensions.partialClone": (
        (
            ("extensions.partialClone", "origin"),
            ("remote.origin.url", "ext::{program}"),
            ("remote.origin.promisor", "true"),
        ),
        (),
    ),
}


def configure(ground: Ground, name: str) -> None:
    """Let a repository's own configuration name a program in this way."""
    hooks = ("pre-commit", "post-commit", "post-index-change", "post-checkout", "reference-transaction")
    for folder in (ground.folder / ".git" / "hooks", ground.outside / "hooks"):
        folder.mkdir(exist_ok=True)
        for hook in hooks:
            shutil.copy(ground.program, folder / hook)
    (ground.outside / "included").write_text(f"[core]\n\tfsmonitor = {ground.program}\n")
    for key, value in COMMANDS[name][0]:
        git(ground.folder, "config", key, value.format(program=ground.program, outside=ground.outside))
    write(
        ground.folder,
        {".gitattributes": "* diff=x filter=x\n", "app/honest.py": FILES["app/honest.py"] + "x = 1\n"},
    )
    (ground.outside / "ran").unlink(missing_ok=True)


@pytest.mark.parametrize("attempt", COMMANDS)
def test_hostile_git_configuration_runs_nothing(ground: Ground, attempt: str) -> None:
    configure(ground, attempt)
    assert [one.path for one in files.list_files(ground.folder, Exclusions())] != []
    assert not ground.has_run


@pytest.mark.parametrize("name", [name for name, (_, command) in COMMANDS.items() if command])
def test_benign_git_alone_runs_the_program(ground: Ground, name: str) -> None:
    configure(ground, name)
    command = ["git", "-c", "user.name=x", "-c", "user.email=x", *COMMANDS[name][1]]
    subprocess.run(command, cwd=ground.folder, check=False, capture_output=True)
    assert ground.has_run


PIPES = (
    ".gitignore",
    "app/.gitignore",
    ".gitattributes",
    ".git/info/exclude",
    ".git/config",
    ".git/HEAD",
    ".git/index",
)


@pytest.mark.parametrize("name", PIPES)
def test_hostile_pipe_that_git_waits_for_ends_after_a_time(
    ground: Ground, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git itself waits without end; the indexer, a process of its own, ends it and walks the folder."""
    monkeypatch.setattr(files, "GIT_TIMEOUT_S", 0.5)
    (ground.folder / name).unlink(missing_ok=True)
    os.mkfifo(ground.folder / name)
    listed = [one.path for one in files.list_files(ground.folder, Exclusions())]
    assert str(ground.folder / "app" / "honest.py") in listed


@pytest.mark.parametrize("name", ["core.worktree", "gitdir"])
def test_hostile_repository_that_points_elsewhere_lists_nothing_from_there(ground: Ground, name: str) -> None:
    git(ground.outside, "init", "-q")
    if name == "gitdir":
        shutil.rmtree(ground.folder / ".git")
        (ground.folder / ".git").write_text(f"gitdir: {ground.outside}/.git\n")
    else:
        git(ground.folder, "config", "core.worktree", str(ground.outside))
    listed = [one.path for one in files.list_files(ground.folder, Exclusions())]
    assert all(Path(one).is_relative_to(ground.folder) for one in listed)
    assert not any(one.endswith("linked.py") for one in listed)


# Ignore files.


def ignored_by(name: str, ground: Ground) -> None:
    path = ground.folder / ".copilotignore"
    match name:
        case "stars":
            path.write_text("".join(f"{'*a' * 8}*b{number}\n" for number in range(300)))
        case "huge":
            path.write_bytes(b"#" * (100 << 20))
        case "pipe":
            os.mkfifo(path)
        case "zeros":
            path.symlink_to("/dev/zero")
        case "outside":
            path.symlink_to(ground.outside / "linked.py")
        case "folder":
            path.mkdir()
        case "brackets":
            path.write_text("[" * 1_000 + "\n" + "[!" * 500 + "\n")


@pytest.mark.parametrize("name", ["stars", "huge", "pipe", "zeros", "outside", "folder", "brackets"])
async def test_hostile_ignore_file_holds_up_nothing(
    server: SharedServer, ground: Ground, name: str, tmp_path: Path
) -> None:
    ignored_by(name, ground)
    is_readable = name in {"stars", "outside", "brackets"}
    async with opened(server, ground.folder) as client:
        beneath = client.open("x = ", (ground.folder / ("a" * 200) / "b.py").as_uri())
        beside = client.open("x = ", (tmp_path / "beside.py").as_uri())
        assert (await suggested(client, beneath) != []) == is_readable
        assert await suggested(client, beside) != []
    assert OUTSIDE.encode() not in server.log


async def test_benign_ignore_file_excludes_what_it_names(server: SharedServer, ground: Ground) -> None:
    write(ground.folder, {".copilotignore": "*b.py\n"})
    async with opened(server, ground.folder) as client:
        found = [
            await suggested(client, client.open("x = ", (ground.folder / name).as_uri()))
            for name in ("b.py", "a.py")
        ]
    assert [one != [] for one in found] == [False, True]


# Settings that an editor sends on from a project.

CHANGE = "workspace/didChangeConfiguration"
#: By name: the value, and the setting that the warning names; None if there is none to give.
SETTINGS: dict[str, tuple[object, str | None]] = {
    "engine": ("{evil}", "engine"),
    "remote.model": ("another", "remote"),
    "remote.api_key_file": ("/etc/hostname", "remote"),
    "remote.api_key_over_http": (True, "remote"),
    "remote.allow_http": (True, "remote"),
    "model": ("./app", "model"),
    "statistics": (True, "statistics"),
    "exclude": (["!.env", "!*"], None),
}


def nested(name: str, value: object) -> dict[str, object]:
    outer, _, inner = name.partition(".")
    return {outer: {inner: value} if inner else value}


@pytest.mark.parametrize("name", SETTINGS)
async def test_hostile_setting_of_a_project_changes_nothing(
    server: SharedServer, engine: HostileEngine, ground: Ground, name: str
) -> None:
    value, warned = SETTINGS[name]
    with HostileEngine() as evil:
        setting = nested(name, [evil.url] if value == "{evil}" else value)
        async with opened(server, ground.folder) as client:
            client.notify(CHANGE, {"settings": {"copilot-server": setting}})
            secret = client.open("A = ", (ground.folder / ".env").as_uri())
            assert await suggested(client, secret) == []
            assert INSIDE in await read_by_the_model(client, engine, ground.folder)
            shown = [one["message"] for one in client.messages("window/showMessage")]
            assert [f"`{warned}`" in one for one in shown] == ([True] if warned else [])
        assert not evil.asked
    assert b"authorization" not in engine.fields


async def test_benign_settings_of_the_user_count(server: SharedServer, ground: Ground) -> None:
    with HostileEngine() as another:
        options = {"engine": [another.url], "exclude": ["!.env"]}
        async with opened(server, ground.folder, options) as client:
            assert await suggested(client, client.open("A = ", (ground.folder / ".env").as_uri())) != []
            assert another.asked["v1/completions"]


# Where a program is started in the project.


def started_in(ground: Ground, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("copilot-server")
    return subprocess.run(
        [str(program), *arguments],
        cwd=ground.folder,
        capture_output=True,
        check=False,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def test_hostile_modules_of_the_project_are_not_imported_by_the_program(ground: Ground) -> None:
    modules_of_the_project(ground)
    environment_of_the_project(ground)
    assert started_in(ground, "models").returncode == 0
    assert started_in(ground).returncode in {0, 1}  # a server, whose editor has gone
    assert not ground.has_run


def test_benign_module_of_the_project_is_imported_by_python(ground: Ground) -> None:
    modules_of_the_project(ground)
    subprocess.run([sys.executable, "-c", "import json"], cwd=ground.folder, check=True)
    assert ground.has_run


def test_hostile_folder_by_the_name_of_a_model_is_not_loaded(ground: Ground) -> None:
    write(ground.folder, {"org/name/config.json": "{}", "org/name/tokenizer.json": "{}"})
    found = started_in(ground, "--selftest", "humaneval", "--offline", "--model", "org/name")
    assert found.returncode == 3
    assert str(ground.folder) not in found.stderr
    assert "config.json" not in found.stderr


def test_benign_folder_is_named_by_a_path(ground: Ground) -> None:
    write(ground.folder, {"org/name/config.json": "{}", "org/name/tokenizer.json": "{}"})
    found = started_in(ground, "--selftest", "humaneval", "--offline", "--model", "./org/name")
    assert found.returncode == 3
    assert "org/name" in found.stderr
