"""The state of one editor's session."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Literal
from urllib.parse import unquote

from lsprotocol import types

from copilot_server.completion.rejected import RejectedSuggestions
from copilot_server.completion.scheduling.engine_thread import EngineThread
from copilot_server.completion.scheduling.scheduler import Scheduler
from copilot_server.completion.types import CompletionRequest, Source
from copilot_server.config import AUTO_MODEL
from copilot_server.context.document import Document
from copilot_server.engine.model_choice.choice import ModelChoice
from copilot_server.errors import (
    ConsentError,
    CopilotServerError,
    EngineChangedError,
    EngineError,
    EngineUnavailableError,
)
from copilot_server.lsp import reasons
from copilot_server.lsp.client import Client
from copilot_server.lsp.consent import Consent
from copilot_server.lsp.documents import Documents, Edit
from copilot_server.lsp.focus import Focus
from copilot_server.lsp.loading import ModelLoader, OpenPipeline
from copilot_server.lsp.notebooks import Notebooks
from copilot_server.lsp.progress import LoadProgress, show_loading
from copilot_server.lsp.reasons import Reason
from copilot_server.lsp.settings import ClientSettings
from copilot_server.lsp.snooze import Snooze
from copilot_server.lsp.status import Status
from copilot_server.lsp.switches import Switches
from copilot_server.lsp.tasks import BackgroundTasks
from copilot_server.lsp.workspace import WorkspaceFiles
from copilot_server.statistics.recorder import Statistics
from copilot_server.statistics.text import minimal_edit
from copilot_server.statistics.types import PlainEdit

#: What made the editor request a completion. A panel makes two requests.
RequestKind = Literal["automatic", "invoked", "menu", "panel"]
#: Where the answer to a request came from, or why there was none.
Outcome = Source | Literal["cancelled", "failed"]

#: The command that an editor runs when an item was accepted. Editors register the commands of all their
#: servers globally, so the name that Copilot's clients know is used with those clients alone.
DID_ACCEPT = "copilotServer.didAcceptCompletionItem"
COPILOTS_DID_ACCEPT = "github.copilot.didAcceptCompletionItem"

#: After how long the status shows that the model is at work, in seconds. Most answers come sooner, and the
#: status bar should not flicker.
THINKING_S = 0.15


class Session:
    """What the server knows of one editor, and what it decides for it.

    All methods are for the thread of the event loop.
    """

    def __init__(
        self,
        client: Client,
        settings: ClientSettings,
        open_pipeline: OpenPipeline,
        engine_thread: EngineThread | None = None,
    ) -> None:
        """``engine_thread``: the one that this session shares with others; by default one of its own."""
        self.client = client
        self.settings = settings
        self.documents = Documents()
        self.notebooks = Notebooks(self.documents)
        self.snooze = Snooze(self._switched)
        self.switches = Switches(settings, self.documents, self.snooze, self.notebooks.file_of)
        self.workspace = WorkspaceFiles(self.documents)
        self.background = BackgroundTasks()
        self.scheduler = Scheduler(engine_thread=engine_thread)
        self.scheduler.on_engine_error = self.engine_changed
        self.consent = Consent(client, self.background, lambda: self.loader.load(again=True))
        self.loader = ModelLoader(
            self.scheduler,
            self.settings,
            self.background,
            listener=self,
            consent=self.consent,
            open_pipeline=open_pipeline,
        )
        self.statistics = Statistics(self._text_of)
        self.rejected = RejectedSuggestions()
        self.accept_command = DID_ACCEPT
        #: Called with each request that is over, and its duration from its arrival, in seconds.
        self.on_outcome: Callable[[RequestKind, Outcome, float], None] = lambda *_outcome: None
        self._problems: list[str] = []
        self._focus = Focus()
        #: What has failed, until something works.
        self._failure: Reason | None = None
        self._notices: set[str] = set()
        #: Why the last request for a document was answered with nothing, and where, by the document's URI.
        self._why_nothing: dict[str, tuple[Reason, types.Position | None]] = {}
        #: How many requests the model has been working on for longer than a moment.
        self._thinking = 0

    def close(self) -> None:
        """End the session, without waiting for anything."""
        self.background.cancel()
        self.snooze.close()
        self.workspace.close()
        self.loader.close()
        self.scheduler.close(0.0)
        self.statistics.close(0.0)

    # Settings.

    def initialize(self, options: object, editor: str) -> None:
        """Take what ``initialize`` brings: the editor's initializationOptions and its name."""
        self.documents.encoding = self.client.position_encoding
        self._problems = self.settings.initialize(options)
        self.statistics.configure(enabled=False, editor=editor)
        is_copilots = isinstance(options, dict) and "editorInfo" in options
        self.accept_command = COPILOTS_DID_ACCEPT if is_copilots else DID_ACCEPT

    def show_problems(self) -> None:
        """Show once what was wrong with the settings that ``initialize`` brought."""
        self._show(self._problems)
        self._problems = []

    def change_settings(self, options: object) -> None:
        """Take the settings that the editor sends while it runs, and show what is wrong with them."""
        self._show(self.settings.change(options))
        self.apply_settings()

    def _show(self, problems: Sequence[str]) -> None:
        for problem in problems:
            self.client.show_warning(problem)

    def apply_settings(self) -> None:
        """Do what changed settings ask for. A failed load is tried again: they may have removed its cause."""
        current = self.settings.current
        self.switches.apply(self.client.folders)
        reads_others = current.enabled and current.workspace
        folders = self.client.folders if reads_others else ()
        self.workspace.follow(folders, current.exclude, self.settings.added_exclude)
        self.scheduler.debounce.enabled = current.debounce == "auto"
        self.statistics.configure(enabled=current.statistics)
        self.loader.load(again=True)
        self._switched()

    def snooze_for(self, minutes: float) -> None:
        """Suggest nothing for some minutes while the user types; 0 resumes."""
        self.snooze.start(minutes)
        self._switched()

    def _switched(self) -> None:
        """Do what it means that suggestions are wanted somewhere now, or not any more."""
        self._read_ahead(self._focus.uri)
        self.report_status()

    # Documents.

    def open(self, item: types.TextDocumentItem) -> None:
        """Take up a document, and prepare for requests in it."""
        document = self.documents.open(item)
        self._why_nothing.pop(unquote(document.uri), None)
        self.rejected.closed(document.uri)
        self.workspace.opened(document)
        if self.switches.why_silent(document.uri) is None:
            self.scheduler.prepare(Document(document.uri, document.language_id, document.text))
        self._focus.touch(document.uri)
        if self._focus.is_on(document.uri):
            self._switched()

    def change(self, uri: str, version: int, changes: Sequence[types.TextDocumentContentChangeEvent]) -> None:
        """Apply the editor's changes to a document.

        Where an editor sent the whole text, the others get the part of it that differs.
        """
        before = self.documents.get(uri)
        edits = self.documents.change(uri, version, changes)
        after = self.documents.get(uri)
        if before is None or after is None:
            return
        if self._focus.touch(after.uri):
            self.report_status()
        self.workspace.changed(after)
        is_whole = any(edit.end - edit.start == len(before.text) for edit in edits)
        smallest = _smallest(before.text, after.text, edits)
        self.statistics.changed(after.uri, (smallest,) if is_whole else edits)
        removed = before.text[smallest.start : smallest.end]
        self.rejected.changed(after.uri, smallest.start, removed, smallest.text)

    def close_document(self, uri: str) -> None:
        """Forget a document."""
        document = self.documents.get(uri)
        self.documents.close(uri)
        self._why_nothing.pop(unquote(uri), None)
        if self._focus.is_on(uri):
            self._switched()
        if document is not None:
            self.workspace.closed(document.uri)
            self.statistics.closed(document.uri)
            self.rejected.closed(document.uri)

    def focus(self, uri: str | None, position: types.Position | None = None) -> None:
        """Remember which document the user looks at, for the status, and where its cursor is."""
        if self._focus.move(uri, position):
            self.report_status()

    def look_at(self, uri: str | None, position: types.Position | None = None) -> None:
        """Take the editor's report of what the user looks at, and read ahead there."""
        self._focus.report(uri, position)
        self._switched()

    def _read_ahead(self, uri: str | None) -> None:
        """Have the prompt at the cursor of a document read; of none if suggestions are not wanted there.

        Where the cursor is not known, nothing is read: its line decides how most prompts begin.
        """
        document = self.documents.get(uri) if uri is not None else None
        position = self._focus.cursor(uri) if uri is not None else None
        request = None
        if document is not None and position is not None and self.switches.why_silent(document.uri) is None:
            cursor = document.cursor_at(position, self.documents.encoding)
            request = CompletionRequest(self.notebooks.among_cells(cursor), workspace=self.workspace.source)
        self.scheduler.read_ahead(request)

    def _text_of(self, uri: str) -> str | None:
        document = self.documents.get(uri)
        return document.text if document else None

    # Suggestions.

    def shown(self, item_id: str) -> None:
        """Take the editor's report that it shows an item."""
        self.statistics.shown(item_id)
        self.rejected.shown(item_id)

    def dismissed(self, item_id: str) -> None:
        """Take the editor's report that the user has dismissed an item."""
        self.statistics.dismissed(item_id)
        self.rejected.dismissed(item_id)

    # The model, and how it is doing.

    @property
    def _choice(self) -> ModelChoice | None:
        """Why the model is the one that is served, if the setting is ``auto``."""
        if self.settings.current.model != AUTO_MODEL:
            return None
        choice: ModelChoice | None = getattr(self.scheduler.pipeline, "choice", None)
        return choice

    @property
    def model(self) -> str:
        """The model's name: the settings' own, or the one that was chosen or that a remote engine gives."""
        current = self.settings.current
        if not current.engine:
            return current.model if self._choice is None else self._choice.served_id
        served: str = getattr(self.scheduler.pipeline, "model_id", current.remote.model)
        return served

    def load_began(self, loading: asyncio.Future[None], progress: LoadProgress) -> None:
        """Show the user how a load goes on, unless it is quiet."""
        if not progress.quiet:
            self.background.start(show_loading(self.client, loading, progress))
        loading.add_done_callback(self._loaded)
        self.report_status()

    def _loaded(self, loading: asyncio.Future[None]) -> None:
        """Read ahead what could not be read before there was a model."""
        if not loading.cancelled() and loading.exception() is None:
            self._read_ahead(self._focus.uri)

    def failed(self, error: CopilotServerError) -> None:
        """Show an error to the user once; the status shows it until something works.

        A remote engine comes and goes by itself, so that one which cannot be reached is only in the status.
        The user is asked about a model that is not here.
        """
        failure = reasons.failed(error)
        if failure != self._failure:
            self._failure = failure
            if not isinstance(error, EngineUnavailableError | ConsentError):
                self.client.show_error(str(error))
        self.report_status()

    def works(self) -> None:
        """Forget the last failure: the model has answered, or has been loaded."""
        self._failure = None
        self.report_status()

    def noticed(self, notice: str) -> None:
        """Show the user once what they should know about the engine, such as why it is slow."""
        if notice not in self._notices:
            self._notices.add(notice)
            self.client.show_warning(notice)

    def rested(self) -> None:
        """Say in the log that the engine was let go."""
        self.client.log("Suggestions are off. The model is loaded again when they are switched on.")

    def engine_changed(self, error: EngineError | None) -> None:
        """Take a report of a remote engine: an error, or None if it works again.

        An engine that serves another model than before is connected to again.
        """
        if error is None:
            self.works()
        elif isinstance(error, EngineChangedError):
            self.loader.reload()
        else:
            self.failed(error)

    def answered(self, uri: str, why: Reason | None) -> None:
        """Take note that a request was answered, and why with nothing; None if with something."""
        self._why_nothing.pop(unquote(uri), None)
        if why is not None:
            self._why_nothing[unquote(uri)] = why, self._focus.cursor(uri)
        self.report_status()

    def waits(self, uri: str) -> None:
        """Take note that a request waits for the model, if it does: editors may ask why before the answer."""
        why = self._why_waiting()
        if why is not None:
            self.answered(uri, why)

    def why_nothing(self, uri: str) -> Reason | None:
        """Say why the last request for a document was answered with nothing, or what it waits for."""
        if self.documents.get(uri) is None:
            return None
        why, _ = self._why_nothing.get(unquote(uri), (None, None))
        return self._why_waiting() if why is not None and why.code == "loading" else why

    def _why_nothing_here(self, uri: str) -> Reason | None:
        """Say why there is no suggestion where the cursor is, unless it has moved since the last request."""
        why, position = self._why_nothing.get(unquote(uri), (None, None))
        is_here = position == self._focus.cursor(uri)
        return why if why is not None and why.is_of_suggestion and is_here else None

    def _why_waiting(self) -> Reason | None:
        """Say why there is no model now: it is loading, or could not be loaded."""
        progress, failure = self.loader.progress, self.scheduler.failure
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
        self.client.report_status(self._status())

    def _status(self) -> Status:
        settings, loading = self.settings.current, self.loader.progress
        why = self._choice.reason if self._choice is not None else None
        status = partial(Status, model=self.model, engine=settings.engine_hosts or None, choice=why)
        if not settings.enabled:
            return status("off", reasons.OFF.message, reason=reasons.OFF.code)
        if (snoozed := self.switches.why_snoozed()) is not None and not self._thinking:
            return status("off", snoozed.message, reason=snoozed.code)
        if loading is not None and not loading.quiet:
            return status("loading", loading.message, percent=loading.percent, reason="loading")
        if self._failure is not None:
            return status("error", self._failure.message, reason=self._failure.code)
        return self._status_of_focus(status)

    def _status_of_focus(self, status: Callable[..., Status]) -> Status:
        """Give the status where the model is ready: what matters is the document that the user looks at."""
        uri = self._focus.uri or ""
        silent = self.switches.why_silent(uri)
        if self._thinking and self.switches.why_never(uri) is None:
            return status("thinking", "Thinking")
        if silent is not None and silent is not reasons.MANUAL:
            return status("off", silent.message, reason=silent.code)
        why = self._why_nothing_here(uri) or silent
        if why is not None:
            return status("ready", f"Ready. {why.message}", reason=why.code)
        return status("ready", "Ready")


def _smallest(before: str, after: str, edits: Sequence[Edit]) -> PlainEdit:
    """Return the smallest edit that does what ``edits`` did."""
    if len(edits) != 1:
        return minimal_edit(before, after)
    (edit,) = edits
    return minimal_edit(before[edit.start : edit.end], edit.text, edit.start)
