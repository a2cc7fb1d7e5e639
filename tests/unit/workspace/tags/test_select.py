"""What is selected from other files at a cursor, in every language, and what stays while somebody types."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from copilot_server.context.document import Cursor, Document
from copilot_server.workspace.python.document import SplitText
from copilot_server.workspace.select import Limits
from copilot_server.workspace.tags.document import read_around
from copilot_server.workspace.tags.languages import FAMILIES
from copilot_server.workspace.tags.select import select_on_line, select_stable
from copilot_server.workspace.types import Snippet
from tests.support.cursor_text import cursor_in
from tests.support.language_projects import PROJECTS, Project
from tests.support.memory_files import MemoryFiles

LIMITS = Limits()
PLACES = {
    f"{language}: {what}": (project, place)
    for language, project in PROJECTS.items()
    for what, place in project.places.items()
}


def snippets(
    files: MemoryFiles, project: Project, cursor: Cursor, limits: Limits = LIMITS
) -> tuple[Snippet, ...]:
    split, path = SplitText.at(cursor), f"/w/{project.document}"
    selected = select_stable(split, read_around(split, FAMILIES[project.language_id]), files, path, limits)
    return (*selected.snippets, *select_on_line(split, selected, files, path, limits))


@pytest.mark.parametrize("place", PLACES)
def test_what_helps_is_selected_within_the_limits(place: str):
    project, drawn = PLACES[place]
    found = snippets(MemoryFiles(project.files), project, cursor_in(drawn.drawn))
    text = "\n".join(one.text for one in found)
    assert [head for head in drawn.heads if head not in text] == []
    assert len(text) <= LIMITS.total + len(found)
    assert len({(one.path, one.text) for one in found}) == len(found)


@pytest.mark.parametrize("place", PLACES)
def test_a_threshold_above_every_score_leaves_nothing(place: str):
    project, drawn = PLACES[place]
    assert snippets(MemoryFiles(project.files), project, cursor_in(drawn.drawn), Limits(threshold=9.0)) == ()


@pytest.mark.parametrize("place", PLACES)
def test_every_cursor_in_every_beginning_is_served(place: str):
    project, drawn = PLACES[place]
    files = MemoryFiles(project.files)
    text = drawn.drawn.replace("‸", "")
    for end in range(0, len(text), 7):
        cursor = Cursor(Document("", project.language_id, text[:end]), end)
        assert isinstance(snippets(files, project, cursor), tuple)
        cursor = Cursor(Document("", project.language_id, text), end)
        assert isinstance(snippets(files, project, cursor), tuple)


@pytest.mark.parametrize("place", PLACES)
def test_while_a_line_is_typed_the_stable_snippets_stay_and_others_are_added_at_the_end(place: str):
    project, drawn = PLACES[place]
    files = MemoryFiles(project.files)
    before, _, after = drawn.drawn.partition("‸")
    start = before.rfind("\n") + 1
    indent = len(before[start:]) - len(before[start:].lstrip())
    expected = None
    for end in range(start + indent + 1, len(before) + 1):
        found = snippets(files, project, Cursor(Document("", project.language_id, before[:end] + after), end))
        stable = tuple(one for one in found if one.is_stable)
        assert found[: len(stable)] == stable
        assert expected is None or stable == expected
        expected = stable


def of(files: Mapping[str, str], path: str, language_id: str, drawn: str) -> list[str]:
    project = Project(language_id, path, files, {}, ("", "", ""))
    return [one.text for one in snippets(MemoryFiles(files), project, cursor_in(drawn))]


FILES = {
    "a.ts": "export function loadThing(a: string): void {}\nfunction hiddenThing(a: number) {}\n",
    "b.ts": "export function both(a: string): void {}\nexport function run(): void {}\n",
    "c.ts": "export function both(a: number): void {}\n",
}


class TestCertainty:
    def test_a_name_that_only_one_file_exports_is_selected_where_it_is_called(self):
        assert of(FILES, "m.ts", "typescript", "loadThing(‸") != []

    def test_a_name_that_two_files_define_is_not(self):
        assert of(FILES, "m.ts", "typescript", "both(‸") == []
        assert of(FILES, "m.ts", "typescript", "import { both } from './c';\n\nboth(‸") == [
            "export function both(a: number): void"
        ]

    def test_what_is_not_exported_or_very_short_is_not(self):
        assert of(FILES, "m.ts", "typescript", "hiddenThing(‸") == []
        assert of(FILES, "m.ts", "typescript", "run(‸") == []

    def test_what_the_document_defines_itself_is_not(self):
        drawn = "function loadThing(mine: boolean) {}\n\nloadThing(‸"
        assert of(FILES, "m.ts", "typescript", drawn) == []

    def test_what_another_package_exports_is_not(self):
        drawn = "import { loadThing } from 'library';\n\nloadThing(‸"
        assert of(FILES, "m.ts", "typescript", drawn) == []

    def test_a_method_that_only_one_class_has_is_selected_where_it_is_called(self):
        files = {"a.ts": "export class Cart { addItem(name: string): void {} toString(): string {} }\n"}
        assert of(files, "m.ts", "typescript", "x.addItem(‸") == [
            "export class Cart {\n    addItem(name: string): void;\n}"
        ]
        assert of(files, "m.ts", "typescript", "x.toString(‸") == []

    def test_other_languages_do_not_matter(self):
        assert of(FILES, "m.go", "go", "package a\n\nfunc main() {\n\tloadThing(‸\n}\n") == []

    def test_comments_and_strings_name_nothing(self):
        assert of(FILES, "m.ts", "typescript", "// loadThing(\nf('loadThing(', ‸") == []


def test_the_documents_own_file_is_not_selected():
    files = {"a.ts": "export function loadThing(a: string): void {}\n"}
    assert of(files, "a.ts", "typescript", "loadThing(‸") == []


def test_methods_in_excluded_files_are_not_put_into_their_class():
    project = PROJECTS["go"]
    files = MemoryFiles(project.files)
    cursor = cursor_in(project.places["methods in another file of the package"].drawn)
    assert "Find(" in "".join(one.text for one in snippets(files, project, cursor))
    files.excluded.add("/w/store/query.go")
    found = "".join(one.text for one in snippets(files, project, cursor))
    assert "Find(" not in found
    assert "type Store struct" in found
