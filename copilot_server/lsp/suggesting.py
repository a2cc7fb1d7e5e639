"""From a request's place to the items that answer it."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams, JsonRpcRequestCancelled

from copilot_server.completion.gate import is_worthwhile
from copilot_server.completion.scheduling.scheduler import Superseded
from copilot_server.completion.types import Candidate, Completion, CompletionRequest, Source
from copilot_server.engine.base import Sampling
from copilot_server.errors import CopilotServerError
from copilot_server.lsp.convert import completion_items, inline_items, word_before
from copilot_server.lsp.position import Place, take_place
from copilot_server.lsp.wire.messages import CompletionParams, SelectedCompletion
from copilot_server.statistics.types import Item, Offer, Trigger

if TYPE_CHECKING:
    from copilot_server.lsp.server import CopilotServer

#: What made an editor ask: typing, a key, its completion menu, or a panel (which asks twice).
Asking = Literal["automatic", "invoked", "menu", "panel"]
#: Where the answer to a request came from, or why there was none.
Outcome = Source | Literal["cancelled", "failed"]

#: After how long the status says that the model is at work, in seconds; most answers come sooner.
THINKING_S = 0.15
#: Candidates in a panel.
PANEL_CANDIDATES = 6

_NOTHING = Completion((), "none", "")


class Suggester:
    """Answers the requests of one editor for completions of its open documents."""

    def __init__(self, server: CopilotServer) -> None:
        self._server = server
        #: Called with each request that is over, and how long it took from its arrival, in seconds.
        self.on_outcome: Callable[[Asking, Outcome, float], None] = lambda *_outcome: None
        #: How many requests the model has been working at for longer than a moment.
        self.thinking = 0

    def place(self, params: CompletionParams, selected: SelectedCompletion | None = None) -> Place:
        """Take the document and the cursor of a request as they are now.

        Raises:
            JsonRpcInvalidParams: the document is not open.
            JsonRpcRequestCancelled: the request was made for an older version than is open.
        """
        documents = self._server.protocol.documents
        document = documents.get(params.text_document.uri)
        if document is None:
            raise JsonRpcInvalidParams(f"The document {params.text_document.uri} is not open.")
        version = params.text_document.version
        if version is not None and version < document.version:
            raise JsonRpcRequestCancelled("The document has changed.")
        self._server.focus(document.uri)
        place = take_place(document, params.position, selected, documents.encoding)
        self._server.statistics.requested(document.uri, place.end)
        return place

    async def inline(self, place: Place, *, invoked: bool) -> list[types.InlineCompletionItem]:
        """Give what to show at a place: one suggestion, or several if the user asked for them by a key.

        Raises:
            JsonRpcRequestCancelled: a newer request or edit made the answer useless.
            JsonRpcException: this generation failed.
        """
        trigger: Literal["automatic", "invoked"] = "invoked" if invoked else "automatic"
        completion = await self._completed(CompletionRequest(place.cursor, invoked), place, trigger)
        count = self._server.settings.current.completion.candidates if invoked else 1
        return self._offer(place, completion, count, trigger)

    async def menu(self, place: Place) -> list[types.CompletionItem]:
        """Give what to show in a menu, as ``inline`` does."""
        completion = await self._completed(CompletionRequest(place.cursor), place, "menu")
        candidates = completion.candidates[:1]
        lines, encoding = place.document.lines, self._server.protocol.documents.encoding
        items = completion_items(candidates, place.cursor, encoding, lines)
        counted = _counted(candidates, head=word_before(place.cursor))
        ids = self._count(place, completion, counted, "automatic")
        for item, item_id in zip(items, ids, strict=True):
            item.command = self._command(item_id)
        return items

    async def panel(self, place: Place) -> AsyncIterator[list[types.InlineCompletionItem]]:
        """Give many suggestions: the first as soon as it is there, and then the others.

        Raises:
            JsonRpcRequestCancelled, JsonRpcException: as ``inline``.
        """
        seen: set[str] = set()
        completion = self._server.settings.current.completion
        first = Sampling(max_new_tokens=completion.max_new_tokens)
        others = Sampling(
            temperature=completion.temperature,
            top_p=completion.top_p,
            n=PANEL_CANDIDATES - 1,
            max_new_tokens=completion.max_new_tokens,
        )
        for sampling in (first, others):
            request = CompletionRequest(place.cursor, invoked=True, sampling=sampling)
            found = await self._completed(request, place, "panel")
            yield self._offer(place, found, PANEL_CANDIDATES, "panel", seen)
            seen.update(one.text for one in found.candidates)

    # Asking.

    async def _completed(self, request: CompletionRequest, place: Place, asking: Asking) -> Completion:
        """Complete at a place, and tell what has become of that."""
        outcome: Outcome = "failed"
        try:
            completion = await self._completion(request, place)
            outcome = completion.source
        except (JsonRpcRequestCancelled, asyncio.CancelledError):
            outcome = "cancelled"
            raise
        finally:
            self.on_outcome(asking, outcome, time.monotonic() - place.asked_s)
        return completion

    async def _completion(self, request: CompletionRequest, place: Place) -> Completion:
        """Complete at a place; nothing where nothing is wanted, or there is no model."""
        server = self._server
        if not server.settings.current.enabled or server.why_not(place.document.uri) is not None:
            return _NOTHING
        if not request.invoked and not is_worthwhile(place.cursor):
            return _NOTHING
        server.loader.load(again=request.invoked)
        with self._shown_thinking():
            completion = await self._submitted(request)
        now = server.protocol.documents.get(place.document.uri)
        if now is not place.document and (now is None or now.text != place.document.text):
            raise JsonRpcRequestCancelled("The document has changed.")
        return completion

    async def _submitted(self, request: CompletionRequest) -> Completion:
        server = self._server
        try:
            completion = await server.scheduler.submit(request)
        except Superseded:
            raise JsonRpcRequestCancelled("A newer request took this one's place.") from None
        except CopilotServerError as error:
            if server.scheduler.failure is not None:  # told when loading failed
                return _NOTHING
            server.failed(error)
            raise JsonRpcException(str(error), code=types.LSPErrorCodes.RequestFailed) from error
        if completion.source == "model":
            server.works()
        return completion

    @contextlib.contextmanager
    def _shown_thinking(self) -> Iterator[None]:
        """Show that the model is at work, once that takes longer than a status bar should flicker."""
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
        self.thinking += more
        self._server.report_status()

    # Answering.

    def _offer(
        self,
        place: Place,
        completion: Completion,
        count: int,
        trigger: Trigger,
        but: set[str] | frozenset[str] = frozenset(),
    ) -> list[types.InlineCompletionItem]:
        """Make items of the best ``count`` candidates but those texts; each tells when it is accepted."""
        candidates = [one for one in completion.candidates if one.text not in but][:count]
        items = inline_items(place, candidates, self._server.protocol.documents.encoding)
        # As long as the selected item continues what stands there, which is what editors select.
        typed = place.document.text[place.start : place.end]
        counted = _counted(candidates, head=typed, rest=place.head.removeprefix(typed))
        ids = self._count(place, completion, counted, trigger)
        for item, item_id in zip(items, ids, strict=True):
            item.command = self._command(item_id)
        return items

    def _command(self, item_id: str) -> types.Command:
        return types.Command(title="", command=self._server.accept_command, arguments=[item_id])

    def _count(
        self, place: Place, completion: Completion, items: tuple[Item, ...], trigger: Trigger
    ) -> list[str]:
        """Tell the statistics what is about to be shown; returns the items' ids."""
        if items:
            offer = Offer(
                uri=place.document.uri,
                document=place.document.text,
                offset=place.end,
                items=items,
                language=place.document.language_id,
                model=self._server.model,
                source=completion.source,
                latency_s=time.monotonic() - place.asked_s,
                trigger=trigger,
            )
            self._server.statistics.offered(offer)
        return [item.id for item in items]


def _counted(candidates: Sequence[Candidate], *, head: str, rest: str = "") -> tuple[Item, ...]:
    """Name each candidate for the statistics.

    ``head``: what the editor's item repeats of the text before the cursor. ``rest``: what it has between that
    and the candidate.
    """
    return tuple(
        Item(uuid.uuid4().hex, rest + one.text, one.replaced, one.mean_logprob, head) for one in candidates
    )
