"""Server-sent events, as far as streamed completions need them.

Source: the HTML standard, section 9.2.6 (html.spec.whatwg.org/multipage/server-sent-events.html).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

from copilot_server.engine.backends.remote.failures import malformed

#: The longest line to accept, in bytes: far longer than any event, so that an endless line cannot fill
#: memory.
LONGEST_LINE = 1 << 20
#: The data that ends a stream of OpenAI's API.
DONE = "[DONE]"


async def event_data(chunks: AsyncIterator[bytes]) -> AsyncGenerator[str]:
    """Yield the data of each event until ``[DONE]`` or the end of the stream.

    Each event of OpenAI's API has one line of data, which is therefore yielded without waiting for the
    event's end. Comments and every field other than ``data`` are ignored, as the standard demands.

    Raises:
        Unanswered: a line is too long, or not UTF-8.
    """
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            data = _data(line.rstrip(b"\r"))
            if data == DONE:
                return
            if data:
                yield data
        if len(rest) > LONGEST_LINE:
            raise malformed("an endless line")
    if rest.strip():
        raise malformed("an incomplete line")


def _data(line: bytes) -> str:
    """The data in a line; empty for a comment, another field, or an event's end."""
    try:
        field, _, value = line.decode().partition(":")
    except UnicodeDecodeError:
        raise malformed("not UTF-8") from None
    return value.strip() if field == "data" else ""
