"""The routes of a host."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from copilot_server.host import llamacpp_api, openai_api, own_api
from copilot_server.host.guard import Guard
from copilot_server.host.hosted import HostedModels
from copilot_server.host.metrics import metrics
from copilot_server.host.refusals import RefusedError, error_response

_POST, _GET = ["POST"], ["GET"]
#: What is answered to a client that has gone; nobody reads it.
_CLIENT_GONE = 499


def make_app(models: HostedModels, *, token: str | None, stop: Callable[[], None]) -> Starlette:
    """Return the application that serves ``models``; see ``Guard`` for ``token``. ``stop`` ends the host."""
    app = Starlette(
        routes=[
            Route("/v1/completions", openai_api.completions, methods=_POST),
            Route("/v1/models", openai_api.list_models, methods=_GET),
            Route("/v1/models/{id:path}", openai_api.one_model, methods=_GET),
            Route("/completion", llamacpp_api.completion, methods=_POST),
            Route("/infill", llamacpp_api.infill, methods=_POST),
            Route("/tokenize", llamacpp_api.tokenize, methods=_POST),
            Route("/props", llamacpp_api.props, methods=_GET),
            Route("/slots", llamacpp_api.slots, methods=_GET),
            Route("/health", llamacpp_api.health, methods=_GET),
            Route("/v1/health", llamacpp_api.health, methods=_GET),
            Route("/copilot-server/about", own_api.about, methods=_GET),
            Route("/copilot-server/status", own_api.status, methods=_GET),
            Route("/copilot-server/stop", own_api.stop, methods=_POST),
            Route("/copilot-server/presence", own_api.presence, methods=_GET),
            Route("/copilot-server/read", own_api.read, methods=_POST),
            Route("/metrics", metrics, methods=_GET),
        ],
        middleware=[Middleware(Guard, token=token)],
        exception_handlers={
            RefusedError: _refused,
            ClientDisconnect: _gone,
            HTTPException: _unrouted,
        },
    )
    app.state.models = models
    app.state.stop = stop
    #: How many clients stay connected.
    app.state.clients = 0
    #: Set when the process is to end.
    app.state.ending = asyncio.Event()
    return app


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)  # noqa: S101 - as registered
    return error_response(error)


async def _gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=_CLIENT_GONE)


async def _unrouted(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - as registered
    message = "There is nothing at this path." if error.status_code == HTTPStatus.NOT_FOUND else error.detail
    return error_response(RefusedError(HTTPStatus(error.status_code), message))
