"""One generation by a remote engine: what to ask for, and how to read the answer.

What a local engine does token by token (stop texts, the end of the scope, the forced beginning of the output)
is done here on the text as it arrives, with the same result.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from copilot_server.catalog import FimTokens
from copilot_server.engine.backends.remote.answers import Piece, Token
from copilot_server.engine.backends.remote.escaping import Escaping, split_infill
from copilot_server.engine.backends.remote.failures import malformed
from copilot_server.engine.base import FinishReason, Generation, GenerationRequest, Written
from copilot_server.engine.decoding.stops import first_stop

#: How many alternatives to request for each token while the output is forced: as many as vLLM gives by
#: default (``--max-logprobs``).
ALTERNATIVES = 20
#: The most code points of a token, on average over an answer. The longest tokens are runs of some 128 blanks.
MOST_OF_A_TOKEN = 256
#: Stands for a character whose first bytes were in one token and whose last bytes never came.
_CUT_CHARACTER = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True)
class Ask:
    """What to ask an engine for, independent of the engine's dialect.

    ``suffix``: the text after the gap, for an engine that builds infilling prompts itself; else None.
    ``seed``: below 2 ** 31, which every engine accepts; None lets the engine choose one.
    ``logprobs``: how many tokens to return for each position.
    """

    prompt: str
    suffix: str | None
    max_tokens: int
    temperature: float
    top_p: float
    seed: int | None
    stop: tuple[str, ...]
    logprobs: int


class RemoteCandidate:
    """A candidate of a request. ``fim``: the tokens of infilling prompts that the engine builds itself."""

    def __init__(
        self, request: GenerationRequest, index: int, escaping: Escaping, fim: FimTokens | None = None
    ) -> None:
        self.finish_reason: FinishReason | None = None
        #: Called once, when the answer begins and the engine has therefore read the prompt.
        self.on_begin: Callable[[], None] | None = None
        self._request = request
        self._escaping = escaping
        sampling = request.sampling
        self._temperature = 0.0 if sampling.greedy_first and index == 0 else sampling.temperature
        self._seed = None if sampling.seed is None else _seed(sampling.seed, index)
        self._random = random.Random(self._seed)  # noqa: S311 - no secret
        infill = split_infill(request.prompt, fim) if fim else None
        before, after = infill or (request.prompt, None)
        self._prompt = escaping.render(before)
        self._suffix = None if after is None else escaping.render(after)
        # The beginning of the output that was chosen here, and which the engine is asked to continue.
        self._head: str = ""
        self._head_trace: tuple[Written, ...] = ()
        # What the current stream has added; ``_owed`` is the part of the forced beginning that has yet to
        # come.
        self._raw, self._owed = "", request.prompt.forced
        self._trace: list[Written] = []

    @property
    def prompt(self) -> str:
        """The text that the engine reads, by which prompts with a common beginning are grouped."""
        return self._prompt

    @property
    def has_begun(self) -> bool:
        """Whether the current stream has brought anything."""
        return len(self._trace) > len(self._head_trace)

    def ask(self) -> Ask:
        """What to ask for now."""
        sampling = self._request.sampling
        return Ask(
            prompt=self._prompt + self._head,
            suffix=self._suffix,
            max_tokens=sampling.max_new_tokens - len(self._head_trace),
            temperature=self._temperature,
            top_p=sampling.top_p if self._temperature else 1.0,
            seed=self._seed if self._temperature else None,
            stop=self._request.stop,
            logprobs=ALTERNATIVES if self._owed else 1,
        )

    def restart(self) -> None:
        """Forget what an interrupted stream brought."""
        self._begin_stream()

    def accept(self, piece: Piece) -> bool:
        """Append what an event adds; return whether this stream has served its purpose.

        Then the candidate is finished, or has to be asked for again, since the output did not begin as it
        must.

        Raises:
            Unanswered: there is far more text, or there are more tokens, than was asked for.
        """
        self._begun()
        self._check_size(piece)
        tokens = piece.tokens or ((Token(piece.text, 0.0),) if piece.text else ())
        end = len(self._raw)
        for token in tokens:
            end += len(token.text)
            if self._owed and not _agree(token.text, self._owed):
                self._choose(token)
                return True
            self._owed = self._owed[len(token.text) :]
            if token.text and self._escaping.control_at(token.text) is None:  # it did not end the text
                self._trace.append(self._token(end, token.logprob))
        self._raw += piece.text
        if piece.finish and not self._raw.startswith(self._request.prompt.forced):
            self._choose(Token("", 0.0))
            return True
        self.finish_reason = self._reason_to_finish(piece)
        return self.finish_reason is not None

    def cancel(self) -> None:
        """End the generation where it is."""
        self.finish_reason = self.finish_reason or "cancelled"

    def generation(self) -> Generation:
        """What has been written."""
        text = self._written
        return Generation(
            text=text[: first_stop(text, self._request.stop)].rstrip(_CUT_CHARACTER),
            token_ids=(),
            mean_logprob=sum(one.logprob for one in self._trace) / max(1, len(self._trace)),
            finish_reason=self.finish_reason or "cancelled",
            tokens=len(self._trace),
            trace=tuple(self._trace),
        )

    @property
    def _written(self) -> str:
        """The text after the forced one, up to a control token and including a stop text."""
        raw = self._raw[len(self._request.prompt.forced) :]
        return self._escaping.unescape(raw[: self._escaping.control_at(raw)])

    def _begun(self) -> None:
        if self.on_begin is not None:
            on_begin, self.on_begin = self.on_begin, None
            on_begin()

    def _check_size(self, piece: Piece) -> None:
        """Refuse what an engine that keeps to ``max_tokens`` cannot send."""
        most = self._request.sampling.max_new_tokens
        characters = len(self._raw) + len(piece.text) - len(self._request.prompt.forced)
        # Tokens that a stop text is made of, or that the forced beginning was, are not in the trace.
        if characters > MOST_OF_A_TOKEN * (most + 1) or len(piece.tokens) > 2 * most + MOST_OF_A_TOKEN:
            raise malformed("more text than it was asked for")

    def _begin_stream(self) -> None:
        self._raw = self._head
        self._trace = list(self._head_trace)
        self._owed = self._request.prompt.forced[len(self._head) :]

    def _choose(self, instead_of: Token) -> None:
        """Choose the token at which the output went astray, and have the engine continue from it.

        It is sampled from those of the engine's alternatives that agree with the forced text, as a local
        engine samples from all allowed tokens. If none agrees, the rest of the forced text is taken.
        """
        written = self._request.prompt.forced[: len(self._request.prompt.forced) - len(self._owed)]
        allowed = [one for one in instead_of.others if one[0] and _agree(one[0], self._owed)]
        if allowed:
            text, logprob = self._sample(allowed)
            self._trace.append(self._token(len(written) + len(text), logprob))
        else:
            text, self._trace = self._owed, []  # the user typed it, and the model wrote none of it
        self._head, self._head_trace = written + text, tuple(self._trace)
        self._begin_stream()

    def _token(self, end: int, logprob: float) -> Written:
        """Return a token of the output that ends at ``end`` in what the engine has written."""
        return Written(end - len(self._request.prompt.forced), logprob)

    def _sample(self, allowed: list[tuple[str, float]]) -> tuple[str, float]:
        if self._temperature == 0.0:
            return max(allowed, key=lambda one: one[1])
        most = max(logprob for _, logprob in allowed)
        weights = [math.exp((logprob - most) / self._temperature) for _, logprob in allowed]
        return self._random.choices(allowed, weights)[0]

    def _reason_to_finish(self, piece: Piece) -> FinishReason | None:
        # Not every engine ends at stop texts and control tokens.
        if piece.text and (text := self._written):
            if first_stop(text, self._request.stop) is not None:
                return "stop"
            if self._request.until is not None and self._request.until(text):
                return "stop"
        if self._escaping.control_at(self._raw) is not None:
            return "eos"
        if piece.finish == "stop":
            return self._stopped(piece)
        full = len(self._trace) >= self._request.sampling.max_new_tokens
        return "length" if full or piece.finish == "length" else None

    def _stopped(self, piece: Piece) -> FinishReason:
        """Whether a stop text or the end of the text ended it, which few engines report."""
        if not self._request.stop:
            return "eos"
        return "stop" if piece.stopped_by in ("", *self._request.stop) else "eos"


def _agree(token: str, owed: str) -> bool:
    """Whether an output that must begin with ``owed`` may begin with ``token``."""
    return token.startswith(owed) or owed.startswith(token)


def _seed(seed: int, index: int) -> int:
    """A different seed for each candidate, however many there are."""
    digest = hashlib.blake2b(f"{seed}/{index}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") >> 1
