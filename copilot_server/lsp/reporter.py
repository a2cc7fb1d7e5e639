"""What the user is told: the status, why there is no suggestion, and each failure and notice once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from urllib.parse import unquote

from lsprotocol import types

from copilot_server.completion.scheduling.scheduler import Scheduler
from copilot_server.config import AUTO_MODEL
from copilot_server.engine.model_choice.choice import ModelChoice
from copilot_server.errors import ConsentError, CopilotServerError, EngineUnavailableError
from copilot_server.lsp import reasons
from copilot_server.lsp.client import Client
from copilot_server.lsp.examples import Note
from copilot_server.lsp.focus import Focus
from copilot_server.lsp.progress import LoadProgress, show_loading
from copilot_server.lsp.reasons import Reason
from copilot_server.lsp.settings import ClientSettings
from copilot_server.lsp.status import Status
from copilot_server.lsp.switches import Switches
from copilot_server.lsp.tasks import BackgroundTasks

#: After how long the status shows that the model is at work, in seconds. Most answers come sooner, and the
#: status bar should not flicker.
THINKING_S = 0.15


class Reporter:
    """Tells one editor how its server is doing; it listens to the loading of the model.

    All methods are for the thread of the event loop.
    """

    def __init__(  # noqa: PLR0913 - what it reports of
        self,
        client: Client,
        settings: ClientSettings,
        *,
        switches: Switches,
        focus: Focus,
        scheduler: Scheduler,
        background: BackgroundTasks,
        loading: Callable[[], LoadProgress | None],
    ) -> None:
        """``loading``: gives how far the current load has come, or None while nothing is loading."""
        self._client = client
        self._settings = settings
        self._switches = switches
        self._focus = focus
        self._scheduler = scheduler
        self._background = background
        self._loading = loading
        #: What has failed, until something works.
        self._failure: Reason | None = None
        self._notices: set[str] = set()
        #: Why the last request for a document was answered with nothing, and where, by the document's URI.
        self._why_nothing: dict[str, tuple[Reason, types.Position | None]] = {}
        #: What the examples said of the last suggestion that a user asked for, and where, by the URI.
        self._notes: dict[str, tuple[Note, types.Position | None]] = {}
        #: How many requests the model has been working on for longer than a moment.
        self._thinking = 0

    # The model.

    @property
    def _choice(self) -> ModelChoice | None:
        """Why the model is the one that is served, if the setting is ``auto``."""
        if self._settings.current.model != AUTO_MODEL:
            return None
        choice: ModelChoice | None = getattr(self._scheduler.pipeline, "choice", None)
        return choice

    @property
    def model(self) -> str:
        """The model's name: the settings' own, or the one that was chosen or that a remote engine gives."""
        current = self._settings.current
        if not current.engine:
            return current.model if self._choice is None else self._choice.served_id
        served: str = getattr(self._scheduler.pipeline, "model_id", current.remote.model)
        return served

    def load_began(self, loading: asyncio.Future[None], progress: LoadProgress) -> None:
        """Show the user how a load goes on, unless it is quiet."""
        if not progress.quiet:
            self._background.start(show_loading(self._client, loading, progress))
        self.report_status()

    def failed(self, error: CopilotServerError) -> None:
        """Show an error to the user once; the status shows it until something works.

        A remote engine comes and goes by itself, so that one which cannot be reached is only in the status.
        The user is asked about a model that is not here.
        """
        failure = reasons.failed(error)
        if failure != self._failure:
            self._failure = failure
            if not isinstance(error, EngineUnavailableError | ConsentError):
                self._client.show_error(str(error))
        self.report_status()

    def works(self) -> None:
        """Forget the last failure: the model has answered, or has been loaded."""
        self._failure = None
        self.report_status()

    def noticed(self, notice: str) -> None:
        """Show the user once what they should know about the engine, such as why it is slow."""
        if notice not in self._notices:
            self._notices.add(notice)
            self._client.show_warning(notice)

    def rested(self) -> None:
        """Say in the log that the engine was let go."""
        self._client.log("Suggestions are off. The model is loaded again when they are switched on.")

    # Requests.

    def answered(self, uri: str, why: Reason | None, note: Note | None = None) -> None:
        """Take note that a request was answered, and why with nothing; None if with something.

        ``note``: what the examples say of the suggestion, if they were checked.
        """
        self.forget(uri)
        if why is not None:
            self._why_nothing[unquote(uri)] = why, self._focus.cursor(uri)
        if note is not None:
            self._notes[unquote(uri)] = note, self._focus.cursor(uri)
        self.report_status()

    def forget(self, uri: str) -> None:
        """Forget the requests for a document that is opened or closed."""
        self._why_nothing.pop(unquote(uri), None)
        self._notes.pop(unquote(uri), None)

    def waits(self, uri: str) -> None:
        """Take note that a request waits for the model, if it does: editors may ask why before the answer."""
        why = self._why_waiting()
        if why is not None:
            self.answered(uri, why)

    def why_nothing(self, uri: str) -> Reason | None:
        """Say why the last request for a document was answered with nothing, or what it waits for."""
        why, _ = self._why_nothing.get(unquote(uri), (None, None))
        return self._why_waiting() if why is not None and why.code == "loading" else why

    def _why_nothing_here(self, uri: str) -> Reason | None:
        """Say why there is no suggestion where the cursor is, unless it has moved since the last request."""
        why, position = self._why_nothing.get(unquote(uri), (None, None))
        is_here = position == self._focus.cursor(uri)
        return why if why is not None and why.is_of_suggestion and is_here else None

    def _why_waiting(self) -> Reason | None:
        """Say why there is no model now: it is loading, or could not be loaded."""
        progress, failure = self._loading(), self._scheduler.failure
        if progress is not None and not progress.quiet:
            return reasons.loading(progress.message, progress.percent)
        return None if failure is None else reasons.failed(failure)

    @contextlib.contextmanager
    def thinking(self) -> Iterator[None]:
        """Show in the status that the model is at work, once that takes longer than ``THINKING_S``."""
        shown = False

        def show() -> None:
            nonlocal shown
            shown = True
            self._think(1)

        timer = asyncio.get_running_loop().call_later(THINKING_S, show)
        try:
            yield
        finally:
            timer.cancel()
            if shown:
                self._think(-1)

    def _think(self, more: int) -> None:
        self._thinking += more
        self.report_status()

    def report_status(self) -> None:
        """Send the editor the status, if it has changed."""
        self._client.report_status(self._status())

    def _status(self) -> Status:
        settings, loading = self._settings.current, self._loading()
        why = self._choice.reason if self._choice is not None else None
        status = partial(Status, model=self.model, engine=settings.engine_hosts or None, choice=why)
        if not settings.enabled:
            return status("off", reasons.OFF.message, reason=reasons.OFF.code)
        if (snoozed := self._switches.why_snoozed()) is not None and not self._thinking:
            return status("off", snoozed.message, reason=snoozed.code)
        if loading is not None and not loading.quiet:
            return status("loading", loading.message, percent=loading.percent, reason="loading")
        if self._failure is not None:
            return status("error", self._failure.message, reason=self._failure.code)
        return self._status_of_focus(status)

    def _status_of_focus(self, status: Callable[..., Status]) -> Status:
        """Give the status where the model is ready: what matters is the document that the user looks at."""
        uri = self._focus.uri or ""
        silent = self._switches.why_silent(uri)
        if self._thinking and self._switches.why_never(uri) is None:
            return status("thinking", "Thinking")
        if silent is not None and silent is not reasons.MANUAL:
            return status("off", silent.message, reason=silent.code)
        why = self._why_nothing_here(uri) or silent
        if why is not None:
            return status("ready", f"Ready. {why.message}", reason=why.code)
        note, position = self._notes.get(unquote(uri), (None, None))
        if note is not None and position == self._focus.cursor(uri):
            return status("ready", f"Ready. The suggestion: {note.message}.", examples=note.mark)
        return status("ready", "Ready")
