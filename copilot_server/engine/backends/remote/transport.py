"""HTTP to engines: the client, the meaning of its errors and of status codes, and one streamed request."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx
import truststore

from copilot_server.engine.backends.remote.answers import Piece, read_piece
from copilot_server.engine.backends.remote.api_key import VARIABLE, ApiKey
from copilot_server.engine.backends.remote.decompressing import ACCEPTED, plain_bytes
from copilot_server.engine.backends.remote.failures import Refused, Unanswered, malformed
from copilot_server.engine.backends.remote.sse import LONGEST_LINE, event_data

#: How long an engine that is asked about itself may be silent, in seconds.
QUESTION_S = 5.0
#: How long all such answers that belong together may take once it is connected, in seconds.
WHOLE_S = 15.0
#: The most bytes of such an answer; the longest lists of models have about a tenth.
MOST_ANSWERED = 4 << 20
#: The most bytes of a completion for each token: an event with all alternatives has about a tenth.
MOST_FOR_A_TOKEN = 32 << 10
#: The longest wait that an engine may ask for, in seconds.
LONGEST_WAIT_S = 30.0

_KEY_REMEDY = (
    f"Set {VARIABLE}, or remote.api_key_file to a file with the key; remote.api_key_hosts says who gets it, "
    "and over plain http nobody does without remote.api_key_over_http."
)
_TRUST_REMEDY = "Add the authority that signed it to this machine's certificates."


def make_client(api_key: ApiKey | None, *, connect_timeout_s: float, is_encrypted: bool) -> httpx.AsyncClient:
    """A client for one engine; ``api_key`` is None if it gets none.

    Certificates are checked against the machine's own store. Redirections are never followed, so that source
    and key go nowhere else. Proxies that the environment names are used for encrypted connections only.
    Cookies are neither kept nor sent: no engine needs them, and they would tell it whose requests are whose.
    """
    verify = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if is_encrypted else True
    return httpx.AsyncClient(
        auth=api_key,
        verify=verify,
        trust_env=is_encrypted,
        follow_redirects=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        headers={"accept-encoding": ACCEPTED},
        timeout=httpx.Timeout(QUESTION_S, connect=connect_timeout_s, pool=None),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=32),
    )


@dataclass(frozen=True, slots=True)
class Reply:
    """What an engine answers about itself."""

    status: int
    headers: httpx.Headers
    body: bytes


async def ask(client: httpx.AsyncClient, url: str, question: Mapping[str, Any] | None = None) -> Reply:
    """Ask an engine about itself, by POST if there is a ``question``. The body is not read without limit.

    Raises:
        Unanswered: there was no complete answer, or it was too long.
    """
    with named_failures():
        async with client.stream("GET" if question is None else "POST", url, json=question) as response:
            async with aclosing(plain_bytes(response, MOST_ANSWERED)) as pieces:
                body = b"".join([piece async for piece in pieces])
            return Reply(response.status_code, response.headers, body)


@asynccontextmanager
async def in_time(client: httpx.AsyncClient) -> AsyncIterator[None]:
    """Limit how long questions take together, since an engine that sends a byte now and then is never silent.

    Raises:
        Unanswered: they took longer.
    """
    total_s = (client.timeout.connect or 0.0) + WHOLE_S
    try:
        async with asyncio.timeout(total_s):
            yield
    except TimeoutError:
        raise Unanswered(f"gave no complete answer in {total_s:g} s") from None


async def stream(
    client: httpx.AsyncClient,
    url: str,
    body: Mapping[str, Any],
    take: Callable[[Piece], bool],
    silence_s: float,
) -> None:
    """Ask for a completion, and pass each piece of it to ``take`` until that returns true.

    Returning closes the connection, which tells the engine to stop.

    Raises:
        Unanswered: the answer was incomplete, since ``take`` never returned true, or the engine was silent
            for longer than ``silence_s``; or it was far longer than ``body`` asks for.
    """
    connect_s = client.timeout.connect
    timeout = httpx.Timeout(silence_s, connect=connect_s, pool=None)
    with named_failures():
        async with client.stream("POST", url, json=body, timeout=timeout) as response:
            check_status(response.status_code, response.headers)
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                raise malformed("not a stream of events")
            most = LONGEST_LINE + MOST_FOR_A_TOKEN * body["max_tokens"]
            async with (
                aclosing(plain_bytes(response, most)) as pieces,
                aclosing(event_data(pieces)) as events,
            ):
                async for data in events:
                    piece = read_piece(data)
                    if piece is not None and take(piece):
                        return
    raise Unanswered("broke off its answer")


def check_status(status: int, headers: Mapping[str, str]) -> None:
    """Check an answer's status. The text of an error is not shown, since it may quote the prompt.

    Raises:
        Unanswered: it is not 200.
    """
    if status == httpx.codes.OK:
        return
    if status in (401, 403):
        raise Unanswered(f"does not accept the API key (HTTP {status})", _KEY_REMEDY, is_down=True)
    if status == httpx.codes.NOT_FOUND:
        remedy = "Check the URL and the name of the model (remote.model)."
        raise Unanswered("has no such model or address (HTTP 404)", remedy, is_down=True)
    if status in (400, 413, 422):
        raise Refused(f"does not accept the request (HTTP {status})", "Lower completion.max_prompt_tokens.")
    if status == httpx.codes.TOO_MANY_REQUESTS:
        raise Unanswered("is busy (HTTP 429)", may_repeat=True, wait_s=_retry_after_s(headers))
    if status in (502, 503, 504):
        raise Unanswered(f"is not ready (HTTP {status})", is_down=True, may_repeat=True)
    raise Unanswered(f"fails (HTTP {status})")


@contextmanager
def named_failures() -> Iterator[None]:
    """Turn the exceptions of httpx into failures of the engine.

    Raises:
        Unanswered: httpx raised an exception.
    """
    try:
        yield
    except httpx.ConnectTimeout:
        raise _unreachable_as("does not answer") from None
    except httpx.ConnectError as error:
        raise _unreachable(error) from None
    except httpx.ReadTimeout:
        raise Unanswered("was silent for too long") from None
    except (httpx.NetworkError, httpx.RemoteProtocolError):
        raise Unanswered("closed the connection", may_repeat=True) from None
    except httpx.HTTPError as error:
        raise Unanswered(f"cannot be asked ({type(error).__name__})") from None


def _unreachable(error: httpx.ConnectError) -> Unanswered:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = cause.verify_message or "it is not valid"
            return Unanswered(f"has a certificate that is not trusted ({why})", _TRUST_REMEDY, is_down=True)
        if isinstance(cause, ConnectionRefusedError):
            return _unreachable_as("refuses connections")
        cause = cause.__cause__ or cause.__context__
    return _unreachable_as("cannot be reached")


def _unreachable_as(problem: str) -> Unanswered:
    return Unanswered(problem, is_down=True, is_unreachable=True, may_repeat=True)


def _retry_after_s(headers: Mapping[str, str]) -> float:
    """How long to wait, in seconds (RFC 9110, section 10.2.3); a date counts as a second."""
    value = headers.get("retry-after", "")
    return min(float(value), LONGEST_WAIT_S) if value.isdecimal() and len(value) < 6 else 1.0
