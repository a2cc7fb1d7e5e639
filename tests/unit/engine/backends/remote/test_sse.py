"""Server-sent events, however the network cuts them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from copilot_server.engine.backends.remote.failures import Unanswered
from copilot_server.engine.backends.remote.sse import LONGEST_LINE, event_data


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def data_of(*parts: bytes) -> list[str]:
    return [data async for data in event_data(chunks(*parts))]


async def test_events_are_found_however_the_network_cuts_them() -> None:
    stream = (
        'data: {"a": "ä"}\r\n\r\n: a comment\nevent: x\n\ndata:b\n\ndata: [DONE]\n\ndata: late\n'.encode()
    )
    for size in (1, 2, 3, 7, 1000):
        parts = [stream[start : start + size] for start in range(0, len(stream), size)]
        assert await data_of(*parts) == ['{"a": "ä"}', "b"]


@pytest.mark.parametrize(
    "stream",
    [
        b"data: caf\xc3\n",
        b'data: {"half": ',
        b"\x00\xff\n",
        b"<html>",
        b"data: " + b"x" * (LONGEST_LINE + 10),
    ],
)
async def test_what_is_no_event_is_a_failure(stream: bytes) -> None:
    with pytest.raises(Unanswered, match="other than a completion"):
        await data_of(stream)


@pytest.mark.parametrize(
    "line",
    [
        b"tag: 7",
        b"retry: 10",
        b"event: message",
        b"id: 3",
        b": a comment",
        b"word",
        b"<html>",
        b"datum: x",
        b"data",
    ],
)
async def test_other_fields_are_ignored(line: bytes) -> None:
    """The standard: a field that is not known is ignored (section 9.2.6, "Interpreting an event stream")."""
    assert await data_of(b"data: a\n", line + b"\r\n", b"data: b\n\n") == ["a", "b"]
