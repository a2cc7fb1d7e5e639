"""Server-sent events, as far as completions are streamed in them.

Source: the HTML standard, section 9.2.6 (html.spec.whatwg.org/multipage/server-sent-events.html).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

from copilot_server.engine.backends.remote.failures import rubbish

#: No event of a completion is nearly as long, in bytes; one that never ends must not fill the memory.
LONGEST_LINE = 1 << 20
#: What ends a stream of OpenAI's API.
DONE = "[DONE]"
_FIELDS = (b"event:", b"id:", b"retry:", b":")


async def event_data(chunks: AsyncIterator[bytes]) -> AsyncGenerator[str]:
    """Yield the data of each event until ``[DONE]`` or the end of the stream.

    Each of OpenAI's events is one line, so that a line is as much as is ever waited for.

    Raises:
        Unanswered: a line is too long, no UTF-8, or none that an event can have.
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
            raise rubbish("a line that does not end")
    if rest.strip():
        raise rubbish("a line cut off")


def _data(line: bytes) -> str:
    """The data in a line; empty for a line that has none."""
    if not line or line.startswith(_FIELDS):
        return ""
    if not line.startswith(b"data:"):
        raise rubbish("no events")
    try:
        return line[len(b"data:") :].decode().strip()
    except UnicodeDecodeError:
        raise rubbish("bytes that are no UTF-8") from None
