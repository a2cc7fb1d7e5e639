"""Bodies of requests: read within limits, and checked field by field.

Fields that are not known are ignored, since every client sends some that another engine understands.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from starlette.requests import Request

from copilot_server.host.refusals import RefusedError, invalid

#: The largest body, in bytes: far more than any context holds.
MOST_BYTES = 4 << 20
#: How long a body may take to arrive, in seconds; see ``read_body``.
BODY_S = 20.0


class Body:
    """The fields of a JSON object. Each method raises ``RefusedError`` for a value of the wrong kind."""

    def __init__(self, fields: Mapping[str, Any], where: str = "") -> None:
        """``where``: what stands before a field's name in messages, such as ``stream_options.``."""
        self._fields = fields
        self._where = where

    def given(self, name: str) -> bool:
        """Whether a field is there, and not null."""
        return self._fields.get(name) is not None

    def text(self, name: str, default: str = "") -> str:
        """Return a text."""
        value = self._get(name, default)
        if not isinstance(value, str):
            raise self._wrong(name, "a text")
        return self._encodable(name, value)

    def texts(self, name: str, *, most: int, default: Sequence[str] = ()) -> tuple[str, ...]:
        """Return a list of at most ``most`` texts; one text alone is a list of one."""
        value = self._get(name, default)
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, (list, tuple)) or not all(isinstance(one, str) for one in values):
            raise self._wrong(name, "a text or a list of texts")
        if len(values) > most:
            raise self._wrong(name, f"at most {most} texts")
        return tuple(self._encodable(name, one) for one in values)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return true or false."""
        value = self._get(name, default)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def whole(self, name: str, default: int, *, least: int, most: int) -> int:
        """Return a whole number within limits."""
        value = self._get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self._wrong(name, f"a whole number from {least} to {most}")
        return value

    def number(self, name: str, default: float, *, least: float, most: float) -> float:
        """Return a number within limits."""
        value = self._get(name, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise self._wrong(name, "a number")
        if not least <= value <= most:
            raise self._wrong(name, f"a number from {least:g} to {most:g}")
        return float(value)

    def objects(self, name: str, *, most: int) -> tuple[Body, ...]:
        """Return a list of at most ``most`` objects."""
        value = self._get(name, ())
        if not isinstance(value, (list, tuple)) or not all(isinstance(one, dict) for one in value):
            raise self._wrong(name, "a list of objects")
        if len(value) > most:
            raise self._wrong(name, f"a list of at most {most}")
        return tuple(Body(one, f"{self._where}{name}.") for one in value)

    def nested(self, name: str) -> Body:
        """Return an object, which is empty where there is none."""
        value = self._get(name, {})
        if not isinstance(value, dict):
            raise self._wrong(name, "an object")
        return Body(value, f"{self._where}{name}.")

    def refuse(self, name: str, why: str, *, unless: object = None) -> None:
        """Refuse a field whose effect is not supported, unless it has the value that has none."""
        if self.given(name) and self._fields[name] not in (unless, [], {}, ""):
            raise invalid(f"{self._where}{name} is not supported: {why}", self._where + name)

    def _get(self, name: str, default: object) -> Any:  # noqa: ANN401 - checked by whoever calls
        value = self._fields.get(name)
        return default if value is None else value

    def _encodable(self, name: str, value: str) -> str:
        try:
            value.encode()
        except UnicodeEncodeError:
            raise self._wrong(name, "text without half of a surrogate pair") from None
        return value

    def _wrong(self, name: str, wanted: str) -> RefusedError:
        return invalid(f"{self._where}{name} must be {wanted}.", self._where + name)


async def read_body(request: Request) -> Body:
    """Read the JSON object that a request has as its body. Its Content-Type is not looked at.

    Raises:
        RefusedError: it is too large, or not a JSON object.
        ClientDisconnect: the client has gone.
    """
    whole = bytearray()
    async for chunk in request.stream():
        whole += chunk
        if len(whole) > MOST_BYTES:
            message = f"The body has more than {MOST_BYTES} bytes."
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
    try:
        fields = json.loads(bytes(whole))
    except RecursionError:
        raise invalid("The body is nested too deeply.") from None
    except ValueError:
        raise invalid("The body is not JSON.") from None
    if not isinstance(fields, dict):
        raise invalid("The body is not a JSON object.")
    return Body(fields)
