"""The body of an answer, decompressed piece by piece, so that a few bytes never become gigabytes at once."""

from __future__ import annotations

import zlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

import httpx

from copilot_server.engine.backends.remote.failures import Unanswered, malformed

#: What a client accepts: engines' answers are small, and compressing a stream of events delays it.
ACCEPTED = "identity"
#: The most bytes of a decompressed piece.
_PIECE = 1 << 16
#: Either of the two formats, as its first bytes say.
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


async def plain_bytes(response: httpx.Response, most: int) -> AsyncGenerator[bytes]:
    """Yield the body of a streamed answer, which may have ``most`` bytes after decompression.

    A proxy may compress an answer although nobody asked for it; gzip and deflate are understood.

    Raises:
        Unanswered: the body is larger, or is compressed in another way.
    """
    encoding = response.headers.get("content-encoding", ACCEPTED).strip().lower()
    if encoding not in (ACCEPTED, "gzip", "x-gzip", "deflate"):
        raise malformed("data in an unknown encoding")
    raw = cast("AsyncGenerator[bytes]", response.aiter_raw())
    left = most
    async with aclosing(raw if encoding == ACCEPTED else _inflated(raw)) as pieces:
        async for piece in pieces:
            left -= len(piece)
            if left < 0:
                raise Unanswered(f"answers with more than {most:,} bytes")
            yield piece


async def _inflated(raw: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
    async with aclosing(raw):
        async for data in raw:
            rest, is_full = data, True
            while (rest or is_full) and not inflater.eof:
                piece = _inflate(inflater, rest)
                rest, is_full = inflater.unconsumed_tail, len(piece) == _PIECE
                if piece:
                    yield piece


def _inflate(inflater: zlib._Decompress, data: bytes) -> bytes:
    try:
        return inflater.decompress(data, _PIECE)
    except zlib.error:
        raise malformed("wrongly compressed data") from None
