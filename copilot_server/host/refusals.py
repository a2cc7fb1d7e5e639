"""Requests that are not served, and how a client learns of it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import JSONResponse

from copilot_server.errors import CopilotServerError, PromptTooLongError
from copilot_server.shown import shown_lines


class RefusedError(Exception):
    """A request is refused with an HTTP status and a message for people.

    ``parameter``: the field of the body that is wrong. ``retry_after_s``: when to try again.
    """

    def __init__(
        self,
        status: HTTPStatus,
        message: str,
        *,
        parameter: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.parameter = parameter
        self.retry_after_s = retry_after_s


def invalid(message: str, parameter: str | None = None) -> RefusedError:
    """Return the refusal of a body that is wrong."""
    return RefusedError(HTTPStatus.BAD_REQUEST, message, parameter=parameter)


def of_engine(error: CopilotServerError) -> RefusedError:
    """Return the refusal for what the engine has reported."""
    too_long = isinstance(error, PromptTooLongError)
    status = HTTPStatus.BAD_REQUEST if too_long else HTTPStatus.SERVICE_UNAVAILABLE
    return RefusedError(status, shown_lines(str(error)))


def error_body(refused: RefusedError) -> dict[str, object]:
    """Return the error as OpenAI's API and llama.cpp's server have it."""
    kind = "invalid_request_error" if refused.status < 500 else "unavailable_error"
    error = {
        "message": refused.message,
        "type": kind,
        "param": refused.parameter,
        "code": int(refused.status),
    }
    return {"error": error}


def error_response(refused: RefusedError) -> JSONResponse:
    """Return the response that refuses a request."""
    headers: Mapping[str, str] = {}
    if refused.retry_after_s is not None:
        headers = {"Retry-After": str(refused.retry_after_s)}
    return JSONResponse(error_body(refused), refused.status, headers)
