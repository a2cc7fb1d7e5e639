"""The index of real folders, built by a real process: what is in it, and how it follows changes."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from copilot_server.context.document import Cursor, Document
from copilot_server.context.exclusion import Exclusions
from copilot_server.workspace import indexing
from copilot_server.workspace.files import MAX_BYTES
from copilot_server.workspace.workspace import Workspace
from tests.support.cursor_text import cursor_in
from tests.support.patience import PATIENCE_S, wait_until
from tests.support.workspaces import cursor_at, git, opened, repository, texts, write

STORE = '''
class Store:
    """Keeps things."""

    def get(self, key: str) -> bytes:
        return SECRET_BODY
'''
FILES = {"pkg/__init__.py": "", "pkg/store.py": STORE, "main.py": "from pkg.store import Store\n"}
USE = "from pkg.store import Store\n\nstore = Store()\nstore.‸\n"
GET = "def get(self, key: str) -> bytes: ..."


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return repository(tmp_path / "work", FILES)


@pytest.fixture
def workspace(folder: Path, cache: Path) -> Iterator[Workspace]:
    with opened(folder, cache) as workspace:
        yield workspace


def seen(workspace: Workspace, folder: Path, drawn: str = USE) -> str:
    return texts(workspace, folder / "main.py", drawn)


def settle(workspace: Workspace) -> None:
    workspace.refresh()
    assert workspace.wait(PATIENCE_S)


def test_the_head_of_a_class_in_another_file_is_found(workspace: Workspace, folder: Path):
    (snippet,) = workspace.snippets(cursor_at(folder / "main.py", USE))
    assert snippet.path == "pkg/store.py"
    assert snippet.text == f'class Store:\n    """Keeps things."""\n    {GET}'
    assert snippet.is_stable


def test_a_cell_of_a_notebook_sees_what_its_file_would(tmp_path: Path, cache: Path):
    other = STORE.replace("get", "put")
    folder = repository(tmp_path / "work", {"lab/store.py": STORE, "a/store.py": other, "lab/a.ipynb": "{}"})
    drawn = cursor_in(USE.replace("pkg.", ""))
    with opened(folder, cache) as workspace:

        def seen_in(name: str) -> str:
            uri = (folder / name).as_uri().replace("file://", "vscode-notebook-cell:") + "#W0sZmlsZQ%3D%3D"
            cursor = Cursor(Document(uri, "python", drawn.document.text), drawn.offset)
            return "\n".join(one.text for one in workspace.snippets(cursor))

        assert (GET in seen_in("lab/a.ipynb"), "def put" in seen_in("lab/a.ipynb")) == (True, False)
        assert (GET in seen_in("a/b.ipynb"), "def put" in seen_in("a/b.ipynb")) == (False, True)


def test_before_there_is_an_index_nothing_is_found_and_nobody_waits(folder: Path, cache: Path):
    workspace = Workspace([folder], Exclusions(), cache)
    assert workspace.snippets(cursor_at(folder / "main.py", USE)) == ()
    workspace.close()
    assert not cache.exists()


def test_without_git_the_folder_is_walked(tmp_path: Path, cache: Path):
    folder = tmp_path / "plain"
    write(
        folder,
        {**FILES, ".gitignore": "ignored/\n", "ignored/a.py": "def f(): ...", "venv/b.py": "def f(): ..."},
    )
    with opened(folder, cache) as workspace:
        assert GET in seen(workspace, folder)
        assert seen(workspace, folder, "from ignored.a import f\nf(‸") == ""
        assert seen(workspace, folder, "from venv.b import f\nf(‸") == ""


def missing(workspace: Workspace, folder: Path, text: str, drawn: str = USE) -> str:
    """Return the first name in a suggestion at the cursor that does not exist; "" for none."""
    found = workspace.missing_name(cursor_at(folder / "main.py", drawn), text, 0)
    return found.name if found else ""


class TestNames:
    def test_a_name_that_does_not_exist(self, workspace: Workspace, folder: Path):
        assert missing(workspace, folder, "get('a')") == ""
        assert missing(workspace, folder, "take('a')") == "take"
        (found,) = [workspace.missing_name(cursor_at(folder / "main.py", USE), "x = 1\nstore.take()", 0)]
        assert found is not None
        assert found.offset == len("x = 1\nstore.")

    def test_a_name_in_a_document_that_is_not_saved(self, workspace: Workspace, folder: Path):
        store = (folder / "pkg" / "store.py").as_uri()
        workspace.opened(store, "python", STORE.replace("get", "take"))
        assert workspace.wait(PATIENCE_S)
        assert missing(workspace, folder, "take('a')") == ""
        assert missing(workspace, folder, "get('a')") == "get"
        workspace.changed(store, STORE)
        assert missing(workspace, folder, "take('a')") == ""  # not read again yet
        assert workspace.wait(PATIENCE_S)
        assert missing(workspace, folder, "take('a')") == "take"
        workspace.closed(store)
        assert missing(workspace, folder, "take('a')") == "take"

    def test_a_file_that_has_changed(self, workspace: Workspace, folder: Path):
        write(folder, {"pkg/store.py": STORE.replace("get", "take")})
        settle(workspace)
        assert missing(workspace, folder, "get('a')") == "get"
        (folder / "pkg" / "store.py").unlink()
        settle(workspace)
        assert missing(workspace, folder, "get('a')") == ""

    def test_before_there_is_an_index_every_name_may_exist(self, folder: Path, cache: Path):
        workspace = Workspace([folder], Exclusions(), cache)
        assert missing(workspace, folder, "take('a')") == ""
        workspace.close()

    def test_an_attribute_that_the_documents_own_file_sets_on_disk_does_not_count(
        self, workspace: Workspace, folder: Path
    ):
        write(folder, {"main.py": FILES["main.py"] + "Store.take = None\n"})
        settle(workspace)
        assert missing(workspace, folder, "take('a')") == "take"
        write(folder, {"other.py": FILES["main.py"] + "Store.take = None\n"})
        settle(workspace)
        assert missing(workspace, folder, "take('a')") == ""


class TestChanges:
    def test_a_changed_file(self, workspace: Workspace, folder: Path):
        write(folder, {"pkg/store.py": STORE.replace("get", "take")})
        settle(workspace)
        assert "def take" in seen(workspace, folder)
        assert "def get" not in seen(workspace, folder)

    def test_only_the_named_files_are_looked_at(self, workspace: Workspace, folder: Path):
        write(folder, {"pkg/store.py": STORE.replace("get", "take"), "pkg/new.py": "def new(): ..."})
        workspace.refresh([folder / "pkg" / "new.py"])
        assert workspace.wait(PATIENCE_S)
        assert "def new()" in seen(workspace, folder, "from pkg.new import new\nnew(‸")
        assert "def get" in seen(workspace, folder)
        workspace.refresh([folder / "pkg" / "store.py"])
        assert workspace.wait(PATIENCE_S)
        assert "def take" in seen(workspace, folder)

    def test_a_deleted_file(self, workspace: Workspace, folder: Path):
        (folder / "pkg" / "store.py").unlink()
        workspace.refresh([folder / "pkg" / "store.py"])
        assert workspace.wait(PATIENCE_S)
        assert seen(workspace, folder) == ""

    def test_a_renamed_file(self, workspace: Workspace, folder: Path):
        (folder / "pkg" / "store.py").rename(folder / "pkg" / "keeper.py")
        settle(workspace)
        assert seen(workspace, folder) == ""
        assert GET in seen(workspace, folder, USE.replace("pkg.store", "pkg.keeper"))

    def test_a_renamed_package(self, workspace: Workspace, folder: Path):
        (folder / "pkg").rename(folder / "parcel")
        settle(workspace)
        assert seen(workspace, folder) == ""
        assert GET in seen(workspace, folder, USE.replace("pkg", "parcel"))

    def test_a_deleted_folder(self, workspace: Workspace, folder: Path):
        shutil.rmtree(folder / "pkg")
        workspace.refresh([folder / "pkg"])
        assert workspace.wait(PATIENCE_S)
        assert seen(workspace, folder) == ""

    def test_many_files(self, workspace: Workspace, folder: Path):
        write(folder, {f"m{number}.py": "def f(): ..." for number in range(150)})
        workspace.refresh(folder / f"m{number}.py" for number in range(150))
        assert workspace.wait(PATIENCE_S)
        assert "def f()" in seen(workspace, folder, "from m149 import f\nf(‸")

    def test_an_ignore_file(self, workspace: Workspace, folder: Path):
        write(folder, {"new.py": "def f(): ..."})
        settle(workspace)
        assert "def f()" in seen(workspace, folder, "from new import f\nf(‸")
        write(folder, {".gitignore": "new.py\n"})
        workspace.refresh([folder / ".gitignore"])
        assert workspace.wait(PATIENCE_S)
        assert seen(workspace, folder, "from new import f\nf(‸") == ""

    def test_files_that_are_no_code_start_nothing(self, workspace: Workspace, folder: Path):
        before = workspace.outcome
        workspace.refresh([folder / "a.txt", folder / "b"])
        assert workspace.wait(PATIENCE_S)
        assert workspace.outcome is before

    def test_another_branch(self, workspace: Workspace, folder: Path):
        git(folder, "checkout", "-q", "-b", "other")
        write(folder, {"pkg/store.py": STORE.replace("get", "take")})
        git(folder, "commit", "-q", "-a", "-m", "second")
        settle(workspace)
        assert "def take" in seen(workspace, folder)
        git(folder, "checkout", "-q", "main")
        settle(workspace)
        assert "def get" in seen(workspace, folder)
        assert "def take" not in seen(workspace, folder)

    def test_the_index_is_kept_for_the_next_start(self, workspace: Workspace, folder: Path, cache: Path):
        workspace.close()
        with opened(folder, cache) as again:
            assert again.outcome is not None
            assert (again.outcome.files, again.outcome.read) == (3, 0)
            assert GET in seen(again, folder)

    def test_a_damaged_index_is_built_again(self, workspace: Workspace, folder: Path, cache: Path):
        workspace.close()
        (database,) = cache.glob("*.sqlite3")
        database.write_bytes(b"damage" * 3000)
        with opened(folder, cache) as again:
            assert again.outcome is not None
            assert again.outcome.read == 3
            assert GET in seen(again, folder)

    def test_an_index_that_is_damaged_meanwhile_is_built_again(
        self, workspace: Workspace, folder: Path, cache: Path
    ):
        (database,) = cache.glob("*.sqlite3")
        database.write_bytes(b"damage" * 3000)
        workspace.snippets(cursor_at(folder / "main.py", USE))
        settle(workspace)
        assert GET in seen(workspace, folder)

    def test_an_index_of_another_version_is_built_again(
        self, workspace: Workspace, folder: Path, cache: Path
    ):
        workspace.close()
        (database,) = cache.glob("*.sqlite3")
        with sqlite3.connect(database) as connection:
            connection.execute("PRAGMA user_version = 99")
            connection.execute("UPDATE files SET summary = 'nonsense'")
        connection.close()
        with opened(folder, cache) as again:
            assert again.outcome is not None
            assert again.outcome.read == 3
            assert GET in seen(again, folder)


class TestOpenDocuments:
    def test_unsaved_text_wins_over_the_disk(self, workspace: Workspace, folder: Path):
        uri = (folder / "pkg" / "store.py").as_uri()
        workspace.opened(uri, "python", STORE)
        workspace.changed(uri, STORE.replace("get", "take"))
        assert workspace.wait(PATIENCE_S)
        assert "def take" in seen(workspace, folder)
        assert "def get" not in seen(workspace, folder)
        workspace.closed(uri)
        assert "def get" in seen(workspace, folder)

    def test_an_open_document_never_contributes_its_file(self, workspace: Workspace, folder: Path):
        uri = (folder / "pkg" / "store.py").as_uri()
        assert GET in seen(workspace, folder)
        workspace.opened(uri, "python", "")
        assert GET not in seen(workspace, folder)  # even before the text was read
        assert workspace.wait(PATIENCE_S)
        assert seen(workspace, folder) == ""

    def test_another_text_is_found_without_waiting_once_it_was_asked_for(
        self, workspace: Workspace, folder: Path
    ):
        uri = (folder / "pkg" / "store.py").as_uri()
        workspace.opened(uri, "python", STORE)
        assert workspace.wait(PATIENCE_S)
        workspace.changed(uri, STORE.replace("get", "take"))
        wait_until(lambda: "def take" in seen(workspace, folder))

    def test_a_document_that_git_ignores_contributes_nothing(self, workspace: Workspace, folder: Path):
        write(folder, {".gitignore": "pkg/local.py\n", "pkg/local.py": "def f(): ..."})
        settle(workspace)
        workspace.opened((folder / "pkg" / "local.py").as_uri(), "python", "def f(): ...")
        assert workspace.wait(PATIENCE_S)
        assert seen(workspace, folder, "from pkg.local import f\nf(‸") == ""

    def test_a_document_outside_of_the_folders_uses_the_index_by_no_relative_import(
        self, workspace: Workspace, tmp_path: Path
    ):
        drawn = "from .work.pkg.store import Store\nStore(‸"
        assert texts(workspace, tmp_path / "outside.py", drawn) == ""


SECRET_FILES = {
    "secret/__init__.py": "",
    "secret/keys.py": "SECRET_KEY = 'abc123'\n",
    "pkg/__init__.py": "from secret.keys import SECRET_KEY\n",
}
SECRET_USE = """
from secret.keys import SECRET_KEY
from pkg import SECRET_KEY as other
print(SECRET_KEY, other, ‸)
"""


class TestSecrets:
    """Bytes of files that are excluded or that git ignores are in no snippet."""

    @pytest.mark.parametrize("ignore", [".gitignore", ".copilotignore", None])
    def test_an_excluded_file_is_never_in_the_index(self, tmp_path: Path, cache: Path, ignore: str | None):
        folder = tmp_path / "work"
        ignores = {ignore: "secret/\n"} if ignore else {}
        repository(folder, {**ignores, **SECRET_FILES})
        with opened(folder, cache, () if ignore else ("keys.py",)) as workspace:
            assert "abc123" not in seen(workspace, folder, SECRET_USE)
        assert b"abc123" not in b"".join(path.read_bytes() for path in cache.iterdir())

    def test_the_same_file_is_there_if_it_is_not_excluded(self, tmp_path: Path, cache: Path):
        folder = repository(tmp_path / "work", SECRET_FILES)
        with opened(folder, cache) as workspace:
            assert "abc123" in seen(workspace, folder, SECRET_USE)
            assert any(b"abc123" in path.read_bytes() for path in cache.iterdir())

    def test_a_file_excluded_after_it_was_indexed_is_given_no_more(self, tmp_path: Path, cache: Path):
        folder = repository(tmp_path / "work", SECRET_FILES)
        with opened(folder, cache) as workspace:
            assert "abc123" in seen(workspace, folder, SECRET_USE)
            write(folder, {".copilotignore": "secret/\n"})
            assert "abc123" not in seen(workspace, folder, SECRET_USE)
            settle(workspace)
        with opened(folder, cache):
            pass
        (database,) = cache.glob("*.sqlite3")
        with sqlite3.connect(database) as connection:
            assert connection.execute(
                "SELECT count(*) FROM files WHERE summary LIKE '%abc123%'"
            ).fetchone() == (0,)
        connection.close()

    def test_an_excluded_document_that_is_open_contributes_nothing(self, tmp_path: Path, cache: Path):
        folder = repository(tmp_path / "work", SECRET_FILES)
        with opened(folder, cache, ("keys.py",)) as workspace:
            workspace.opened((folder / "secret" / "keys.py").as_uri(), "python", "SECRET_KEY = 'abc123'")
            assert workspace.wait(PATIENCE_S)
            assert "abc123" not in seen(workspace, folder, SECRET_USE)

    def test_the_index_is_for_its_user_alone(self, workspace: Workspace, cache: Path):
        assert workspace.outcome is not None
        assert cache.stat().st_mode & 0o077 == 0
        assert all(path.stat().st_mode & 0o077 == 0 for path in cache.iterdir())


ANSWER = "def answer(a: int, b: int) -> int: ..."
ANSWERS = {
    "pkg/__init__.py": "from .part import answer\n",
    "pkg/part.py": ANSWER,
    "pkg/copy.py": ANSWER,
    "pkg/part.pyi": ANSWER,
}


class TestLeaks:
    """What is to be completed is on the disk, and must not be found there."""

    def test_the_documents_own_file_contributes_nothing(self, tmp_path: Path, cache: Path):
        folder = repository(tmp_path / "work", ANSWERS)
        drawn = "from pkg import answer\nanswer(‸"
        with opened(folder, cache) as workspace:
            assert texts(workspace, folder / "pkg" / "part.py", drawn) == ""
            assert texts(workspace, folder / "pkg" / "user.py", drawn) == ANSWER

    def test_the_documents_own_file_by_another_name(self, tmp_path: Path, cache: Path):
        folder = repository(tmp_path / "work", ANSWERS)
        (tmp_path / "link").symlink_to(folder)
        drawn = "from pkg import answer\nanswer(‸"
        with opened(tmp_path / "link", cache) as workspace:
            assert texts(workspace, tmp_path / "link" / "pkg" / "part.py", drawn) == ""
            assert texts(workspace, folder / "pkg" / "part.py", drawn) == ""
            assert texts(workspace, folder / "pkg" / "user.py", drawn) == ANSWER

    def test_hidden_files_contribute_nothing(self, tmp_path: Path, cache: Path):
        folder = repository(tmp_path / "work", ANSWERS)
        drawn = "from pkg.copy import answer\nanswer(‸"
        with opened(folder, cache) as workspace:
            assert texts(workspace, folder / "pkg" / "part.py", drawn) == ANSWER
            workspace.hide([folder / "pkg" / "copy.py"])
            assert texts(workspace, folder / "pkg" / "part.py", drawn) == ""
            workspace.opened((folder / "pkg" / "copy.py").as_uri(), "python", ANSWER)
            assert workspace.wait(PATIENCE_S)
            assert texts(workspace, folder / "pkg" / "part.py", drawn) == ""
            workspace.hide([])
            assert texts(workspace, folder / "pkg" / "part.py", drawn) == ANSWER


class TestHostileFolders:
    def test_links_are_not_followed(self, tmp_path: Path, cache: Path):
        outside = tmp_path / "outside"
        write(outside, {"__init__.py": "", "a.py": "def outside(): ..."})
        folder = repository(tmp_path / "work", FILES)
        (folder / "loop").symlink_to(folder)
        (folder / "linked").symlink_to(outside)
        (folder / "pkg" / "one.py").symlink_to(outside / "a.py")
        (folder / "pkg" / "circle.py").symlink_to(folder / "pkg" / "circle.py")
        with opened(folder, cache) as workspace:
            assert seen(workspace, folder, "from linked.a import outside\noutside(‸") == ""
            assert seen(workspace, folder, "from pkg.one import outside\noutside(‸") == ""
            assert seen(workspace, folder, "from loop.pkg.store import Store\nStore(‸") == ""
            assert GET in seen(workspace, folder)
            assert workspace.outcome is not None
            assert workspace.outcome.files == 3

    def test_a_tracked_folder_that_became_a_link(self, tmp_path: Path, cache: Path):
        folder = repository(tmp_path / "work", FILES)
        (folder / "pkg").rename(tmp_path / "outside")
        (folder / "pkg").symlink_to(tmp_path / "outside")
        with opened(folder, cache) as workspace:
            assert seen(workspace, folder) == ""

    def test_binary_huge_and_broken_files_are_left_out_or_read_as_far_as_possible(
        self, tmp_path: Path, cache: Path
    ):
        folder = repository(tmp_path / "work", FILES)
        (folder / "pkg" / "binary.py").write_bytes(b"def f(): ...\n\0\xff")
        (folder / "pkg" / "latin.py").write_bytes("# Gr\u00fc\u00dfe\ndef f(a): ...\n".encode("latin-1"))
        write(
            folder,
            {"pkg/huge.py": "def f(): ...\n" + "#" * MAX_BYTES, "pkg/broken.py": "def f(b): ...\nclass (:\n"},
        )
        os.mkfifo(folder / "pkg" / "pipe.py")
        with opened(folder, cache) as workspace:
            found = {
                name: seen(workspace, folder, f"from pkg.{name} import f\nf(‸")
                for name in ("binary", "huge", "latin", "broken", "pipe")
            }
        assert found == {
            "binary": "",
            "huge": "",
            "latin": "def f(a): ...",
            "broken": "def f(b): ...",
            "pipe": "",
        }

    def test_a_file_that_ends_the_indexer_is_left_out(
        self, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ):
        # A file that takes a few hundred times as long as the others, in processor time.
        slow = "".join(f"def f{number}(a: int = {number}): ...\n" for number in range(8_000))
        folder = repository(tmp_path / "work", FILES | {"a.py": slow})
        monkeypatch.setattr(indexing, "FILE_CPU_S", 0.03)
        with opened(folder, cache) as workspace:
            assert GET in seen(workspace, folder)
            assert seen(workspace, folder, "from a import f7\nf7(‸") == ""
        assert "A file has ended the indexer" in caplog.text

    def test_the_same_file_is_read_if_there_is_time(self, tmp_path: Path, cache: Path):
        folder = repository(tmp_path / "work", FILES | {"a.py": "def f7(a: int = 7): ...\n" * 8_000})
        with opened(folder, cache) as workspace:
            assert seen(workspace, folder, "from a import f7\nf7(‸") == "def f7(a: int = 7): ..."

    def test_a_repository_runs_no_programs(self, tmp_path: Path, cache: Path):
        folder = repository(tmp_path / "work", FILES)
        program = tmp_path / "program.sh"
        program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        program.chmod(0o755)
        git(folder, "config", "core.fsmonitor", str(program))
        with opened(folder, cache) as workspace:
            assert GET in seen(workspace, folder)
            assert not (tmp_path / "ran").exists()
        git(folder, "ls-files", "--others")  # git alone runs it
        assert (tmp_path / "ran").exists()

    def test_modules_in_the_folder_are_not_imported_by_the_indexer(self, tmp_path: Path, cache: Path):
        evil = f"open({str(tmp_path / 'ran')!r}, 'w')\n"
        names = ("json", "sqlite3", "pathspec", "copilot_server", "tree_sitter")
        folder = repository(tmp_path / "work", FILES | {f"{name}.py": evil for name in names})
        code = (
            "import sys; from pathlib import Path; sys.path.remove('') if '' in sys.path else None\n"
            "from copilot_server.context.exclusion import Exclusions\n"
            "from copilot_server.workspace.workspace import Workspace\n"
            "w = Workspace([Path(sys.argv[1])], Exclusions(), Path(sys.argv[2])); w.start()\n"
            "print(w.wait(300)); w.close()"
        )
        command = [sys.executable, "-P", "-c", code, str(folder), str(cache)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        assert done.stdout == "True\n"
        assert not (tmp_path / "ran").exists()


class TestLife:
    def test_closing_ends_the_process_that_indexes(self, tmp_path: Path, cache: Path):
        folder = repository(tmp_path / "work", {f"m{number}.py": STORE for number in range(500)})
        workspace = Workspace([folder], Exclusions(), cache)
        workspace.start()
        workspace.close()
        assert not workspace.wait(PATIENCE_S)
        assert [one for one in threading.enumerate() if one.name == "workspace"] == []
        workspace.close()

    def test_two_servers_share_an_index(self, folder: Path, cache: Path):
        with opened(folder, cache) as one, opened(folder, cache) as other:
            write(folder, {"pkg/store.py": STORE.replace("get", "take")})
            settle(other)
            assert "def take" in seen(one, folder)
            assert len(list(cache.glob("*.sqlite3"))) == 1

    def test_a_folder_that_does_not_exist_has_an_empty_index(self, tmp_path: Path, cache: Path):
        with opened(tmp_path / "none", cache) as workspace:
            assert seen(workspace, tmp_path / "none") == ""

    def test_no_folders_at_all(self, cache: Path):
        workspace = Workspace([], Exclusions(), cache)
        workspace.start()
        assert workspace.wait(PATIENCE_S)
        cursor = cursor_at(Path("/x.py"), USE)
        untitled = Document("untitled:1", "python", cursor.document.text)
        assert workspace.snippets(cursor) == workspace.snippets(Cursor(untitled, cursor.offset)) == ()
        workspace.close()

    def test_a_document_without_a_file_uses_the_first_folder(self, workspace: Workspace):
        cursor = cursor_at(Path("/x.py"), USE)
        untitled = Document("untitled:1", "python", cursor.document.text)
        assert GET in workspace.snippets(Cursor(untitled, cursor.offset))[0].text

    def test_other_languages_have_no_snippets(self, workspace: Workspace, folder: Path):
        assert workspace.snippets(cursor_at(folder / "main.js", USE, "javascript")) == ()

    @pytest.mark.parametrize(
        "uri", ["untitled:Untitled-1", "file:///", "nonsense", "http://[", "file:///%00"]
    )
    def test_odd_documents_are_served_without_an_error(self, workspace: Workspace, uri: str):
        workspace.opened(uri, "python", STORE)
        workspace.changed(uri, STORE)
        cursor = cursor_at(Path("/x"), USE)
        document = Document(uri, "python", cursor.document.text)
        assert isinstance(workspace.snippets(Cursor(document, cursor.offset)), tuple)
        workspace.closed(uri)


@pytest.mark.slow
def test_ten_thousand_files_are_indexed_and_found(tmp_path: Path, cache: Path):
    files = {
        f"pkg{number // 100}/m{number}.py": f"def function_{number}(a: int) -> str:\n    return ''\n"
        for number in range(10_000)
    }
    packages = {f"pkg{number}/__init__.py": "" for number in range(100)}
    folder = tmp_path / "work"
    write(folder, files | packages)
    git(folder, "init", "-q")
    with opened(folder, cache) as workspace:
        assert workspace.outcome is not None
        assert workspace.outcome.files == 10_100
        drawn = "from pkg42.m4242 import function_4242\nfunction_4242(‸"
        assert "def function_4242(a: int) -> str: ..." in seen(workspace, folder, drawn)
