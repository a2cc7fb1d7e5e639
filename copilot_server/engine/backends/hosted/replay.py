"""What a host has written, taken token by token, as an engine in this process takes it.

The host ends at stop texts, at the end of the text and at the most tokens. What it cannot know is the
caller's ``until``, which is asked here, after each token, with the same text as in one process.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from copilot_server.engine.base import FinishReason, Generation, GenerationRequest, Prompt, Special, Written
from copilot_server.engine.decoding.stops import first_stop
from copilot_server.errors import EngineError

_REASONS: Mapping[str, FinishReason] = {
    "stop": "stop", "eos": "eos", "length": "length", "cancelled": "cancelled"
}  # fmt: skip


class Replay:
    """One candidate of a request."""

    def __init__(self, request: GenerationRequest) -> None:
        self.finish_reason: FinishReason | None = None
        self._request = request
        self._received = ""
        self._waiting: deque[Written] = deque()
        self._trace: list[Written] = []
        self._end = 0

    def accept(self, text: str, trace: Iterable[Written], reason: FinishReason | None) -> None:
        """Append what the host has sent; ``reason``: why it has ended, if it has."""
        if self.finish_reason is not None:
            return
        self._received += text
        self._waiting += trace
        while self._waiting and (reason is not None or self._waiting[0].end <= len(self._received)):
            self._take(self._waiting.popleft())
            if self._is_wanted_no_more():
                self.finish_reason = "stop"
                return
        self.finish_reason = reason

    def cancel(self) -> None:
        """End it where it is, unless it has ended."""
        self.finish_reason = self.finish_reason or "cancelled"

    def generation(self) -> Generation:
        """Return what has been written."""
        text = self._text
        return Generation(
            text=text[: first_stop(text, self._request.stop)],
            token_ids=(),
            mean_logprob=sum(one.logprob for one in self._trace) / max(1, len(self._trace)),
            finish_reason=self.finish_reason or "cancelled",
            tokens=len(self._trace),
            trace=tuple(self._trace),
        )

    @property
    def _text(self) -> str:
        return self._received[: self._end]

    def _take(self, token: Written) -> None:
        self._trace.append(token)
        self._end = max(self._end, token.end)

    def _is_wanted_no_more(self) -> bool:
        text, until = self._text, self._request.until
        if not text or until is None or first_stop(text, self._request.stop) is not None:
            return False
        return until(text)


def body_of(request: GenerationRequest) -> dict[str, Any]:
    """Return the body that asks a host for a request."""
    sampling = request.sampling
    body: dict[str, Any] = {
        "stream": True,
        "max_tokens": sampling.max_new_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "n": sampling.n,
        "stop": list(request.stop),
        "copilot_server": {
            **written_out(request.prompt),
            "lookup": list(request.lookup),
            "greedy_first": sampling.greedy_first,
            "urgent": True,
        },
    }
    return body if sampling.seed is None else body | {"seed": sampling.seed}


def written_out(prompt: Prompt) -> dict[str, Any]:
    """Return a prompt as JSON, in which control tokens are told from text."""
    parts = [{"special": part.name} if isinstance(part, Special) else {"text": part} for part in prompt.parts]
    return {"parts": parts, "forced": prompt.forced}


def accept_event(candidates: list[Replay], event: Mapping[str, Any]) -> None:
    """Give an event of a host's stream to the candidates that it is about.

    Raises:
        EngineError: the host reports one, or the event has another form than a host's.
    """
    if "error" in event:
        raise EngineError(str(event["error"].get("message", "The host failed.")))
    try:
        for choice in event["choices"]:
            own = choice["copilot_server"]
            trace = [Written(end, logprob) for end, logprob in own["trace"]]
            reason = _REASONS[own["finish_reason"]] if "finish_reason" in own else None
            candidates[choice["index"]].accept(choice["text"] + own.get("tail", ""), trace, reason)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise EngineError("The host answers in another format than this version's.") from error
