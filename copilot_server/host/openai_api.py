"""OpenAI's completions API: ``/v1/completions`` and ``/v1/models``.

Source: https://platform.openai.com/docs/api-reference/completions. Our own front end adds an object
``copilot_server`` to a request, which other clients leave out; see ``_extended``.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from copilot_server.engine.base import Generation, GenerationRequest, Prompt, Sampling, Special
from copilot_server.engine.decoding.loop import DecodingLoop
from copilot_server.errors import EngineError
from copilot_server.host.answering import Answer, Ask
from copilot_server.host.body import Body, read_body
from copilot_server.host.hosted import HostedModel, models_of
from copilot_server.host.prompts import infill_prompt, read_prompt
from copilot_server.host.refusals import error_body, invalid, of_engine
from copilot_server.host.stopping import read_stop, settled

#: Limits of a request: prompts, candidates of each.
MOST_PROMPTS, MOST_CANDIDATES = 64, 32
#: The length of an answer for which a client does not name one: OpenAI's.
DEFAULT_TOKENS = 16
MOST_TOKENS = 1 << 20
MOST_SEED = (1 << 63) - 1
OWNER = "copilot-server"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request to ``/v1/completions``, read. ``echo``: the texts to put before each answer, by prompt."""

    asks: tuple[Ask, ...]
    echo: tuple[str, ...]
    stream: bool
    logprobs: bool
    usage: bool
    #: Whether the client is our own, which wants to know of each token.
    extended: bool


async def completions(request: Request) -> Response:
    """Answer ``POST /v1/completions``."""
    body = await read_body(request)
    model = models_of(request).named(body.text("model"))
    wanted = _read(body, model)
    answers = _begun(model, wanted)
    reply = _Reply(model.id, wanted)
    if wanted.stream:
        return StreamingResponse(_events(reply, answers), media_type="text/event-stream")
    try:
        groups = [await answer.whole(request) for answer in answers]
    finally:
        for answer in answers:
            answer.cancel()
    return JSONResponse(reply.whole(groups, answers))


async def list_models(request: Request) -> Response:
    """Answer ``GET /v1/models``."""
    return JSONResponse({"object": "list", "data": [_described(one) for one in models_of(request).all]})


async def one_model(request: Request) -> Response:
    """Answer ``GET /v1/models/{id}``."""
    return JSONResponse(_described(models_of(request).named(request.path_params["id"])))


def _described(model: HostedModel) -> dict[str, object]:
    about = {"id": model.id, "object": "model", "created": model.created_s, "owned_by": OWNER}
    if not model.is_ready:
        return about
    loop, manifest = model.opened()
    known = {"max_model_len": loop.engine.context_length, "dtype": loop.engine.dtype}
    return about | known | {"device": loop.engine.device, "title": manifest.title}


def _begun(model: HostedModel, wanted: Wanted) -> list[Answer]:
    """Begin all answers, or none.

    Raises:
        RefusedError: one of them is refused.
    """
    answers: list[Answer] = []
    try:
        for ask in wanted.asks:
            answers.append(Answer(model, ask))  # noqa: PERF401 - those that were begun are ended below
    except BaseException:
        for answer in answers:
            answer.cancel()
        raise
    return answers


def _read(body: Body, model: HostedModel) -> Wanted:
    """Read what is wanted.

    Raises:
        RefusedError: a field is wrong, or asks for what is not supported.
    """
    loop, manifest = model.opened()
    _refuse_unsupported(body)
    sampling = _sampling(body)
    texts = _prompts(body)
    stop = read_stop(body)
    suffix = body.text("suffix")
    extension = body.nested("copilot_server")
    if suffix:
        engine, tokens = loop.engine, sampling.max_new_tokens
        prompts = [infill_prompt(text, suffix, manifest, engine, new_tokens=tokens) for text in texts]
    else:
        prompts = [read_prompt(text, manifest) for text in texts]
    asks = [Ask(GenerationRequest(prompt, sampling, stop), bool(suffix)) for prompt in prompts]
    if body.given("copilot_server"):
        asks = [_extended(ask, extension, loop) for ask in asks]
    echo = tuple(texts) if body.flag("echo") else ("",) * len(texts)
    return Wanted(
        tuple(asks),
        echo,
        stream=body.flag("stream"),
        logprobs=body.given("logprobs"),
        usage=body.nested("stream_options").flag("include_usage"),
        extended=body.given("copilot_server"),
    )


