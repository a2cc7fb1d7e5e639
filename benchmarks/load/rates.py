"""How fast an engine reads and writes for many clients at the same time.

``python -m benchmarks.load.rates llamacpp|vllm|URL``. For reading, ``READERS`` new texts of Python's
standard library are sent at the same time, and one token is written after each. For writing, ``WRITERS``
short prompts are sent, and ``WRITTEN`` tokens are written after each. Each is measured twice, and the
faster one counts, since the first warms up.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from itertools import islice
from typing import Any

import httpx

from benchmarks.bench.corpus import library_texts
from benchmarks.bench.machine import machine
from benchmarks.load.engines import running_engine

READERS, WRITERS, WRITTEN = 4, 32, 64
#: The length of a text that is read, in code points: some 1,100 tokens.
READ_CHARACTERS = 4_000


def main() -> None:
    """Measure, and print a line of JSON."""
    with running_engine(sys.argv[1]) as (url, _):
        found = asyncio.run(_measured(url))
    print(json.dumps({"engine_asked": sys.argv[1], **found, "machine": machine()}))


async def _measured(url: str) -> dict[str, float]:
    async with httpx.AsyncClient(base_url=url, timeout=None) as client:
        model = (await client.get("/v1/models")).json()["data"][0]["id"]
        texts = (text[:READ_CHARACTERS] for text in library_texts(seed=7) if len(text) > READ_CHARACTERS)
        reading = max([await _rate(client, model, list(islice(texts, READERS)), 1) for _ in range(2)])
        short = [f"# The number {n}, counted up from there: {n}, {n + 1}," for n in range(2 * WRITERS)]
        halves = short[:WRITERS], short[WRITERS:]
        writing = max([await _rate(client, model, prompts, WRITTEN) for prompts in halves])
    return {"read_tokens_per_s": reading, "written_tokens_per_s": writing}


async def _rate(client: httpx.AsyncClient, model: str, prompts: Sequence[str], tokens: int) -> float:
    """Return tokens per second over all prompts: those read if ``tokens`` is 1, else those written."""
    start_s = time.perf_counter()
    answers = await asyncio.gather(*(_usage(client, model, prompt, tokens) for prompt in prompts))
    counted = sum(one["prompt_tokens" if tokens == 1 else "completion_tokens"] for one in answers)
    return round(counted / (time.perf_counter() - start_s), 1)


async def _usage(client: httpx.AsyncClient, model: str, prompt: str, tokens: int) -> dict[str, Any]:
    body = {"model": model, "prompt": prompt, "max_tokens": tokens, "temperature": 0, "ignore_eos": True}
    answer = await client.post("/v1/completions", json=body)
    usage: dict[str, Any] = answer.raise_for_status().json()["usage"]
    return usage


if __name__ == "__main__":
    main()
