"""How a prompt shows code of other files."""

from __future__ import annotations

import pytest

from copilot_server.completion.cross_file import show_snippets
from copilot_server.workspace.types import Snippet

STORE = Snippet(
    "app/store.py", "class Store:\n    path: Path\n\n    def get(self, key: str) -> bytes: ...", 2.0
)
CLOSE = Snippet("app/files.py", "def close(file: File) -> None: ...", 1.0)


def words(text: str) -> int:
    return len(text.split())


def test_a_snippet_is_a_comment_below_its_path():
    assert show_snippets((STORE,), "python", 100, words) == (
        "# app/store.py\n# class Store:\n#     path: Path\n#\n#     def get(self, key: str) -> bytes: ...\n\n"
    )


@pytest.mark.parametrize(
    ("language", "sign"), [("python", "#"), ("typescript", "//"), ("lua", "--"), ("ruby", "#")]
)
def test_comments_begin_as_the_language_has_them(language: str, sign: str):
    shown = show_snippets((CLOSE,), language, 100, words)
    assert shown == f"{sign} app/files.py\n{sign} def close(file: File) -> None: ...\n\n"


@pytest.mark.parametrize("language", ["html", "css", "plaintext", "a language nobody knows"])
def test_a_language_without_line_comments_gets_nothing(language: str):
    assert show_snippets((STORE, CLOSE), language, 100, words) == ""


def test_without_snippets_there_is_nothing():
    assert show_snippets((), "python", 100, words) == ""


def test_snippets_that_do_not_fit_are_left_out_with_all_that_follow():
    whole = show_snippets((CLOSE, STORE, CLOSE), "python", 1000, words)
    assert whole.count("# app/files.py") == 2
    assert (
        show_snippets((CLOSE, STORE, CLOSE), "python", words(whole) - 1, words)
        == whole.rpartition("# app/files.py")[0] + "\n"
    )
    assert show_snippets((CLOSE, STORE, CLOSE), "python", 12, words).count("# app/files.py") == 1
    assert show_snippets((STORE,), "python", 3, words) == ""


def test_more_snippets_only_add_to_what_is_shown():
    one, both = (show_snippets(given, "python", 100, words) for given in ((STORE,), (STORE, CLOSE)))
    assert both.startswith(one.removesuffix("\n"))
