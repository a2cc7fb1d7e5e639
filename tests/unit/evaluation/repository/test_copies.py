"""Copies of what was taken out: in other files, and in prompts."""

from __future__ import annotations

from pathlib import Path

import pytest

from copilot_server.evaluation.repository.copies import is_leaked, with_copies
from copilot_server.evaluation.repository.files import open_repository
from tests.support.repositories import task_at, write

BEFORE, LINE, AFTER = "width = measure(screen)", "total = width * rows + gap", "return total"
TEXT = f"def f(screen):\n    {BEFORE}\n    total = ‸\n    {AFTER}\n"
TASK = task_at(TEXT, "width * rows + gap")
ORIGINAL = TEXT.replace("‸", TASK.removed)


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        (ORIGINAL, True),
        (f"{BEFORE}\n\n\n{LINE}\n", True),  # with the line above, indented differently
        (f"def g():\n    {LINE}\n    {AFTER}\n", True),  # with the line below
        (f"{LINE}\n", False),  # the same line among others
        (f"{BEFORE}\nother()\n{AFTER}\n", False),
    ],
)
def test_a_file_with_the_line_and_a_neighbour_is_hidden(tmp_path: Path, text: str, hidden: bool):
    write(tmp_path, {"a.py": ORIGINAL, "copy.md": text})
    repository = open_repository(tmp_path, (), since=None, seed=0)
    (task,) = with_copies([TASK], repository)
    assert task.hidden == (("copy.md",) if hidden else ())


@pytest.mark.parametrize("around", ["x = 1\n" * 100_000, "# \u00e9\n"])
def test_large_files_and_other_encodings_hold_copies_too(tmp_path: Path, around: str):
    write(tmp_path, {"a.py": ORIGINAL})
    (tmp_path / "copy.py").write_bytes((around + ORIGINAL).encode("latin-1"))
    repository = open_repository(tmp_path, (), since=None, seed=0)
    assert with_copies([TASK], repository)[0].hidden == ("copy.py",)


BODY = "try:\n        second(argument)\n    finally:\n        close()"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("try:\nsecond(argument)\nother()\n", True),  # its longest line with a neighbour
        ("def f():\n    try:\n        other()\n", False),  # a short first line with one
        ("second(argument)\n", False),
    ],
)
def test_the_longest_line_of_a_body_gives_a_copy_away(tmp_path: Path, text: str, hidden: bool):
    task = task_at("def f():\n    ‸\n", BODY, kind="function-body")
    write(tmp_path, {"a.py": f"def f():\n    {BODY}\n", "b.py": text})
    repository = open_repository(tmp_path, (), since=None, seed=0)
    assert with_copies([task], repository)[0].hidden == (("b.py",) if hidden else ())


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("x = 1\ngo(a)\ny = 2\n", True),
        ("x = 1\ngo(a)\n", False),  # a short line with one neighbour
    ],
)
def test_a_short_line_needs_both_of_its_neighbours(tmp_path: Path, text: str, hidden: bool):
    task = task_at("x = 1\ngo(‸\ny = 2\n", "a)", kept=")")
    write(tmp_path, {"a.py": "x = 1\ngo(a)\ny = 2\n", "b.py": f"first()\n{text}"})
    repository = open_repository(tmp_path, (), since=None, seed=0)
    assert with_copies([task], repository)[0].hidden == (("b.py",) if hidden else ())


class TestPrompts:
    def test_the_document_itself_is_no_leak(self):
        assert not is_leaked(TASK.cursor.document.text, TASK)

    @pytest.mark.parametrize("sign", ["", "# "])
    def test_the_file_in_a_prompt_is_one(self, sign: str):
        quoted = "".join(f"{sign}{line}\n" for line in ORIGINAL.splitlines())
        assert is_leaked(quoted + TASK.cursor.document.text, TASK)

    def test_the_same_line_elsewhere_is_none(self):
        assert not is_leaked(f"# {LINE}\n" + TASK.cursor.document.text, TASK)

    def test_a_copy_in_the_same_document_is_none(self):
        task = task_at(ORIGINAL.replace("def f", "def g") + TEXT, TASK.removed)
        assert not is_leaked(ORIGINAL + task.cursor.document.text, task)
