"""The index of small projects in every language: what is found at a cursor, and how it follows changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from copilot_server.workspace.select import Limits
from copilot_server.workspace.workspace import Workspace
from tests.support.language_projects import GO, PROJECTS, TYPESCRIPT, Place, Project
from tests.support.patience import PATIENCE_S
from tests.support.workspaces import cursor_at, git, opened, repository, write

#: Heads alone: code that is like that at the cursor has tests of its own.
HEADS = Limits(similar=0)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture(params=PROJECTS)
def project(request: pytest.FixtureRequest) -> Project:
    return PROJECTS[request.param]


@pytest.fixture
def folder(tmp_path: Path, project: Project) -> Path:
    return repository(tmp_path / "work", project.files)


@pytest.fixture
def workspace(folder: Path, cache: Path) -> Iterator[Workspace]:
    with opened(folder, cache, limits=HEADS) as workspace:
        yield workspace


def seen(workspace: Workspace, folder: Path, project: Project, place: Place | None = None) -> str:
    drawn = (place or project.place).drawn
    cursor = cursor_at(folder / project.document, drawn, project.language_id)
    return "\n".join(one.text for one in workspace.snippets(cursor))


def settle(workspace: Workspace) -> None:
    workspace.refresh()
    assert workspace.wait(PATIENCE_S)


def test_what_another_file_defines_is_found(workspace: Workspace, folder: Path, project: Project):
    for place in project.places.values():
        text = seen(workspace, folder, project, place)
        assert [head for head in place.heads if head not in text] == []
        assert "SECRET_BODY" not in text


def test_unsaved_text_wins_over_the_disk(workspace: Workspace, folder: Path, project: Project):
    name, old, new = project.changed
    path = folder / name
    text = path.read_text("utf-8")
    workspace.opened(path.as_uri(), project.language_id, text.replace(old, new))
    assert workspace.wait(PATIENCE_S)
    assert new in seen(workspace, folder, project)
    workspace.changed(path.as_uri(), text)
    seen(workspace, folder, project)
    assert workspace.wait(PATIENCE_S)
    assert old in seen(workspace, folder, project)
    workspace.changed(path.as_uri(), "")
    seen(workspace, folder, project)
    assert workspace.wait(PATIENCE_S)
    assert old not in seen(workspace, folder, project)
    workspace.closed(path.as_uri())
    assert old in seen(workspace, folder, project)


def test_changes_renames_and_deletions_on_the_disk(workspace: Workspace, folder: Path, project: Project):
    name, old, new = project.changed
    path = folder / name
    text = path.read_text("utf-8")
    path.write_text(text.replace(old, new), "utf-8")
    settle(workspace)
    assert new in seen(workspace, folder, project)
    assert old not in seen(workspace, folder, project)
    path.unlink()
    settle(workspace)
    assert new not in seen(workspace, folder, project)
    path.write_text(text, "utf-8")
    workspace.refresh([path])
    assert workspace.wait(PATIENCE_S)
    assert old in seen(workspace, folder, project)


def test_a_file_excluded_after_it_was_indexed_is_given_no_more(
    workspace: Workspace, folder: Path, project: Project
):
    name, old, _ = project.changed
    assert old in seen(workspace, folder, project)
    write(folder, {".copilotignore": name})
    assert old not in seen(workspace, folder, project)


def test_hidden_files_and_the_documents_own_file_contribute_nothing(
    workspace: Workspace, folder: Path, project: Project
):
    name, old, _ = project.changed
    own = cursor_at(folder / name, project.place.drawn, project.language_id)
    assert old not in "\n".join(one.text for one in workspace.snippets(own))
    workspace.hide([folder / name])
    assert old not in seen(workspace, folder, project)
    workspace.hide([])
    assert old in seen(workspace, folder, project)


class TestExclusion:
    def test_a_method_in_an_excluded_file_is_not_put_into_its_class(self, tmp_path: Path, cache: Path):
        folder = repository(tmp_path / "work", GO.files)
        place = GO.places["methods in another file of the package"]
        with opened(folder, cache, limits=HEADS) as workspace:
            assert "Find(" in seen(workspace, folder, GO, place)
            write(folder, {".copilotignore": "query.go"})
            # A key later: what is excluded is no reason to select again.
            drawn = Place("\n" + place.drawn, ())
            text = seen(workspace, folder, GO, drawn)
            assert "Find(" not in text
            assert "type Store struct" in text

    def test_a_branch_switch(self, tmp_path: Path, cache: Path):
        folder = repository(tmp_path / "work", TYPESCRIPT.files)
        name, old, new = TYPESCRIPT.changed
        git(folder, "checkout", "-q", "-b", "other")
        write(folder, {name: TYPESCRIPT.files[name].replace(old, new)})
        git(folder, "commit", "-q", "-a", "-m", "second")
        with opened(folder, cache, limits=HEADS) as workspace:
            assert new in seen(workspace, folder, TYPESCRIPT)
            git(folder, "checkout", "-q", "main")
            settle(workspace)
            assert old in seen(workspace, folder, TYPESCRIPT)

    def test_minified_generated_and_binary_files_are_left_out(self, tmp_path: Path, cache: Path):
        files = {
            "hand.ts": "export function byHand(a: string): void {}\n",
            "minified.js": "export function minified(a){}" * 500,
            "generated.go": "// Code generated by x. DO NOT EDIT.\npackage a\nfunc Generated(a int) {}\n",
            "binary.c": "int binary(int a);\n\0",
        }
        folder = repository(tmp_path / "work", files)
        found = {}
        with opened(folder, cache, limits=HEADS) as workspace:
            for name, language_id in {
                "byHand": "typescript",
                "minified": "javascript",
                "Generated": "go",
                "binary": "c",
            }.items():
                cursor = cursor_at(folder / "main", f"x = {name}(‸", language_id)
                found[name] = "".join(one.text for one in workspace.snippets(cursor))
        assert {name for name, text in found.items() if text} == {"byHand"}


@pytest.mark.slow
def test_ten_thousand_files_of_several_languages_are_indexed_and_found(tmp_path: Path, cache: Path):
    bodies = {
        "ts": "export function function{0}(a: string, b: number): string {{\n  return a;\n}}\n",
        "go": "package a\n\nfunc Function{0}(a string, b int) string {{\n\treturn a\n}}\n",
        "rs": "pub fn function{0}(a: &str, b: usize) -> String {{\n    a.into()\n}}\n",
        "java": "class Class{0} {{\n    static String function{0}(String a, int b) {{ return a; }}\n}}\n",
        "h": "int function{0}(const char *a, int b);\n",
    }
    files = {
        f"folder{number // 100}/f{number}.{suffix}": text.format(number)
        for number in range(2_000)
        for suffix, text in bodies.items()
    }
    folder = tmp_path / "work"
    write(folder, files)
    git(folder, "init", "-q")
    with opened(folder, cache, limits=HEADS) as workspace:
        assert workspace.outcome is not None
        assert workspace.outcome.files == 10_000
        drawn = "import { function1234 } from './folder12/f1234';\n\nfunction1234(‸"
        cursor = cursor_at(folder / "main.ts", drawn, "typescript")
        (snippet,) = workspace.snippets(cursor)
        assert snippet.text == "export function function1234(a: string, b: number): string"
