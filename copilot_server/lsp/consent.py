"""Whether a model may be fetched: the user is asked first, one question at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from copilot_server.lsp.client import Client
from copilot_server.lsp.tasks import BackgroundTasks

FETCH, NOT_NOW = "Fetch", "Not now"


@dataclass(frozen=True, slots=True)
class _Question:
    """``model``: as the settings name it. ``text``: what the user reads."""

    model: str
    text: str


class Consent:
    """What the user has answered in this session, by the model that the settings name, which may be ``auto``.

    Whatever is not "Fetch" counts as "Not now": an error, no choice, and an editor that knows no questions.
    """

    def __init__(self, client: Client, background: BackgroundTasks, on_agreed: Callable[[], None]) -> None:
        """``on_agreed``: called when the user has agreed to fetching a model."""
        self._client = client
        self._background = background
        self._on_agreed = on_agreed
        self._answers: dict[str, bool] = {}
        #: The question that the editor shows, and one that is to be asked after it.
        self._open: _Question | None = None
        self._next: _Question | None = None

    def allows(self, model: str, *, unasked: bool) -> bool:
        """Whether a model may be fetched; ``unasked``: whether it may where the user has answered nothing."""
        return self._answers.get(model, unasked)

    def is_asking(self, model: str) -> bool:
        """Whether an answer about a model is awaited."""
        return self._open is not None and self._open.model == model and not self._answers.get(model)

    def agree(self, model: str) -> None:
        """Take note that the user wants a model to be fetched."""
        self._answers[model] = True
        self._on_agreed()

    def decline(self, model: str) -> None:
        """Take note that the user does not want a model to be fetched now."""
        self._answers[model] = False

    def forget(self) -> None:
        """Forget all answers: the user has chosen another model."""
        self._answers.clear()

    def ask(self, model: str, question: str, *, again: bool = False) -> None:
        """Ask whether a model may be fetched, unless the user was asked; ``again``: even then.

        Nothing waits for the answer. Where another question is open, this one follows it.
        """
        answer = self._answers.get(model)
        if answer:
            self._on_agreed()
        elif (answer is None or again) and not self.is_asking(model):
            self._next = _Question(model, question)
            if self._open is None:
                self._background.start(self._ask())

    async def _ask(self) -> None:
        while self._next is not None:
            self._open, self._next = self._next, None
            model = self._open.model
            try:
                answer = await self._client.ask(self._open.text, (FETCH, NOT_NOW))
            finally:
                self._open = None
            if self._answers.get(model):
                continue  # the request to fetch it has come meanwhile
            if answer == FETCH:
                self.agree(model)
            else:
                self.decline(model)