def _refuse_unsupported(body: Body) -> None:
    for name in ("presence_penalty", "frequency_penalty"):
        body.refuse(name, "the model's own probabilities are used.", unless=0)
    body.refuse("logit_bias", "the model's own probabilities are used.")
    n = body.whole("n", 1, least=1, most=MOST_CANDIDATES)
    body.refuse("best_of", "ask for n candidates.", unless=n)
    body.whole("logprobs", 0, least=0, most=20)
    if body.flag("echo") and body.given("logprobs"):
        raise invalid("echo with logprobs is not supported: the prompt's are not known.", "echo")


def _sampling(body: Body) -> Sampling:
    seed = body.whole("seed", -1, least=-1, most=MOST_SEED)
    temperature = body.number("temperature", 1.0, least=0.0, most=100.0)
    return Sampling(
        temperature=temperature,
        top_p=body.number("top_p", 1.0, least=0.0, most=1.0) or 1e-6,
        seed=None if seed < 0 else seed,
        n=body.whole("n", 1, least=1, most=MOST_CANDIDATES),
        max_new_tokens=body.whole("max_tokens", DEFAULT_TOKENS, least=1, most=MOST_TOKENS),
    )


def _prompts(body: Body) -> Sequence[str]:
    """Return the prompts, one or many.

    Raises:
        RefusedError: they are not texts.
    """
    try:
        texts = body.texts("prompt", most=MOST_PROMPTS, default=("",))
    except Exception as error:
        raise invalid(f"{error} Tokens are not accepted.", "prompt") from error
    if not texts:
        raise invalid("prompt must not be an empty list.", "prompt")
    return texts


def _extended(ask: Ask, body: Body, loop: DecodingLoop) -> Ask:
    """Return what our own front end asks for: it knows which characters of a prompt are control tokens.

    Its answers have, for each choice, the new tokens' ends and log-probabilities as ``trace``; stop texts are
    not held back, since it asks for the rest of them (``tail``) to take the text token by token.

    ``parts``: the prompt, as objects with ``text`` or ``special``; ``forced``: what the answer begins with;
    ``lookup``: texts that it may repeat; ``urgent``; ``greedy_first``. See ``engine.base``.

    Raises:
        RefusedError: a field is wrong.
    """
    request = replace(
        ask.request,
        prompt=read_parts(body, loop) if body.given("parts") else ask.request.prompt,
        sampling=replace(ask.request.sampling, greedy_first=body.flag("greedy_first")),
        lookup=body.texts("lookup", most=16),
    )
    return Ask(request, body.flag("urgent", default=ask.urgent))


def read_parts(body: Body, loop: DecodingLoop) -> Prompt:
    """Return the prompt that our own front end has written out as ``parts`` and ``forced``.

    Raises:
        RefusedError: a field is wrong, or names an unknown control token.
    """
    parts = tuple(_part(one) for one in body.objects("parts", most=1000))
    if unknown := [part.name for part in parts if isinstance(part, Special) and not loop.engine.knows(part)]:
        raise invalid(f"There is no control token {unknown[0][:60]!r}.", "copilot_server.parts")
    return Prompt(parts, body.text("forced"))


def _part(body: Body) -> str | Special:
    return Special(body.text("special")) if body.given("special") else body.text("text")


