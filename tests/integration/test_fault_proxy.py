"""The proxy that spoils answers does what the names of its modes say, in front of a real engine."""

from __future__ import annotations

import json
import select
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any

import httpx
import pytest

from tests.support.fault_proxy import BEFORE_FAULT, FAULTS, HARMLESS, FaultProxy

pytestmark = pytest.mark.model

#: A prompt after which the model writes characters of several bytes.
PROMPT = "# " + "🦜🧵漢字" * 5
#: How long a client of these tests waits for the next byte, where none comes.
SILENCE_S = 0.5

Event = dict[str, Any]


@pytest.fixture
def proxy(engine_url: str) -> Iterator[FaultProxy]:
    with FaultProxy(engine_url) as proxy:
        yield proxy


def get(url: str) -> httpx.Response:
    return httpx.get(url, timeout=None)


def request(
    url: str, silence_s: float | None = None, **changed: object
) -> AbstractContextManager[httpx.Response]:
    """A streamed completion, as httpx gives it; ``changed`` fields are put into the request's body."""
    (model,) = get(f"{url}/v1/models").json()["data"]
    body = {"model": model["id"], "prompt": PROMPT, "max_tokens": 12, "temperature": 0, "stream": True}
    waits = httpx.Timeout(None, read=silence_s)
    return httpx.stream("POST", f"{url}/v1/completions", json=body | changed, timeout=waits)


def answer(url: str, **changed: object) -> bytes:
    with request(url, **changed) as response:
        assert response.status_code == 200
        return response.read()


def parts(body: bytes) -> list[str]:
    return [part.removeprefix("data: ") for part in body.decode().split("\n\n") if part]


def events(body: bytes) -> list[Event]:
    return [json.loads(part) for part in parts(body) if part != "[DONE]"]


def text(body: bytes) -> str:
    return "".join(event["choices"][0]["text"] for event in events(body))


def finishes(body: bytes) -> list[str]:
    reasons = [event["choices"][0]["finish_reason"] for event in events(body)]
    return [reason for reason in reasons if reason]


# Modes that leave an answer whole.


@pytest.mark.parametrize("mode", HARMLESS)
def test_what_is_harmless_changes_nothing(proxy: FaultProxy, engine_url: str, mode: str) -> None:
    proxy.mode = mode
    proxied, direct = answer(proxy.url), answer(engine_url)
    assert text(proxied) == text(direct)
    assert any(ord(character) > 0xFFFF for character in text(proxied))
    assert finishes(proxied) == finishes(direct) == ["length"]
    assert proxied.endswith(b"data: [DONE]\n\n")
    assert (proxy.requests, proxy.hung_up) == (1, 0)


def test_each_byte_can_come_alone(proxy: FaultProxy) -> None:
    """This splits characters, which shows that a client puts them together again."""

    def cuts() -> int:
        with request(proxy.url) as response:
            return sum(not _is_utf8(data) for data in response.iter_raw(1))

    proxy.mode = "in-bytes"
    assert cuts() > 0


def test_whatever_is_no_completion_is_passed_on(proxy: FaultProxy, engine_url: str) -> None:
    proxy.mode = "500"
    for path in ("/v1/models", "/health", "/v1/nothing"):
        proxied, direct = get(proxy.url + path), get(engine_url + path)
        assert proxied.status_code == direct.status_code
        if path == "/v1/models":
            assert proxied.json()["data"][0]["id"] == direct.json()["data"][0]["id"]
    assert proxy.requests == 0
    proxy.everything = True
    assert get(f"{proxy.url}/health").status_code == 500


def test_what_the_engine_refuses_is_refused(proxy: FaultProxy) -> None:
    with request(proxy.url, prompt="a b c d " * 5000) as response:
        assert response.status_code == 400


def test_the_request_is_kept(proxy: FaultProxy) -> None:
    answer(proxy.url, user="someone")
    assert b'"user":"someone"' in proxy.last_request
    assert proxy.last_request.startswith(b"POST /v1/completions HTTP/1.1\r\n")


# Modes that spoil an answer. Each is in one of these tests.


STATUSES = {"401": 401, "404": 404, "422": 422, "429": 429, "429-later": 429, "500": 500, "503": 503}


@pytest.mark.parametrize("mode", STATUSES)
def test_a_status_is_answered(proxy: FaultProxy, mode: str) -> None:
    proxy.mode = mode
    with request(proxy.url) as response:
        assert response.status_code == STATUSES[mode]
        assert ("retry-after" in response.headers) == (mode == "429-later")
        assert response.read()


def test_it_redirects(proxy: FaultProxy) -> None:
    proxy.mode = "redirect"
    with request(proxy.url) as response:
        assert response.is_redirect
        assert not response.headers["location"].startswith(proxy.url)


def begun(proxy: FaultProxy, mode: str, raises: type[httpx.HTTPError] | None) -> bytes:
    """The part of an answer that comes before the fault."""
    proxy.mode = mode
    body = bytearray()
    with (
        pytest.raises(raises) if raises else nullcontext(),
        request(proxy.url) as response,
    ):
        assert response.status_code == 200
        for piece in response.iter_bytes():
            body += piece
    return bytes(body)


