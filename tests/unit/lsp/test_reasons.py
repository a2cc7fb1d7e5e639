"""Why there is no suggestion, as editors show it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from copilot_server.completion.types import Completion
from copilot_server.errors import EngineError
from copilot_server.lsp import reasons

EMPTY = Completion((), "model", "fim")


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
