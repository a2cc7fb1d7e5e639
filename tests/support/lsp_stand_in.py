"""The real server with a stand-in for the model, which does on demand what no model does: hang or fail.

The line before the cursor says how it completes, and the model's name how it loads. Run as a program.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from copilot_server.catalog import manifest_for_unknown
from copilot_server.completion.types import Candidate, Completion, CompletionRequest
from copilot_server.config import CompletionSettings, Settings, load_settings
from copilot_server.context.document import Document
from copilot_server.engine.base import Cancel
from copilot_server.errors import EngineError, FetchCancelledError, ModelNotCachedError
from copilot_server.fetch.consent import consent_error
from copilot_server.fetch.progress import Progress
from copilot_server.listening.token import make_token
from copilot_server.lsp.server import serve

#: A model of the catalogue that is not on this machine, which a project's settings may name too.
MISSING = "gpt-j-6b"
#: Models that are fetched first: one at once, and one of which no byte comes until the fetching is cancelled.
ABSENT, STALLED = "absent", "stalled"


class StandIn:
    """Suggests ``ok``, unless the cursor's line names something else to do."""

    loads = 0
    notices: tuple[str, ...] = ()
    #: The file in which to record each text that is to be completed, for tests of what the model would read.
    seen: Path | None = None

    def __init__(self, settings: CompletionSettings) -> None:
        self.settings = settings
        #: What would have been read ahead: the document's URI, and the text before the cursor.
        self.read: list[tuple[str, str]] = []
        StandIn.loads += 1

    def complete(self, request: CompletionRequest, cancel: Cancel, _on_text: object = None) -> Completion:
        self._write_down(request)
        _fail(request)
        words = request.cursor.line_prefix.split()
        if words == ["slow"] or (words == ["return", "+"] and not _is_greedy(request)):
            return _when_cancelled(cancel)
        match words:
            case ["settings"]:
                return _completion(f"{self.settings.max_new_tokens} tokens, loaded {self.loads}")
            case ["count" | "return" as word] | ["return" as word, "+"]:
                return _counted(request) if word == "count" else _returned(request)
            case ["nothing" | "filtered" | "missing" | "unlikely" as word] if (
                word != "unlikely" or not request.invoked
            ):
                return _empty(word)
            case ["over"]:
                return _completion("all", replaced=len(request.cursor.line_suffix))
        return _otherwise(request)

    def _write_down(self, request: CompletionRequest) -> None:
        if self.seen is not None:
            with self.seen.open("a", encoding="utf-8") as file:
                file.write(request.cursor.document.text)

    def next_requests(self, *_answered: object) -> tuple[CompletionRequest, ...]:
        return ()

    def read_ahead(self, request: CompletionRequest, _cancel: Cancel) -> bool:
        self._write_down(request)
        self.read.append((request.cursor.document.uri, request.cursor.prefix))
        return True

    def configure(self, settings: CompletionSettings) -> None:
        self.settings = settings

    def prepare(self, _document: Document) -> Iterator[None]:
        return iter(())

    def watch(self, _on_error: object) -> None:
        pass

    def lookup(self, request: CompletionRequest) -> Completion | None:
        return _completion("cached") if request.cursor.line_prefix == "known" else None


def _fail(request: CompletionRequest) -> None:
    """Fail as the cursor's line says."""
    match request.cursor.line_prefix.split():
        case ["boom"]:
            raise RuntimeError(f"cannot read {request.cursor.document.text}")
        case ["exit"]:
            raise SystemExit(3)
        case ["allocate"]:
            raise MemoryError
        case ["memory"]:
            raise EngineError("Out of memory.", remedy="Take a smaller model.")


def _counted(request: CompletionRequest) -> Completion:
    """Return as many texts as are asked for."""
    return _completion(*(f"number {n}" for n in range(request.sampling.n if request.sampling else 1)))


def _returned(request: CompletionRequest) -> Completion:
    """Return the bodies of a model that doubles a number only where it is sampled."""
    texts = [" 5"] if _is_greedy(request) else [" x * 0", " x + x", " 6"]
    return replace(_completion(*texts), scope="function")


def _is_greedy(request: CompletionRequest) -> bool:
    return request.sampling is None or request.sampling.temperature == 0.0


def _when_cancelled(cancel: Cancel) -> Completion:
    """Return nothing, and not before nobody wants it any more."""
    while not cancel.is_set():
        time.sleep(0.005)
    return _completion(cancelled=True)


def _otherwise(request: CompletionRequest) -> Completion:
    if request.cursor.prefix.endswith("# lacks an import\n    "):
        return replace(_completion("return math.prod((2, x))", "return math.prod((3, x))"), scope="function")
    return _completion("ok", "okay\n    again", "more", "most")


def _completion(*texts: str, replaced: int = 0, cancelled: bool = False) -> Completion:
    candidates = tuple(Candidate(text, -float(rank), "stop", replaced) for rank, text in enumerate(texts))
    return Completion(candidates, "model", "stand-in", cancelled)


def _empty(why: str) -> Completion:
    """Return what the model and its filters leave where the cursor's line says why there is nothing."""
    missing = "save" if why == "missing" else ""
    return replace(_completion(), withheld=why == "unlikely", missing=missing, has_written=why != "nothing")


def _fetch(settings: Settings, progress: Progress) -> None:
    """Fetch a model with the user's consent, as ``completion.engine_pool.open_with_consent`` does."""
    if settings.fetch == "ask":
        raise consent_error(manifest_for_unknown(settings.model))
    progress.start(f"Fetching {settings.model}", 10_000_000)
    progress.advance(0)
    try:
        while settings.model == STALLED:
            time.sleep(0.005)
            progress.advance(0)
    except FetchCancelledError as error:
        raise consent_error(manifest_for_unknown(settings.model)) from error
    progress.advance(10_000_000)


def open_stand_in(settings: Settings, progress: Progress) -> StandIn:
    if settings.model in (ABSENT, STALLED):
        _fetch(settings, progress)
    if settings.model in ("missing", MISSING):
        raise ModelNotCachedError("The model is not on this machine.", remedy="Run `copilot-server pull`.")
    if settings.model == "broken":
        raise RuntimeError("/home/somebody/secret")
    if settings.model == "noisy":
        print("a stray print")  # noqa: T201
        os.write(1, b"a C library's words\n")
    if settings.model == "fetching":
        progress.start("Fetching stand-in.gguf", 100_000_000)
        progress.advance(37_000_000)
    while settings.model in ("hangs", "fetching"):
        time.sleep(1)
    stand_in = StandIn(settings.completion)
    if settings.model == "slow":
        stand_in.notices = ("The kernels for the CPU were not compiled. Install a C compiler.",)
    return stand_in


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model")
    parser.add_argument("--tcp", dest="transport", action="store_const", const="tcp", default="stdio")
    parser.add_argument("--ws", dest="transport", action="store_const", const="ws")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seen", type=Path)
    parser.add_argument("--metrics")
    parser.add_argument("--keep-alive", action="store_true")
    parser.add_argument("--no-token", action="store_true")
    given = parser.parse_args()
    StandIn.seen = given.seen
    flags = {"model": given.model}
    settings = load_settings(None, flags)
    serve(
        settings,
        given.transport,
        "127.0.0.1",
        given.port,
        token=None if given.no_token else make_token(),
        keep_alive=given.keep_alive,
        metrics=given.metrics,
        flags=flags,
        open_pipeline=open_stand_in,
    )


if __name__ == "__main__":
    main()
