"""Why there is no suggestion: one code for each reason, which editors act on, and the message that they show.

A message is a sentence that is true by itself: many editors show nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from copilot_server.completion.types import Completion
from copilot_server.errors import ConsentError, CopilotServerError
from copilot_server.shown import shown

#: ``docs/protocol.md`` says what each of them means.
Code = Literal[
    "off",
    "snoozed",
    "manual",
    "language",
    "excluded",
    "loading",
    "consent",
    "engine",
    "unlikely",
    "missing",
    "rejected",
    "filtered",
    "nothing",
]
#: What may become of a request that the model has answered, or is not worth asking.
_OF_SUGGESTIONS: frozenset[Code] = frozenset({"unlikely", "missing", "rejected", "filtered", "nothing"})


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a request was answered with nothing, or why nothing is suggested in a document.

    ``percent``: how much of a download is done, where that is known.
    """

    code: Code
    message: str
    percent: int | None = None

    @property
    def is_of_suggestion(self) -> bool:
        """Whether suggestions are wanted there, and the model is ready: there was just none to show."""
        return self.code in _OF_SUGGESTIONS

    def params(self) -> dict[str, object]:
        """Give the answer of ``copilotServer/whyNothing``, with untrusted names as ``shown`` shows them."""
        return {"code": self.code, "message": shown(self.message), "percent": self.percent}


OFF = Reason("off", "Suggestions are off.")
MANUAL = Reason("manual", "Suggestions come only when you ask for one.")
REJECTED = Reason("rejected", "You did not want the suggestion here.")
FILTERED = Reason("filtered", "The model wrote something here, but nothing of it is worth showing.")
NOTHING = Reason("nothing", "The model has nothing to suggest here.")
#: The model is not asked there while the user types (``completion.gate``).
NOT_WORTHWHILE = Reason(
    "nothing", "While you type, nothing is suggested within a word or before code, nor in an empty document."
)


def snoozed(until: str) -> Reason:
    """Suggestions are snoozed until a time."""
    return Reason("snoozed", f"Suggestions are snoozed until {until}, unless you ask for one.")


def language(language_id: str) -> Reason:
    """Suggestions are off for a language."""
    return Reason("language", f"Suggestions are off for {language_id}, unless you ask for one.")


def excluded(why: str) -> Reason:
    """The model must not see the document; ``why`` is a sentence."""
    return Reason("excluded", why)


def loading(message: str, percent: int | None) -> Reason:
    """The model is being fetched or loaded; ``message`` says how far that has come."""
    done = "" if percent is None else f" ({percent} %)"
    return Reason("loading", f"The model is not ready yet. {message}{done}", percent)


def failed(error: CopilotServerError) -> Reason:
    """There is no model, or it could not finish."""
    return Reason("consent" if isinstance(error, ConsentError) else "engine", str(error))


def of_completion(completion: Completion, eagerness: str) -> Reason:
    """Say why a completion has no candidates."""
    if completion.withheld:
        message = f"The suggestion here is not likely enough to be right (eagerness: {eagerness})."
        return Reason("unlikely", message)
    if completion.missing:
        return Reason(
            "missing", f"The suggestion here uses a name that does not exist: {completion.missing}."
        )
    return FILTERED if completion.has_written else NOTHING
