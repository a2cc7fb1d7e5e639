"""How a prompt shows code of other files."""

from __future__ import annotations

import pytest

from copilot_server.completion.cross_file import CODE_SHARE, SNIPPET_SHARE, show_snippets
from copilot_server.workspace.types import Snippet

STORE = Snippet(
    "app/store.py", "class Store:\n    path: Path\n\n    def get(self, key: str) -> bytes: ...", 2.0
)
CLOSE = Snippet("app/files.py", "def close(file: File) -> None: ...", 1.0)


def words(text: str) -> int:
    return len(text.split())


def test_a_snippet_is_a_comment_below_its_path():
    assert show_snippets((STORE,), "python", 400, words) == (
        "# app/store.py\n# class Store:\n#     path: Path\n#\n#     def get(self, key: str) -> bytes: ...\n\n"
    )


@pytest.mark.parametrize(
    ("language", "sign"), [("python", "#"), ("typescript", "//"), ("lua", "--"), ("ruby", "#")]
)
def test_comments_begin_as_the_language_has_them(language: str, sign: str):
    shown = show_snippets((CLOSE,), language, 400, words)
    assert shown == f"{sign} app/files.py\n{sign} def close(file: File) -> None: ...\n\n"


@pytest.mark.parametrize("language", ["html", "css", "plaintext", "a language nobody knows"])
def test_a_language_without_line_comments_gets_nothing(language: str):
    assert show_snippets((STORE, CLOSE), language, 400, words) == ""


def test_without_snippets_there_is_nothing():
    assert show_snippets((), "python", 400, words) == ""


def budget(room: int, share: float = SNIPPET_SHARE) -> int:
    """Return the least budget of which a share is ``room``."""
    return next(total for total in range(10_000) if int(total * share) >= room)


def test_snippets_that_do_not_fit_are_left_out_with_all_that_follow():
    three = (CLOSE, STORE, CLOSE)
    whole = show_snippets(three, "python", 4000, words)
    assert whole.count("# app/files.py") == 2
    assert show_snippets(three, "python", budget(words(whole)), words) == whole
    less = show_snippets(three, "python", budget(words(whole)) - 1, words)
    assert less == whole.rpartition("# app/files.py")[0] + "\n"
    assert show_snippets(three, "python", budget(12), words).count("# app/files.py") == 1
    assert show_snippets((STORE,), "python", budget(3), words) == ""


def test_code_stands_above_definitions_and_takes_none_of_their_room():
    loop = Snippet("app/loop.py", "for one in many:\n    use(one)", 0.5, kind="similar")
    heads = show_snippets((STORE, CLOSE), "python", 400, words)
    both = show_snippets((STORE, loop, CLOSE), "python", 400, words)
    assert both == "# app/loop.py\n# for one in many:\n#     use(one)\n" + heads
    tight = budget(9, CODE_SHARE)
    assert show_snippets((loop,), "python", tight, words) != ""
    assert show_snippets((loop,), "python", tight - 1, words) == ""
    assert show_snippets((loop, CLOSE), "python", tight - 1, words) == show_snippets(
        (CLOSE,), "python", tight - 1, words
    )


def test_more_snippets_only_add_to_what_is_shown():
    one, both = (show_snippets(given, "python", 400, words) for given in ((STORE,), (STORE, CLOSE)))
    assert both.startswith(one.removesuffix("\n"))