@pytest.mark.parametrize(("mode", "raises"), [("truncate", None), ("cut", httpx.RemoteProtocolError)])
def test_an_answer_breaks_off_after_some_events(
    proxy: FaultProxy, engine_url: str, mode: str, raises: type[httpx.HTTPError] | None
) -> None:
    body = begun(proxy, mode, raises)
    assert len(parts(body)) == BEFORE_FAULT
    assert text(answer(engine_url)).startswith(text(body))
    assert finishes(body) == []


def test_an_answer_that_is_soon_over_breaks_off_before_its_end(proxy: FaultProxy) -> None:
    proxy.mode = "truncate"
    assert finishes(answer(proxy.url, max_tokens=1)) == []


@pytest.mark.parametrize("mode", ["stall", "pass"])
def test_an_answer_goes_no_further(proxy: FaultProxy, mode: str) -> None:
    proxy.mode = mode
    with request(proxy.url, max_tokens=100) as response:
        pieces = response.iter_bytes()
        for _ in range(BEFORE_FAULT):
            assert b"data: {" in next(pieces)
        connection = response.extensions["network_stream"].get_extra_info("socket")
        something, _, _ = select.select([connection], [], [], SILENCE_S if mode == "stall" else None)
        assert bool(something) == (mode == "pass")


def test_an_answer_never_begins(proxy: FaultProxy) -> None:
    proxy.mode = "hang"
    with pytest.raises(httpx.ReadTimeout), request(proxy.url, SILENCE_S):
        pass


def test_a_connection_is_reset(proxy: FaultProxy) -> None:
    proxy.mode = "reset"
    with pytest.raises(httpx.ReadError, match="reset"), request(proxy.url):
        pass


def test_bytes_drip(proxy: FaultProxy) -> None:
    proxy.mode = "slow-drip"
    with request(proxy.url) as response:
        pieces = [piece for _, piece in zip(range(20), response.iter_bytes(), strict=False)]
    assert b"".join(pieces).startswith(b"data: {")
    assert max(map(len, pieces)) < 20
    proxy.wait_for(lambda: proxy.hung_up == 1)


def test_a_line_never_ends(proxy: FaultProxy) -> None:
    proxy.mode = "endless"
    length = 0
    with request(proxy.url) as response:
        for piece in response.iter_bytes():
            assert b"\n" not in piece
            length += len(piece)
            if length > 4_000_000:
                break
    proxy.wait_for(lambda: proxy.hung_up == 1)


BODIES = {
    "html": lambda body: body.startswith(b"<html>"),
    "rubbish": lambda body: not _is_utf8(body),
    "json": lambda body: "text" not in events(body)[0]["choices"][0],
    "nothing": lambda body: body == b"",
}


@pytest.mark.parametrize("mode", BODIES)
def test_a_body_is_another(proxy: FaultProxy, engine_url: str, mode: str) -> None:
    assert BODIES[mode](begun(proxy, mode, None))
    assert not BODIES[mode](answer(engine_url))


ENDS = {
    "half-utf8": lambda part: not _is_utf8(part),
    "half-event": lambda part: not _is_json(part),
    "error-chunk": lambda part: "error" in json.loads(part),
    "aborted": lambda part: json.loads(part)["choices"][0]["finish_reason"] == "abort",
}


@pytest.mark.parametrize("mode", ENDS)
def test_a_good_beginning_has_another_end(proxy: FaultProxy, mode: str) -> None:
    pieces = begun(proxy, mode, None).split(b"\n\n")
    payloads = [piece.removeprefix(b"data: ") for piece in pieces if piece]
    assert len(payloads) == BEFORE_FAULT + 1
    assert ENDS[mode](payloads[-1])
    assert all(json.loads(one)["choices"][0]["finish_reason"] is None for one in payloads[:-1])


def test_every_mode_is_tested() -> None:
    broken_off = {"truncate", "cut", "stall", "hang", "reset", "slow-drip", "endless", "redirect"}
    assert set(FAULTS) == {*HARMLESS, *STATUSES, *BODIES, *ENDS, *broken_off}


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except ValueError:
        return False
    return True


# Clients that hang up.


def test_a_client_that_hangs_up_is_counted(proxy: FaultProxy) -> None:
    with request(proxy.url, max_tokens=2000) as response:
        next(response.iter_bytes())
    proxy.wait_for(lambda: proxy.hung_up == 1)
    assert proxy.requests == 1


def test_a_client_that_has_what_it_wants_has_not_hung_up(proxy: FaultProxy) -> None:
    """This holds even if it does not wait for what engines send after the end of a completion."""
    with request(proxy.url) as response:
        for line in response.iter_lines():
            if '"length"' in line:
                break
    answer(proxy.url)
    assert (proxy.requests, proxy.hung_up) == (2, 0)


def test_without_an_engine_the_connection_is_closed(engine_url: str) -> None:
    with FaultProxy(engine_url) as gone:
        pass
    with FaultProxy(gone.url) as proxy:
        with pytest.raises(httpx.RemoteProtocolError):
            get(f"{proxy.url}/health")
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.post(f"{proxy.url}/v1/completions", json={}, timeout=None)


def test_what_is_under_way_ends_with_the_proxy(engine_url: str) -> None:
    """asyncio logs nothing about it, which the test run would count as an error."""
    with ExitStack() as running:
        proxy = running.enter_context(FaultProxy(engine_url))
        proxy.mode = "stall"
        with request(proxy.url) as response:
            pieces = response.iter_bytes()
            assert next(pieces)
            running.close()
            with pytest.raises(httpx.RemoteProtocolError):
                list(pieces)
