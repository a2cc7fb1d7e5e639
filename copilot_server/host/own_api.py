"""What only our own front end asks a host for: about the model, and to read prompts ahead."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator

import psutil
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from copilot_server import __version__
from copilot_server.host.answering import done_or_gone
from copilot_server.host.body import read_body
from copilot_server.host.hosted import HostedModel, models_of
from copilot_server.host.openai_api import read_parts
from copilot_server.shown import shown_lines

MOST_PROMPTS = 8


async def about(request: Request) -> Response:
    """Answer ``GET /copilot-server/about``: what an ``Engine`` knows of itself."""
    model = models_of(request).all[0]
    loop, _ = model.opened()
    return JSONResponse(
        {
            "device": loop.engine.device,
            "dtype": loop.engine.dtype,
            "context_length": loop.engine.context_length,
            "notices": list(loop.engine.notices),
            "reading_speed_tok_s": model.reading_speed_tok_s,
        }
    )


async def status(request: Request) -> Response:
    """Answer ``GET /copilot-server/status``: what ``copilot-server status`` shows of this host."""
    process = psutil.Process()
    return JSONResponse(
        {
            "version": __version__,
            "pid": process.pid,
            "memory_bytes": process.memory_info().rss,
            "uptime_s": round(time.time() - process.create_time(), 1),
            "clients": request.app.state.clients,
            "models": [_model_status(one) for one in models_of(request).all],
        }
    )


def _model_status(model: HostedModel) -> dict[str, object]:
    about = {"id": model.id, "requests": model.requests}
    if model.failure is not None:
        return about | {"state": "failed", "error": shown_lines(str(model.failure))}
    if not model.is_ready:
        return about | {"state": "loading"}
    counters = model.opened()[0].engine.counters
    prompt = {"read": counters.prompt_tokens_read, "reused": counters.prompt_tokens_reused}
    return about | {"state": "ready", "prompt_tokens": prompt}


async def stop(request: Request) -> Response:
    """Answer ``POST /copilot-server/stop``: the host ends as on SIGTERM."""
    request.app.state.stop()
    return JSONResponse({})


async def presence(request: Request) -> Response:
    """Answer ``GET /copilot-server/presence``, until the client hangs up or the host ends.

    A client keeps it open so that the host does not end for want of clients, and to notice when it does.
    """
    state = request.app.state

    async def nothing() -> AsyncGenerator[bytes]:
        state.clients += 1
        try:
            yield b"\n"
            await state.ending.wait()
        finally:
            state.clients -= 1

    return StreamingResponse(nothing(), media_type="text/plain")


async def read(request: Request) -> Response:
    """Answer ``POST /copilot-server/read``, once prompts have been read; hanging up ends it."""
    body = await read_body(request)
    loop, _ = models_of(request).all[0].opened()
    prompts = [read_parts(one, loop) for one in body.objects("prompts", most=MOST_PROMPTS)]
    reading = loop.read(prompts)
    try:
        await done_or_gone(asyncio.wrap_future(reading.done), request)
    finally:
        reading.cancel()
    return JSONResponse({})
