"""One generation in progress: its tokens, its text, and whether it is done."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from copilot_server.engine.base import FinishReason, Generation, GenerationRequest
from copilot_server.engine.sampling import Sampler
from copilot_server.engine.tokenizer import Tokenizer


class Row:
    """A candidate of a request, one row of the batch being decoded.

    Takes the logits of each step, chooses the next token and looks at the text it makes: a stop text is
    found wherever token boundaries fall, and a control token never becomes text.
    """

    def __init__(
        self, request: GenerationRequest, prompt_ids: list[int], candidate: int, tokenizer: Tokenizer
    ) -> None:
        self.token_ids: list[int] = []
        self.finish_reason: FinishReason | None = None
        self._request = request
        self._tokenizer = tokenizer
        self._sampler = Sampler(request.sampling, candidate)
        self._stream = tokenizer.text_stream(prompt_ids)
        self._forced = request.prompt.forced.encode()
        self._text = ""
        self._logprob_sum = 0.0

    def step(self, logits: torch.Tensor) -> int:
        """Choose the next token from logits of shape (vocab_size,) and say which it is."""
        allowed = (self._forced and self._tokenizer.token_bytes.compatible(self._forced)) or None
        token_id = self._sampler.choose(logits, allowed)
        if token_id in self._tokenizer.control_ids:
            self.finish_reason = "eos"
            return token_id
        self._logprob_sum += float(torch.log_softmax(logits.float(), dim=-1)[token_id])
        self.token_ids.append(token_id)
        if self._forced:
            self._forced = self._forced[len(self._tokenizer.token_bytes.by_id[token_id]) :]
        self._text += self._stream.step(token_id)
        self.finish_reason = self._look()
        return token_id

    def cancel(self) -> None:
        """End the generation where it is."""
        self.finish_reason = "cancelled"

    def generation(self) -> Generation:
        """What has been written."""
        return Generation(
            text=self._written[: _first_stop(self._written, self._request.stop)],
            token_ids=tuple(self.token_ids),
            mean_logprob=self._logprob_sum / max(1, len(self.token_ids)),
            finish_reason=self.finish_reason or "cancelled",
        )

    @property
    def _written(self) -> str:
        """The text after what was forced, a stop text in it included."""
        return self._text[len(self._request.prompt.forced) :]

    def _look(self) -> FinishReason | None:
        text = self._written
        if _first_stop(text, self._request.stop) is not None:
            return "stop"
        if self._request.until is not None and text and self._request.until(text):
            return "stop"
        if len(self.token_ids) >= self._request.sampling.max_new_tokens:
            return "length"
        return None


def _first_stop(text: str, stops: Sequence[str]) -> int | None:
    places = [place for stop in stops if (place := text.find(stop)) >= 0]
    return min(places, default=None)
