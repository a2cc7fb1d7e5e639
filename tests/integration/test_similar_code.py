"""Similar code in real folders, indexed by a real process, in several languages."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from copilot_server.workspace.similar import store
from tests.support.patience import PATIENCE_S
from tests.support.similar_code import BEGUN, CODE, filler
from tests.support.workspaces import cursor_at, opened, repository, texts, write

USE = BEGUN + "    ‸\n"
NEXT = "parsed = parse_manifest(content)"
FILES = {f"filler{number}.py": filler(number) for number in range(20)}

GO = """func loadManifest(path string) (*Manifest, error) {
	archive, err := openArchive(path)
	if err != nil {
		return nil, err
	}
	return parseManifest(archive.member(manifestName))
}
"""
GO_USE = """func readManifest(path string) (*Manifest, error) {
	archive, err := openArchive(path)
	if err != nil {
		return nil, err
	}
	‸
}
"""
LUA = """local function load_manifest(path)
  local archive = open_archive(path)
  local content = archive:read_member(manifest_name)
  return parse_manifest(content)
end
"""
LUA_USE = """local function read_manifest(path)
  local archive = open_archive(path)
  local content = archive:read_member(manifest_name)
  ‸
end
"""


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def indexed_windows(cache: Path) -> int:
    """Return how many windows with a name of the similar code the index has."""
    (database,) = cache.glob("*.sqlite3")
    with closing(sqlite3.connect(database)) as connection:
        return len(store.windows_with(connection, "pyparsemanifest", 99))


def test_code_like_that_above_the_cursor_is_found_with_what_follows(tmp_path: Path, cache: Path):
    folder = repository(tmp_path / "work", {**FILES, "pkg/similar.py": CODE})
    with opened(folder, cache) as workspace:
        (snippet,) = workspace.snippets(cursor_at(folder / "main.py", USE))
        assert (snippet.path, snippet.kind, snippet.is_stable) == ("pkg/similar.py", "similar", True)
        assert NEXT in snippet.text
        typed = USE.replace("‸", "anything = typed(‸")
        assert workspace.snippets(cursor_at(folder / "main.py", typed)) == (snippet,)


@pytest.mark.parametrize("case", [("b.go", "go", GO, GO_USE), ("b.lua", "lua", LUA, LUA_USE)])
def test_in_other_languages(tmp_path: Path, cache: Path, case: tuple[str, str, str, str]):
    name, language, code, use = case
    folder = repository(tmp_path / "work", {**FILES, name: code, "similar.txt": code})
    with opened(folder, cache) as workspace:
        cursor = cursor_at(folder / f"own{name}", use, language)
        assert [one.path for one in workspace.snippets(cursor) if one.kind == "similar"] == [name]
        python = cursor_at(folder / "own.py", use)
        assert [one.path for one in workspace.snippets(python) if one.kind == "similar"] == []


def test_unsaved_text_wins_and_a_closed_document_counts_as_its_file(tmp_path: Path, cache: Path):
    folder = repository(tmp_path / "work", {**FILES, "similar.py": CODE})
    uri = (folder / "similar.py").as_uri()
    with opened(folder, cache) as workspace:
        workspace.opened(uri, "python", CODE)
        workspace.changed(uri, CODE.replace("parsed", "unsaved"))
        assert workspace.wait(PATIENCE_S)
        assert "unsaved = parse_manifest" in texts(workspace, folder / "main.py", USE)
        workspace.closed(uri)
        assert NEXT in texts(workspace, folder / "main.py", USE)


def test_changed_renamed_and_deleted_files(tmp_path: Path, cache: Path):
    folder = repository(tmp_path / "work", {**FILES, "similar.py": CODE})
    with opened(folder, cache) as workspace:

        def seen(name: str = "main.py") -> str:
            workspace.refresh()
            assert workspace.wait(PATIENCE_S)
            return texts(workspace, folder / name, USE)

        assert NEXT in seen()
        (folder / "similar.py").rename(folder / "renamed.py")
        # The index is stale, and what it has of the old name is the document itself.
        assert texts(workspace, folder / "renamed.py", USE) == ""
        assert NEXT in seen()
        assert seen("renamed.py") == ""
        write(folder, {"renamed.py": CODE.replace("parsed", "changed")})
        assert "changed = parse_manifest" in seen()
        (folder / "renamed.py").unlink()
        assert texts(workspace, folder / "other.py", USE) == ""
        assert seen() == ""


@pytest.mark.parametrize("ignore", [".gitignore", ".copilotignore", None])
def test_bytes_of_an_excluded_file_are_nowhere(tmp_path: Path, cache: Path, ignore: str | None):
    ignores = {ignore: "secret/\n"} if ignore else {}
    folder = repository(tmp_path / "work", {**ignores, **FILES, "secret/similar.py": CODE})
    with opened(folder, cache, () if ignore else ("similar.py",)) as workspace:
        workspace.opened((folder / "secret" / "similar.py").as_uri(), "python", CODE)
        assert workspace.wait(PATIENCE_S)
        assert texts(workspace, folder / "main.py", USE) == ""
    assert indexed_windows(cache) == 0


def test_the_same_file_is_there_if_it_is_not_excluded(tmp_path: Path, cache: Path):
    folder = repository(tmp_path / "work", {**FILES, "secret/similar.py": CODE})
    with opened(folder, cache) as workspace:
        assert NEXT in texts(workspace, folder / "main.py", USE)
        assert indexed_windows(cache) == 1
        write(folder, {".copilotignore": "secret/\n"})
        assert texts(workspace, folder / "main.py", USE) == ""


def test_the_answer_is_not_found_in_the_documents_own_file_nor_in_a_hidden_copy(tmp_path: Path, cache: Path):
    folder = repository(tmp_path / "work", {**FILES, "own.py": BEGUN + f"    {NEXT}\n", "copy.py": CODE})
    with opened(folder, cache) as workspace:
        assert NEXT in texts(workspace, folder / "own.py", USE)  # from the copy
        workspace.hide([folder / "copy.py"])
        assert texts(workspace, folder / "own.py", USE) == ""