class _Reply:
    """Makes the JSON of one answer."""

    def __init__(self, model: str, wanted: Wanted) -> None:
        self._wanted = wanted
        self._common = {
            "id": f"cmpl-{secrets.token_hex(12)}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": model,
        }

    @property
    def wanted(self) -> Wanted:
        """What was asked for."""
        return self._wanted

    def whole(self, groups: Sequence[Sequence[Generation]], answers: Sequence[Answer]) -> dict[str, object]:
        """Return a whole answer."""
        choices = [
            self.choice(self.index(number, index), one, one.text, echo=self._wanted.echo[number], last=True)
            | self.extension(one, 0, answers[number].tail(index))
            for number, group in enumerate(groups)
            for index, one in enumerate(group)
        ]
        return self._common | {"choices": choices, "usage": usage(groups, answers)}

    def chunk(self, choices: Iterable[dict[str, object]], **more: object) -> dict[str, object]:
        """Return a part of a streamed answer."""
        return self._common | {"choices": list(choices)} | more

    def index(self, prompt: int, candidate: int) -> int:
        """Return the number of a candidate among those of all prompts."""
        return prompt * self._wanted.asks[0].request.sampling.n + candidate

    def choice(  # noqa: PLR0913 - what a choice is made of
        self, index: int, one: Generation, text: str, *, start: int = 0, echo: str = "", last: bool
    ) -> dict[str, object]:
        """Return ``text``, which a candidate has from index ``start`` on. ``last``: nothing follows."""
        return {
            "index": index,
            "text": echo + text,
            "logprobs": _logprobs(one, start, start + len(text)) if self._wanted.logprobs else None,
            "finish_reason": _reason(one) if last else None,
        }

    def extension(self, one: Generation, seen: int, tail: str | None) -> dict[str, object]:
        """Return what our own front end learns: the tokens after the first ``seen``, and how it has ended.

        ``tail``: what was written after the text, a stop text; None while something may follow.
        """
        if not self._wanted.extended:
            return {}
        trace = [[written.end, written.logprob] for written in one.trace[seen:]]
        ended = {} if tail is None else {"finish_reason": one.finish_reason, "tail": tail}
        return {"copilot_server": {"trace": trace} | ended}


def _reason(one: Generation) -> str:
    return "length" if one.finish_reason in ("length", "cancelled") else "stop"


def _logprobs(one: Generation, start: int, end: int) -> dict[str, object]:
    """Return the tokens that begin from ``start`` to ``end``; of each only the one that was chosen."""
    starts = [0, *(written.end for written in one.trace)]
    spans = [
        (max(0, first), min(written.end, len(one.text)), written.logprob)
        for first, written in zip(starts, one.trace, strict=False)
        if start <= max(0, first) < min(written.end, end)
    ]
    tokens = [one.text[first:last] for first, last, _ in spans]
    logprobs = [logprob for _, _, logprob in spans]
    return {
        "tokens": tokens,
        "token_logprobs": logprobs,
        "top_logprobs": [{token: logprob} for token, logprob in zip(tokens, logprobs, strict=True)],
        "text_offset": [first for first, _, _ in spans],
    }


def usage(groups: Iterable[Sequence[Generation]], answers: Iterable[Answer]) -> dict[str, int]:
    """Return how many tokens were read and written."""
    prompt = sum(answer.prompt_tokens for answer in answers)
    written = sum(one.tokens for group in groups for one in group)
    return {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}


async def _events(reply: _Reply, answers: Sequence[Answer]) -> AsyncGenerator[bytes]:
    """Yield the events of a streamed answer, prompt by prompt."""
    groups: list[Sequence[Generation]] = []
    try:
        for number, answer in enumerate(answers):
            async for event in _of_prompt(reply, number, answer, groups):
                yield sse(event)
        if reply.wanted.usage:
            yield sse(reply.chunk([], usage=usage(groups, answers)))
    except EngineError as error:
        yield sse(error_body(of_engine(error)))
    finally:
        for answer in answers:
            answer.cancel()
    yield b"data: [DONE]\n\n"


async def _of_prompt(
    reply: _Reply, number: int, answer: Answer, groups: list[Sequence[Generation]]
) -> AsyncGenerator[dict[str, Any]]:
    request = reply.wanted.asks[number].request
    progress = [_Progress(reply.wanted.echo[number]) for _ in range(request.sampling.n)]
    held_back = () if reply.wanted.extended else request.stop
    async for group, last in answer.growing():
        choices = []
        for index, (one, sent) in enumerate(zip(group, progress, strict=True)):
            text = one.text if last else settled(one.text, held_back)
            if not last and len(text) <= sent.characters and not sent.echo:
                continue
            added = reply.choice(
                reply.index(number, index),
                one,
                text[sent.characters :],
                start=sent.characters,
                echo=sent.echo,
                last=last,
            )
            choices.append(added | reply.extension(one, sent.tokens, answer.tail(index) if last else None))
            sent.echo, sent.characters, sent.tokens = "", max(sent.characters, len(text)), len(one.trace)
        if choices:
            yield reply.chunk(choices)
        if last:
            groups.append(group)


@dataclass(slots=True)
class _Progress:
    """What a client has got of a candidate. ``echo``: what still comes before its text."""

    echo: str
    characters: int = 0
    tokens: int = 0


def sse(event: object) -> bytes:
    """Return a server-sent event with JSON as its data."""
    return b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n"
