"""The tasks that are drawn from a repository."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from copilot_server.errors import ConfigError
from copilot_server.evaluation.repository.files import Repository, open_repository
from copilot_server.evaluation.repository.tasks import MAX_PER_FILE, check_kinds, draw_tasks, make_task
from copilot_server.evaluation.repository.types import KINDS, Hole
from tests.support.repositories import commit, source

LIBRARY = "def area(shape, unit=1):\n    return shape * unit\n"
USER = '''from library import area


def total(shapes, unit):
    """Add up all areas."""
    result = 0
    for shape in shapes:
        result += area(shape, unit=unit)
        result += offset(shape)
    return result


def report{n}(shapes):
    value = area(shapes[0], unit=3)
    if value > limit:
        raise ValueError("too large")
    return value + area(shapes[1], unit={n})
'''


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    users = {f"user{n}.py": USER.replace("{n}", str(n)) for n in range(4)}
    commit(tmp_path, {"library.py": LIBRARY, **users})
    return open_repository(tmp_path, (), since=None, seed=0)


def test_every_kind_is_drawn_from_several_files(repository: Repository):
    tasks = draw_tasks(repository, KINDS, limit=4, seed=0)
    assert Counter(task.kind for task in tasks) == dict.fromkeys(KINDS, 4)
    for kind in KINDS:
        paths = [task.path for task in tasks if task.kind == kind]
        assert len(set(paths)) == 4, "one from each file comes before a second from any"


def test_the_same_seed_draws_the_same(repository: Repository):
    drawn = draw_tasks(repository, KINDS, limit=5, seed=0)
    assert draw_tasks(repository, KINDS, limit=5, seed=0) == drawn
    assert draw_tasks(repository, KINDS, limit=5, seed=1) != drawn


def test_a_larger_limit_only_adds(repository: Repository):
    few, many = (draw_tasks(repository, ["any-line"], limit=limit, seed=0) for limit in (3, 11))
    assert many[:3] == few
    assert len(many) == 11


def test_another_kind_changes_nothing(repository: Repository):
    alone = draw_tasks(repository, ["block"], limit=4, seed=0)
    assert [task for task in draw_tasks(repository, KINDS, limit=4, seed=0) if task.kind == "block"] == alone


def test_a_file_gives_only_a_few_on_different_lines(repository: Repository):
    tasks = draw_tasks(repository, ["any-line"], limit=100, seed=0)
    assert max(Counter(task.path for task in tasks).values()) == MAX_PER_FILE
    assert len({(task.path, task.line) for task in tasks}) == len(tasks)


def test_a_task_puts_the_text_of_the_file_together(repository: Repository):
    for task in draw_tasks(repository, KINDS, limit=20, seed=0):
        assert task.prefix + task.removed + task.suffix == repository.read(task.path)
        cursor = task.cursor
        assert cursor.prefix == task.prefix
        assert cursor.line_suffix.rstrip() == task.kept
        assert task.removed not in cursor.document.text[cursor.offset :][: len(task.removed)]
        assert len("".join(task.expected.split())) >= 3


def test_closers_stay_and_are_not_expected():
    text = "value = area(shapes[0], unit=3)\n"
    task = make_task(source(text), Hole("any-line", "after a word", text.index("unit"), len(text) - 1))
    assert (task.removed, task.kept, task.expected) == ("unit=3)", ")", "unit=3")
    assert task.cursor.document.text == "value = area(shapes[0], )\n"
    assert task.task_id == "a.py:1:24 any-line"


def test_closers_inside_the_line_are_still_written():
    text = "value = area(shapes[0], unit=3) + 1\n"
    task = make_task(source(text), Hole("any-line", "in a word", text.index("pes"), len(text) - 1))
    assert (task.kept, task.expected) == (")", "pes[0], unit=3) + 1")


def test_a_block_keeps_no_closers():
    text = "if f(x):\n    g()\n    h()\n"
    task = make_task(source(text), Hole("block", "after its header", 13, len(text) - 1))
    assert (task.kept, task.expected, task.rest_of_line) == ("", "g()\n    h()", "g()")


def test_kinds_by_their_names():
    assert check_kinds(()) == KINDS
    assert check_kinds(["block", "any-line"]) == ("any-line", "block")
    with pytest.raises(ConfigError, match=r"no variant 'word'. Known: cross-file"):
        check_kinds(["word"])
