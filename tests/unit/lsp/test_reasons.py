"""Why there is no suggestion, as editors show it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from copilot_server.completion.types import Completion
from copilot_server.errors import EngineError
from copilot_server.lsp import reasons

EMPTY = Completion((), "model", "fim")
ROOT = Path(__file__).parents[3]
#: States that only Neovim has, and explains itself.
OF_NEOVIM = {"buffer", "file"}


@pytest.mark.parametrize(
    ("completion", "code", "words"),
    [
        (EMPTY, "nothing", "The model has nothing to suggest here."),
        (replace(EMPTY, has_written=True), "filtered", "nothing of it is worth showing"),
        (
            replace(EMPTY, has_written=True, withheld=True),
            "unlikely",
            "likely enough to be right (eagerness: low)",
        ),
        (replace(EMPTY, has_written=True, missing="save"), "missing", "a name that does not exist: save."),
    ],
)
def test_a_completion_without_candidates_says_why(completion: Completion, code: str, words: str) -> None:
    why = reasons.of_completion(completion, "low")
    assert why.code == code
    assert words in why.message
    assert why.is_of_suggestion


def test_what_is_not_about_a_suggestion_is_not_shown_as_ready() -> None:
    others = (reasons.OFF, reasons.MANUAL, reasons.language("go"), reasons.snoozed("12:00"))
    for why in (*others, reasons.excluded("Excluded."), reasons.loading("Loading", None)):
        assert not why.is_of_suggestion


def test_loading_says_how_far_it_has_come_if_that_is_known() -> None:
    assert reasons.loading("Fetching a.gguf", 37).params() == {
        "code": "loading",
        "message": "The model is not ready yet. Fetching a.gguf (37 %)",
        "percent": 37,
    }
    assert reasons.loading("Loading a", None).params() == {
        "code": "loading",
        "message": "The model is not ready yet. Loading a",
        "percent": None,
    }


def test_an_error_keeps_its_remedy() -> None:
    why = reasons.failed(EngineError("Out of memory.", remedy="Take a smaller model."))
    assert (why.code, why.message) == ("engine", "Out of memory. Take a smaller model.")


def test_names_that_somebody_else_chose_are_shown_harmlessly() -> None:
    message = reasons.language("go\x1b]0;title\x07\nmore").params()["message"]
    assert isinstance(message, str)
    assert message.isprintable()
    assert reasons.language("go").params()["message"] == "Suggestions are off for go, unless you ask for one."


def between(file: str, start: str, end: str) -> str:
    """What stands in a file of the repository between two texts, each of which it must have."""
    before, found, after = (ROOT / file).read_text("utf-8").partition(start)
    inner, closed, _ = after.partition(end)
    assert before, file
    assert found, file
    assert closed, file
    return inner


def test_the_documentation_and_both_plugins_know_the_servers_codes_and_no_others() -> None:
    codes = list(get_args(reasons.Code))
    table = between("docs/protocol.md", "| `code` | why there is no suggestion |\n|---|---|\n", "\n\n")
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == codes
    known = between("editors/vscode/src/core/reasons.ts", "const CODES = [", "] as const")
    assert re.findall(r'"(\w+)"', known) == codes
    remedies = between("editors/neovim/lua/copilot_server/reason.lua", "local REMEDIES = {", "\n}")
    with_remedy = set(re.findall(r"^  (\w+) =", remedies, re.MULTILINE))
    assert with_remedy <= OF_NEOVIM | set(codes)
    assert {"off", "consent", "engine"} <= with_remedy


def test_what_neovim_compares_a_code_with_is_one_of_the_servers() -> None:
    lua = "\n".join(file.read_text("utf-8") for file in sorted((ROOT / "editors/neovim").rglob("*.lua")))
    compared = set(re.findall(r"\b(?:code|reason) [=~]= '(\w+)'", lua))
    assert {"snoozed", "manual"} <= compared <= OF_NEOVIM | set(get_args(reasons.Code))
