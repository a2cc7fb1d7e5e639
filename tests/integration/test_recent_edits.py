"""What was edited last in other documents, in real folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from copilot_server.workspace.workspace import Workspace
from tests.support.patience import PATIENCE_S
from tests.support.workspaces import cursor_at, opened, repository, write

FILES = {"a.py": "first = 1\nsecond = 2\nthird = 3\n", "b.py": "", "c.go": "var first = 1\n", "notes.txt": ""}
EDITED = FILES["a.py"].replace("second = 2", "second = compute(2)")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return repository(tmp_path / "work", FILES)


def edited(workspace: Workspace, path: Path, drawn: str = "x = ‸\n", language: str = "python") -> list[str]:
    found = workspace.snippets(cursor_at(path, drawn, language))
    return [one.text for one in found if one.kind == "edited"]


def edit(workspace: Workspace, path: Path, texts: Sequence[str], language: str = "python") -> None:
    workspace.opened(path.as_uri(), language, texts[0])
    for text in texts[1:]:
        workspace.changed(path.as_uri(), text)
    assert workspace.wait(PATIENCE_S)


def test_an_edit_is_shown_in_another_file_until_its_document_is_closed(folder: Path, tmp_path: Path):
    with opened(folder, tmp_path / "cache") as workspace:
        edit(workspace, folder / "a.py", [FILES["a.py"], EDITED])
        (snippet,) = workspace.snippets(cursor_at(folder / "b.py", "x = ‸\n"))
        assert (snippet.path, snippet.text, snippet.kind) == ("a.py", EDITED.strip(), "edited")
        assert edited(workspace, folder / "b.py", "x = compute(‸)\n") == [snippet.text]
        assert edited(workspace, folder / "a.py", EDITED + "‸") == []  # it is there already
        workspace.closed((folder / "a.py").as_uri())
        assert edited(workspace, folder / "b.py") == []


def test_opening_a_document_is_no_edit(folder: Path, tmp_path: Path):
    with opened(folder, tmp_path / "cache") as workspace:
        edit(workspace, folder / "a.py", [EDITED])
        assert edited(workspace, folder / "b.py") == []


def test_edits_of_other_languages_and_other_files_are_not_shown(folder: Path, tmp_path: Path):
    write(tmp_path, {"outside.py": "x = 1\n"})
    with opened(folder, tmp_path / "cache") as workspace:
        edit(workspace, folder / "c.go", ["var first = 1\n", "var first = 2\n"], "go")
        edit(workspace, folder / "notes.txt", ["", "secret"], "plaintext")
        edit(workspace, tmp_path / "outside.py", ["x = 1\n", "x = secret\n"])
        assert edited(workspace, folder / "b.py") == []
        assert edited(workspace, folder / "d.go", "var x = ‸\n", "go") == ["var first = 2"]


@pytest.mark.parametrize("how", [".gitignore", ".copilotignore", "exclude", "later", "hidden"])
def test_bytes_of_an_excluded_document_are_not_shown(tmp_path: Path, how: str):
    ignores = {how: "a.py\n"} if how.startswith(".") else {}
    folder = repository(tmp_path / "work", ignores)
    write(folder, FILES)
    with opened(folder, tmp_path / "cache", ("a.py",) if how == "exclude" else ()) as workspace:
        edit(workspace, folder / "a.py", [FILES["a.py"], EDITED])
        if how in {"later", "hidden"}:
            assert edited(workspace, folder / "b.py") != []
        if how == "later":
            write(folder, {".copilotignore": "a.py\n"})
        elif how == "hidden":
            workspace.hide([folder / "a.py"])
        assert edited(workspace, folder / "b.py") == []
