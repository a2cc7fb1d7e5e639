"""What an engine is: the one interface between completions and whatever runs the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from copilot_server.errors import EngineError

FinishReason = Literal["stop", "eos", "length", "cancelled"]


class Cancel(Protocol):
    """A flag that says whether the answer is no longer wanted, such as ``threading.Event``."""

    def is_set(self) -> bool:
        """Whether to stop now."""
        ...


@dataclass(frozen=True, slots=True)
class Special:
    """A control token by its name, as ``<|fim_prefix|>``.

    Only a ``Special`` becomes a control token: the same characters in a user's text stay plain text.
    """

    name: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model reads: text and control tokens in order, then ``forced``.

    The output must begin with ``forced`` (token healing: text that ends in the middle of what the model
    knows as one token is taken off the prompt and asked of the output). It is not part of a
    ``Generation``'s text.
    """

    parts: tuple[str | Special, ...]
    forced: str = ""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are sampled. ``temperature`` 0 is greedy; nucleus sampling keeps ``top_p`` of the mass.

    ``n`` candidates are sampled after one prefill; with ``greedy_first`` the first of them is greedy. With a
    ``seed``, candidate i of a prompt gets the same random numbers however many are decoded beside it.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    n: int = 1
    greedy_first: bool = False
    max_new_tokens: int = 256


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One prompt, how to sample from it, and when to stop.

    ``stop``: texts that end a generation and are not part of it.
    ``until``: called after each token with the text so far; true ends the generation.
    ``lookup``: texts beside the prompt that the output may repeat, such as the previous suggestion. They
    can make the output come sooner, and never change it.
    """

    prompt: Prompt
    sampling: Sampling = Sampling()
    stop: tuple[str, ...] = ()
    until: Callable[[str], bool] | None = None
    lookup: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """A token of an output: its natural-log probability, and the length of the text up to its end.

    The length is 0 or less for a token that only repeats what the output was forced to begin with.
    """

    end: int
    logprob: float


@dataclass(frozen=True, slots=True)
class Generation:
    """What the model wrote: no control token and no stop text in it.

    ``tokens`` is the number of tokens, and ``token_ids`` holds their ids, or nothing if a remote engine does
    not report them. ``mean_logprob`` is their mean natural-log probability under the model at temperature 1
    (0.0 when there are none). ``trace`` has these tokens one by one; it is empty if the engine does not say.
    """

    text: str
    token_ids: tuple[int, ...]
    mean_logprob: float
    finish_reason: FinishReason
    tokens: int
    trace: tuple[Written, ...] = field(default=(), compare=False, repr=False)


class Engine(Protocol):
    """A model ready to generate. One thread at a time may call it, until it is closed."""

    @property
    def device(self) -> str:
        """Where it runs, as ``cpu`` or ``cuda:0``."""
        ...

    @property
    def dtype(self) -> str:
        """The number format of its weights, as ``bfloat16``."""
        ...

    @property
    def context_length(self) -> int:
        """The most tokens that prompt and completion may have together."""
        ...

    @property
    def notices(self) -> Sequence[str]:
        """What the user should know about how the model runs, one message each; often nothing.

        A notice names a faster way that was passed over, why, and what can be done about it, such as kernels
        that are not installed.
        """
        ...

    def knows(self, special: Special) -> bool:
        """Whether the model's vocabulary has this control token."""
        ...

    def count_tokens(self, text: str) -> int:
        """The number of tokens in ``text``, in which control tokens count as plain text."""
        ...

    def stable_length(self, text: str) -> int:
        """The length of the longest beginning of ``text`` after which a prompt may end.

        Its tokens are the first ones of any text that begins with ``text``. What is left, if anything, the
        output has to begin with: see ``Prompt.forced``.
        """
        ...

    def generate(self, request: GenerationRequest, cancel: Cancel) -> list[Generation]:
        """Generate ``request.sampling.n`` candidates.

        Cancelling ends them after the token being decoded, with the reason ``cancelled``.

        Raises:
            PromptTooLongError: prompt and completion do not fit ``context_length``.
            EngineError: the model could not run, for instance for lack of memory.
        """
        ...

    def generate_batch(
        self,
        requests: Sequence[GenerationRequest],
        cancel: Cancel,
        on_done: Callable[[int, list[Generation]], None] | None = None,
        *,
        batch_size: int = 16,
    ) -> list[list[Generation]]:
        """Generate for many prompts at once; in float32 the texts are those that ``generate`` gives.

        At most ``batch_size`` generations are decoded at a time. ``on_done(index, generations)`` is called
        as each request finishes.
        """
        ...

    def close(self) -> None:
        """Return the memory and the connections that the engine holds; it cannot generate afterwards.

        Whoever replaces an engine closes it before loading the next one. Closing twice does no harm.
        """
        ...


@runtime_checkable
class ReadingEngine(Protocol):
    """An engine that can read a prompt before anyone asks, as one in this process does."""

    def read(self, prompts: Sequence[Prompt], cancel: Cancel) -> None:
        """Read prompts and generate nothing, so that prompts that begin like them are answered sooner.

        The first is the one most likely to be needed. It ends soon after ``cancel`` is set; what has been
        read by then is kept, and the next call of this or of ``generate`` goes on from there.

        Raises:
            EngineError: the model could not run.
        """
        ...

    def reading_speed_tok_s(self) -> float:
        """Return how fast the model reads a new prompt, in tokens per second.

        It is measured once at most, so that an engine always says the same.
        """
        ...


@runtime_checkable
class WatchedEngine(Protocol):
    """An engine that can fail and recover by itself, such as a remote one."""

    def watch(self, on_change: Callable[[EngineError | None], None]) -> None:
        """Have ``on_change`` called, from any thread: with the error on failure, with None on recovery."""
        ...
