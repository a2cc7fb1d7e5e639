"""Heads of installed packages, read by a real process: which are shown, when, and what is never read."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from copilot_server.workspace.environment import environment
from copilot_server.workspace.files import MAX_BYTES
from copilot_server.workspace.workspace import Workspace
from tests.support.environments import make_environment
from tests.support.patience import PATIENCE_S, wait_until
from tests.support.workspaces import cursor_at, opened, repository, texts, write

PACKAGES = {
    "web/__init__.py": "from .api import get as get, Session\nfrom .deep import *\nfrom . import api\n",
    "web/api.py": '''
def get(url: str, *, retries: int = 3) -> "Answer":
    """Ask once."""
    return SECRET_BODY
class Answer:
    status: int
class Session(Base):
    """Asks often."""
    def __init__(self, base_url: str) -> None: ...
    def send(self, question: str) -> Answer: ...
''',
    "web/deep/__init__.py": "__all__ = ['dig']\ndef dig(depth: int) -> None: ...\ndef other(): ...\n",
    "single.py": "def alone(a: int) -> int: ...\n",
    "typed/__init__.py": "def plain(a, b): ...\n",
    "typed-stubs/__init__.pyi": "def plain(a: int, b: str) -> bytes: ...\n",
    "space/part/__init__.py": "def there(a: int) -> None: ...\n",
    "broken.py": "def fine(a: int): ...\nclass (((:\n  def\n\tx = [\n",
    "huge.py": "def big(a: int): ...\n" + "#" * MAX_BYTES,
    "large.py": "def wide(a: int): ...\n" + "#" * (MAX_BYTES - 50),
    "binary.py": "def raw(a: int): ...\n\0",
    "secret.py": "def hidden(a: int): ...\n",
    "own/__init__.py": "def stale(a: int): ...\n",
    "own/gone.py": "def gone(a: int): ...\n",
}
FILES = {
    ".gitignore": ".venv/\n",
    "own/__init__.py": "def fresh(a: int): ...\n",
    "main.py": "import web\n",
}
GET = 'def get(url: str, *, retries: int = 3) -> "Answer":'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return repository(tmp_path.resolve() / "work", FILES)


@pytest.fixture
def site(folder: Path) -> Path:
    return make_environment(folder / ".venv", PACKAGES)


@pytest.fixture
def workspace(folder: Path, site: Path, tmp_path: Path) -> Iterator[Workspace]:
    del site
    with opened(folder, tmp_path / "cache", ["secret.py"]) as workspace:
        yield workspace


def seen(workspace: Workspace, folder: Path, drawn: str) -> str:
    """Return what is shown once all is known that the cursor needs."""
    texts(workspace, folder / "main.py", drawn)
    assert workspace.wait(PATIENCE_S)
    return texts(workspace, folder / "main.py", drawn)


class TestShown:
    def test_a_function_that_is_called(self, workspace: Workspace, folder: Path):
        assert seen(workspace, folder, "import web\nweb.get(‸") == f'{GET}\n    """Ask once."""'

    def test_nothing_waits_for_it_and_it_stays_as_it_is_once_it_is_known(
        self, workspace: Workspace, folder: Path
    ):
        cursor = cursor_at(folder / "main.py", "from web import get\nget(‸")
        assert workspace.snippets(cursor) == ()
        assert workspace.wait(PATIENCE_S)
        (first,) = workspace.snippets(cursor)
        assert (first.path, first.is_stable) == ("web/api.py", False)
        assert workspace.snippets(cursor) == (first,)

    def test_who_does_not_type_may_wait(self, workspace: Workspace, folder: Path):
        workspace.wait_s = PATIENCE_S
        assert GET in texts(workspace, folder / "main.py", "from web import get\nget(‸")

    def test_a_call_that_is_open_above(self, workspace: Workspace, folder: Path):
        drawn = "import web\n\nweb.get(\n    'a',\n    ‸\n)"
        assert GET in seen(workspace, folder, drawn)
        (one,) = workspace.snippets(cursor_at(folder / "main.py", drawn))
        assert one.is_stable
        assert seen(workspace, folder, "import web\n\nweb.get('a')\n‸") == ""

    def test_a_base_of_the_class_around(self, workspace: Workspace, folder: Path):
        shown = seen(workspace, folder, "import web\nclass Mine(web.Session):\n    x = 1\n    ‸")
        assert "class Session(Base):" in shown
        assert "def send(" in shown

    def test_a_class_whose_member_is_about_to_be_named(self, workspace: Workspace, folder: Path):
        shown = seen(workspace, folder, "import web\nsession = web.Session('x')\nsession.‸")
        assert "def send(self, question: str) -> Answer" in shown

    def test_names_that_are_only_near_are_not_shown(self, workspace: Workspace, folder: Path):
        near = "from web import Session\ndef f(one: Session):\n    one.send('x')\n    ‸"
        assert seen(workspace, folder, near) == ""
        assert seen(workspace, folder, "from web import Session\n\n‸") == ""
        assert seen(workspace, folder, "import web\nweb.‸") == ""

    @pytest.mark.parametrize(
        ("drawn", "head"),
        {
            "import single\nsingle.alone(‸": "def alone(a: int) -> int: ...",
            "from web import dig\ndig(‸": "def dig(depth: int) -> None: ...",
            "import web.deep\nweb.deep.dig(‸": "def dig(depth: int) -> None: ...",
            "from typed import plain\nplain(‸": "def plain(a: int, b: str) -> bytes: ...",
            "from space.part import there\nthere(‸": "def there(a: int) -> None: ...",
            "import space.part\nspace.part.there(‸": "def there(a: int) -> None: ...",
            "import large\nlarge.wide(‸": "def wide(a: int): ...",
            "from broken import fine\nfine(‸": "def fine(a: int): ...",
        }.items(),
    )
    def test_kinds_of_modules(self, workspace: Workspace, folder: Path, drawn: str, head: str):
        assert seen(workspace, folder, drawn) == head

    def test_what_is_shown_stays_while_a_line_is_typed(self, workspace: Workspace, folder: Path):
        head, line = "import web\nsession = web.Session('x')\n", "session.send(web.get('y'))"
        seen(workspace, folder, f"{head}{line}‸")
        shown = [
            workspace.snippets(cursor_at(folder / "main.py", f"{head}{line[:end]}‸"))
            for end in range(len(line) + 1)
        ]
        assert all(after[: len(before)] == before for before, after in pairwise(shown))
        assert len(shown[0]) < len(shown[-1])

    def test_the_workspaces_own_comes_first(self, workspace: Workspace, folder: Path):
        drawn = "from own import fresh\nfrom single import alone\nfresh(\n    alone(\n        ‸"
        seen(workspace, folder, drawn)
        snippets = workspace.snippets(cursor_at(folder / "main.py", drawn))
        scores = {one.path: one.score for one in snippets}
        assert scores["single.py"] < scores["own/__init__.py"]


class TestNeverRead:
    def test_copies_of_the_workspaces_packages(self, folder: Path, site: Path, tmp_path: Path):
        del site
        drawn = "import own.gone\nfrom own import stale\nstale(own.gone.gone(‸"
        with opened(folder, tmp_path / "cache") as workspace:
            assert "def stale" not in (shown := seen(workspace, folder, drawn))
            assert "def gone" not in shown
        shutil.rmtree(folder / "own")
        with opened(folder, tmp_path / "cache") as workspace:
            assert "def stale" in (shown := seen(workspace, folder, drawn))
            assert "def gone" in shown

    @pytest.mark.parametrize("name", ["huge.big", "binary.raw", "secret.hidden"])
    def test_large_binary_and_excluded_files(self, workspace: Workspace, folder: Path, name: str):
        module = name.rpartition(".")[0]
        assert seen(workspace, folder, f"import {module}\n{name}(‸") == ""

    def test_links_out_of_the_packages(self, workspace: Workspace, folder: Path, site: Path, tmp_path: Path):
        write(tmp_path, {"away/__init__.py": "def far(a: int): ...\n"})
        (site / "away").symlink_to(tmp_path / "away")
        assert seen(workspace, folder, "import away\naway.far(‸") == ""
        (site / "away").unlink()
        shutil.copytree(tmp_path / "away", site / "near")
        assert seen(workspace, folder, "import near\nnear.far(‸") == "def far(a: int): ..."

    def test_a_file_that_is_excluded_later(self, workspace: Workspace, folder: Path):
        drawn = "import single\nsingle.alone(‸"
        assert "alone" in seen(workspace, folder, drawn)
        write(folder, {".copilotignore": "single.py\n"})
        assert seen(workspace, folder, drawn) == ""

    def test_bodies(self, workspace: Workspace, folder: Path):
        assert "SECRET" not in seen(workspace, folder, "import web\nweb.get(‸")

    def test_nothing_of_it_is_kept_in_the_index(self, workspace: Workspace, folder: Path, tmp_path: Path):
        assert GET in seen(workspace, folder, "import web\nweb.get(‸")
        kept = b"".join(path.read_bytes() for path in (tmp_path / "cache").iterdir())
        assert b"main.py" in kept
        assert b"retries" not in kept


def test_names_of_packages_stay_uncertain(workspace: Workspace, folder: Path):
    def missing(drawn: str, text: str) -> str:
        seen(workspace, folder, drawn)
        found = workspace.missing_name(cursor_at(folder / "main.py", drawn), text, 0)
        return found.name if found is not None else ""

    assert missing("import web\nweb.‸", "absent(1)") == ""
    assert missing("import web\nsession = web.Session('x')\nsession.‸", "absent(1)") == ""
    assert missing("import web\nweb.get(‸", "absent=1)") == ""
    assert missing("import own\nown.‸", "absent(1)") == "absent"


def test_the_active_environment_counts_where_there_is_no_other(folder: Path, tmp_path: Path):
    make_environment(tmp_path / "active", PACKAGES)
    drawn = "import web\nweb.get(‸"
    with opened(folder, tmp_path / "cache") as workspace:
        assert seen(workspace, folder, drawn) == ""
    with opened(folder, tmp_path / "cache", virtual_env=str(tmp_path / "active")) as workspace:
        assert GET in seen(workspace, folder, drawn)
        (one,) = workspace.snippets(cursor_at(folder / "main.py", drawn))
        assert one.path == "web/api.py"


def test_packages_that_are_installed_later_are_found(
    workspace: Workspace, folder: Path, site: Path, monkeypatch: pytest.MonkeyPatch
):
    drawn, head = "import later\nlater.now(‸", "def now(a: int): ..."
    assert seen(workspace, folder, drawn) == ""
    write(site, {"later.py": "def now(a: int): ...\n"})
    assert seen(workspace, folder, drawn) == ""
    monkeypatch.setattr(environment, "CHECK_S", -1.0)
    wait_until(lambda: seen(workspace, folder, drawn) == head)


def test_no_more_files_are_read_than_the_limit(
    workspace: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(environment, "MAX_READ", 1)
    shown = seen(workspace, folder, "import single\nfrom web import get\nsingle.alone(get(‸")
    assert shown == "def alone(a: int) -> int: ..."


def test_a_closed_workspace_ends_its_thread(folder: Path, site: Path, tmp_path: Path):
    del site

    def running() -> list[str]:
        return [one.name for one in threading.enumerate() if one.name == "environment"]

    with opened(folder, tmp_path / "cache") as workspace:
        seen(workspace, folder, "import web\nweb.get(‸")
        assert running() == ["environment"]
    assert running() == []
