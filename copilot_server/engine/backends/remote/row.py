"""One generation that an engine elsewhere writes: what to ask for, and what to make of its answer.

What an engine in this process does token by token (stop texts, the end of the scope, what the output must
begin with) is done here on the text as it comes, so that the same text comes out.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from copilot_server.catalog import FimTokens
from copilot_server.engine.backends.remote.answers import Piece, Token
from copilot_server.engine.backends.remote.escaping import Spelling, split_infill
from copilot_server.engine.base import FinishReason, Generation, GenerationRequest
from copilot_server.engine.decoding.stops import first_stop

#: How many tokens that might have stood in its place are asked for, while the output is forced: as many as
#: vLLM gives unless told otherwise (its ``--max-logprobs``).
ALTERNATIVES = 20
#: What stands for a character that a token began and no other ended.
_CUT_CHARACTER = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True)
class Ask:
    """What an engine is asked for, before it is put in the form that this engine takes.

    ``suffix``: what follows the gap, for an engine that makes infilling prompts by itself; else None.
    ``seed``: below 2 ** 31, which every engine takes; None for a draw of its own.
    ``logprobs``: how many tokens to give with each position.
    """

    prompt: str
    suffix: str | None
    max_tokens: int
    temperature: float
    top_p: float
    seed: int | None
    stop: tuple[str, ...]
    logprobs: int


@dataclass(slots=True)
class _Tally:
    """Tokens, and the sum of their natural-log probabilities."""

    tokens: int = 0
    logprob: float = 0.0

    def add(self, logprob: float) -> None:
        self.tokens += 1
        self.logprob += logprob


class RemoteRow:
    """A candidate of a request. ``fim``: the tokens of infilling prompts that the engine makes by itself."""

    def __init__(
        self, request: GenerationRequest, candidate: int, spelling: Spelling, fim: FimTokens | None = None
    ) -> None:
        self.finish_reason: FinishReason | None = None
        #: Called once, when the first of an answer has come: the engine has read the prompt.
        self.on_begin: Callable[[], None] | None = None
        self._request = request
        self._spelling = spelling
        sampling = request.sampling
        self._temperature = 0.0 if sampling.greedy_first and candidate == 0 else sampling.temperature
        self._seed = None if sampling.seed is None else _seed(sampling.seed, candidate)
        self._random = random.Random(self._seed)  # noqa: S311 - no secret
        infill = split_infill(request.prompt, fim) if fim else None
        before, after = infill or (request.prompt, None)
        self._prompt = spelling.spell(before)
        self._suffix = None if after is None else spelling.spell(after)
        # What the output begins with by our choice: the engine is asked to go on from there.
        self._head, self._head_tally = "", _Tally()
        # What the stream at hand makes of it; ``_owed`` is what of the forced beginning is still to come.
        self._raw, self._tally, self._owed = "", _Tally(), request.prompt.forced

    @property
    def prompt(self) -> str:
        """What the engine reads first, by which prompts that begin alike are found."""
        return self._prompt

    @property
    def has_begun(self) -> bool:
        """Whether anything of the stream at hand has come."""
        return self._tally.tokens > self._head_tally.tokens

    def ask(self) -> Ask:
        """What to ask for now."""
        sampling = self._request.sampling
        return Ask(
            prompt=self._prompt + self._head,
            suffix=self._suffix,
            max_tokens=sampling.max_new_tokens - self._head_tally.tokens,
            temperature=self._temperature,
            top_p=sampling.top_p if self._temperature else 1.0,
            seed=self._seed if self._temperature else None,
            stop=self._request.stop,
            logprobs=ALTERNATIVES if self._owed else 1,
        )

    def restart(self) -> None:
        """Forget what a stream brought that broke off."""
        self._begin_stream()

    def accept(self, piece: Piece) -> bool:
        """Take what an event adds; returns whether nothing more is wanted of this stream.

        Then it is either finished, or to be asked anew, since the output did not begin as it must.
        """
        self._begun()
        tokens = piece.tokens or ((Token(piece.text, 0.0),) if piece.text else ())
        for token in tokens:
            if self._owed and not _agree(token.text, self._owed):
                self._choose(token)
                return True
            self._owed = self._owed[len(token.text) :]
            if token.text and self._spelling.control_at(token.text) is None:  # not what ended the text
                self._tally.add(token.logprob)
        self._raw += piece.text
        if piece.finish and not self._raw.startswith(self._request.prompt.forced):
            self._choose(Token("", 0.0))
            return True
        self.finish_reason = self._look(piece)
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
            mean_logprob=self._tally.logprob / max(1, self._tally.tokens),
            finish_reason=self.finish_reason or "cancelled",
            tokens=self._tally.tokens,
        )

    @property
    def _written(self) -> str:
        """The text after what was forced up to a control token, a stop text in it included."""
        raw = self._raw[len(self._request.prompt.forced) :]
        return self._spelling.restored(raw[: self._spelling.control_at(raw)])

    def _begun(self) -> None:
        if self.on_begin is not None:
            on_begin, self.on_begin = self.on_begin, None
            on_begin()

    def _begin_stream(self) -> None:
        self._raw = self._head
        self._tally = _Tally(self._head_tally.tokens, self._head_tally.logprob)
        self._owed = self._request.prompt.forced[len(self._head) :]

    def _choose(self, instead_of: Token) -> None:
        """Choose the token that the output strayed at, and have the engine go on from it.

        A token that the output may go on with is drawn from those that the engine thought of, as from all
        that are allowed where the model runs here; if none of them will do, all that is owed is taken.
        """
        written = self._request.prompt.forced[: len(self._request.prompt.forced) - len(self._owed)]
        allowed = [one for one in instead_of.others if one[0] and _agree(one[0], self._owed)]
        if allowed:
            text, logprob = self._drawn(allowed)
            self._tally.add(logprob)
        else:
            text, self._tally = self._owed, _Tally()  # what was typed, of which the model wrote nothing
        self._head, self._head_tally = written + text, self._tally
        self._begin_stream()

    def _drawn(self, allowed: list[tuple[str, float]]) -> tuple[str, float]:
        if self._temperature == 0.0:
            return max(allowed, key=lambda one: one[1])
        most = max(logprob for _, logprob in allowed)
        weights = [math.exp((logprob - most) / self._temperature) for _, logprob in allowed]
        return self._random.choices(allowed, weights)[0]

    def _look(self, piece: Piece) -> FinishReason | None:
        # Stop texts and control tokens are looked for here too: not every engine ends at them.
        if piece.text and (text := self._written):
            if first_stop(text, self._request.stop) is not None:
                return "stop"
            if self._request.until is not None and self._request.until(text):
                return "stop"
        if self._spelling.control_at(self._raw) is not None:
            return "eos"
        if piece.finish == "stop":
            return self._stopped(piece)
        full = self._tally.tokens >= self._request.sampling.max_new_tokens
        return "length" if full or piece.finish == "length" else None

    def _stopped(self, piece: Piece) -> FinishReason:
        """Whether a stop text or the end of the text ended it; few engines tell."""
        if not self._request.stop:
            return "eos"
        return "stop" if piece.stopped_by in ("", *self._request.stop) else "eos"


def _agree(token: str, owed: str) -> bool:
    """Whether an output that must begin with ``owed`` may begin with ``token``."""
    return token.startswith(owed) or owed.startswith(token)


def _seed(seed: int, candidate: int) -> int:
    """A seed of its own for each candidate, however many are drawn beside it."""
    digest = hashlib.blake2b(f"{seed}/{candidate}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") >> 1
