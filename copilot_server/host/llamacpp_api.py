"""The API of llama.cpp's server, as far as editors' plugins use it.

Source: https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md, and what llama.vim and
llama.vscode send. Options of samplers that the engine does not have are ignored, as unknown fields are.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from copilot_server import __version__
from copilot_server.engine.base import Generation, GenerationRequest, Prompt, Sampling
from copilot_server.errors import EngineError
from copilot_server.host.answering import Answer, Ask
from copilot_server.host.body import Body, read_body
from copilot_server.host.hosted import BATCH_SIZE, HostedModel, models_of
from copilot_server.host.openai_api import MOST_SEED, MOST_TOKENS, sse
from copilot_server.host.prompts import infill_prompt, read_prompt
from copilot_server.host.refusals import error_body, of_engine
from copilot_server.host.stopping import read_stop, settled

#: The length of an answer where a client wants as many tokens as it takes.
UNLIMITED = 1024
#: How many pieces of other files a request may have.
MOST_EXTRA = 256
_STOP_TYPES = {"eos": "eos", "stop": "word", "length": "limit", "cancelled": "limit"}


async def completion(request: Request) -> Response:
    """Answer ``POST /completion``."""
    body = await read_body(request)
    model = _model(request, body)
    _, manifest = model.opened()
    prompt = read_prompt(body.text("prompt"), manifest)
    return await _answer(request, model, body, prompt, urgent=False)


async def infill(request: Request) -> Response:
    """Answer ``POST /infill``, which editors ask at each key: before all that is not urgent, and greedily."""
    body = await read_body(request)
    model = _model(request, body)
    loop, manifest = model.opened()
    before = body.text("input_prefix") + body.text("prompt")
    others = "".join(_other(one) for one in body.objects("input_extra", most=MOST_EXTRA))
    prompt = infill_prompt(
        before,
        body.text("input_suffix"),
        manifest,
        loop.engine,
        others=others,
        new_tokens=_sampling(body, 0.0).max_new_tokens,
    )
    return await _answer(request, model, body, prompt, urgent=True)


async def tokenize(request: Request) -> Response:
    """Answer ``POST /tokenize``."""
    body = await read_body(request)
    loop, manifest = _model(request, body).opened()
    text = body.text("content")
    if body.flag("parse_special", default=True):
        ids = loop.engine.tokenizer.encode(read_prompt(text, manifest))
    else:
        ids = loop.engine.tokenizer.encode_text(text)
    return JSONResponse({"tokens": ids})


async def props(request: Request) -> Response:
    """Answer ``GET /props``."""
    model = models_of(request).all[0]
    loop, manifest = model.opened()
    generation = {"n_ctx": loop.engine.context_length, "params": {"temperature": 0.0, "n_predict": UNLIMITED}}
    return JSONResponse(
        {
            "default_generation_settings": generation,
            "total_slots": BATCH_SIZE,
            "model_alias": model.id,
            "model_path": model.id,
            "chat_template": "",
            "build_info": f"copilot-server {__version__}",
            "fim": manifest.fim is not None,
        }
    )


async def slots(request: Request) -> Response:
    """Answer ``GET /slots``, of which the first are at work. Urgent requests may make them more."""
    model = models_of(request).all[0]
    loop, _ = model.opened()
    busy, context = model.requests, loop.engine.context_length
    count = max(BATCH_SIZE, busy)
    return JSONResponse(
        [{"id": number, "n_ctx": context, "is_processing": number < busy} for number in range(count)]
    )


async def health(request: Request) -> Response:
    """Answer ``GET /health``: whether the first model is ready."""
    models_of(request).all[0].opened()
    return JSONResponse({"status": "ok"})


def _model(request: Request, body: Body) -> HostedModel:
    return models_of(request).named(body.text("model"))


def _other(body: Body) -> str:
    """Return a piece of another file, as whole lines."""
    text = body.text("text")
    return text if text.endswith("\n") or not text else text + "\n"


def _sampling(body: Body, temperature: float) -> Sampling:
    """Read how to sample. ``temperature``: where the body has none."""
    tokens = body.whole("n_predict", -1, least=-2, most=MOST_TOKENS)
    seed = body.whole("seed", -1, least=-1, most=MOST_SEED)
    greedy = body.whole("top_k", 40, least=0, most=MOST_TOKENS) == 1
    return Sampling(
        temperature=0.0 if greedy else body.number("temperature", temperature, least=0.0, most=100.0),
        top_p=body.number("top_p", 1.0, least=0.0, most=1.0) or 1e-6,
        seed=None if seed < 0 else seed,
        max_new_tokens=UNLIMITED if tokens < 0 else max(1, tokens),  # with 0, one that is not shown
    )


async def _answer(
    request: Request, model: HostedModel, body: Body, prompt: Prompt, *, urgent: bool
) -> Response:
    stop = read_stop(body)
    ask = Ask(GenerationRequest(prompt, _sampling(body, 0.0 if urgent else 0.8), stop), urgent)
    reply = _Reply(
        model, Answer(model, ask), ask, empty=body.whole("n_predict", 1, least=-2, most=MOST_TOKENS) == 0
    )
    if body.flag("stream"):
        return StreamingResponse(reply.events(), media_type="text/event-stream")
    return JSONResponse(await reply.whole(request))


class _Reply:
    """Makes the JSON of one answer. ``empty``: only the prompt was to be read."""

    def __init__(self, model: HostedModel, answer: Answer, ask: Ask, *, empty: bool) -> None:
        self._model = model
        self._answer = answer
        self._ask = ask
        self._empty = empty
        self._begun_s = time.monotonic()

    async def whole(self, request: Request) -> dict[str, Any]:
        """Return the whole answer; errors as ``Answer.whole``."""
        (one,) = await self._answer.whole(request)
        return self._last(one, one.text)

    async def events(self) -> AsyncGenerator[bytes]:
        """Yield the events of a streamed answer."""
        sent = 0
        try:
            async for (one,), last in self._answer.growing():
                text = one.text if last else settled(one.text, self._ask.request.stop)
                added, sent = text[sent:], max(sent, len(text))
                if last:
                    yield sse(self._last(one, added))
                elif added and not self._empty:
                    yield sse({"index": 0, "content": added, "tokens": [], "stop": False})
        except EngineError as error:
            yield sse(error_body(of_engine(error)))

    def _last(self, one: Generation, text: str) -> dict[str, Any]:
        """Return the last event, or the whole answer, with ``text`` as its content."""
        loop, _ = self._model.opened()
        took_ms = (time.monotonic() - self._begun_s) * 1000
        stopped = one.finish_reason == "stop"
        return {
            "index": 0,
            "content": "" if self._empty else text,
            "tokens": [],
            "id_slot": 0,
            "stop": True,
            "model": self._model.id,
            "tokens_predicted": 0 if self._empty else one.tokens,
            "tokens_evaluated": self._answer.prompt_tokens,
            "tokens_cached": self._answer.prompt_tokens + one.tokens,
            "generation_settings": {"n_ctx": loop.engine.context_length},
            "has_new_line": "\n" in one.text,
            "truncated": False,
            "stop_type": _STOP_TYPES[one.finish_reason],
            "stopping_word": self._ask.request.stop[0]
            if stopped and len(self._ask.request.stop) == 1
            else "",
            "timings": _timings(self._answer.prompt_tokens, one.tokens, took_ms),
        }


def _timings(prompt: int, written: int, took_ms: float) -> dict[str, float]:
    """Return what clients show as speed. Reading and writing are not timed apart: all counts as writing."""
    return {
        "prompt_n": prompt,
        "prompt_ms": 0.0,
        "prompt_per_token_ms": 0.0,
        "prompt_per_second": 0.0,
        "predicted_n": written,
        "predicted_ms": took_ms,
        "predicted_per_token_ms": took_ms / max(1, written),
        "predicted_per_second": written / max(took_ms / 1000, 1e-9),
    }
