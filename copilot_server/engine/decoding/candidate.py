"""One generation in progress: its tokens, its text, and whether it is finished."""

from __future__ import annotations

from collections.abc import Sequence

from copilot_server.engine.base import FinishReason, Generation, GenerationRequest, Written
from copilot_server.engine.decoding.sampling import Uniforms
from copilot_server.engine.decoding.stops import first_stop
from copilot_server.engine.models.tokenizer import Tokenizer
from copilot_server.engine.runner import Choice, Drawn


class Candidate:
    """One of the generations that a request asks for.

    It says how its next tokens are to be sampled, takes them one by one, and examines the text they make: a
    stop text is found wherever token boundaries fall, and a control token never becomes text.
    """

    def __init__(
        self, request: GenerationRequest, prompt_ids: list[int], index: int, tokenizer: Tokenizer
    ) -> None:
        self.token_ids: list[int] = []
        self.finish_reason: FinishReason | None = None
        self._request = request
        self._tokenizer = tokenizer
        sampling = request.sampling
        self._temperature = 0.0 if sampling.greedy_first and index == 0 else sampling.temperature
        self._uniforms = Uniforms(sampling, index)
        self._decoder = tokenizer.text_stream(prompt_ids)
        self._forced = request.prompt.forced.encode()
        self._text = ""
        self._trace: list[Written] = []

    def choices(self, drafts: Sequence[int] = ()) -> list[Choice]:
        """How to sample the next token, and the one after each of ``drafts`` if they prove right."""
        forced = self._forced
        choices = [self._choice(len(self.token_ids), forced)]
        for position, token_id in enumerate(drafts, start=len(self.token_ids) + 1):
            forced = self._after(forced, token_id)
            choices.append(self._choice(position, forced))
        return choices

    def accept(self, drawn: Drawn) -> None:
        """Append the next token, and find out whether it was the last."""
        if drawn.token_id in self._tokenizer.control_ids:
            self.finish_reason = "eos"
            return
        self.token_ids.append(drawn.token_id)
        self._forced = self._after(self._forced, drawn.token_id)
        self._text += self._decoder.step(drawn.token_id)
        self._trace.append(Written(len(self._text) - len(self._request.prompt.forced), drawn.logprob))
        self.finish_reason = self._reason_to_finish()

    def cancel(self) -> None:
        """End the generation where it is."""
        self.finish_reason = "cancelled"

    def generation(self) -> Generation:
        """What has been written."""
        return Generation(
            text=self.written[: first_stop(self.written, self._request.stop)],
            token_ids=tuple(self.token_ids),
            mean_logprob=sum(one.logprob for one in self._trace) / max(1, len(self.token_ids)),
            finish_reason=self.finish_reason or "cancelled",
            tokens=len(self.token_ids),
            trace=tuple(self._trace),
        )

    @property
    def written(self) -> str:
        """The text after the forced one, including a stop text."""
        return self._text[len(self._request.prompt.forced) :]

    def _choice(self, position: int, forced: bytes) -> Choice:
        """How to sample the token at ``position`` of the output while ``forced`` is still to be written."""
        compatible = self._tokenizer.token_bytes.compatible(forced) if forced else ()
        allowed = compatible if len(compatible) else None
        if self._temperature == 0.0:
            return Choice(allowed=allowed)
        top_p = self._request.sampling.top_p
        return Choice(self._temperature, top_p, self._uniforms[position], allowed)

    def _after(self, forced: bytes, token_id: int) -> bytes:
        """What remains of ``forced`` after a token."""
        return forced and forced[len(self._tokenizer.token_bytes.by_id.get(token_id, b"")) :]

    def _reason_to_finish(self) -> FinishReason | None:
        text = self.written
        if first_stop(text, self._request.stop) is not None:
            return "stop"
        if self._request.until is not None and text and self._request.until(text):
            return "stop"
        if len(self.token_ids) >= self._request.sampling.max_new_tokens:
            return "length"
        return None
