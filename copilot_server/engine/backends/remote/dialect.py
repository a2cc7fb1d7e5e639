"""Where engines differ that all speak OpenAI's completions API: what else they take and must be told.

Source: what real servers answered (vLLM 0.32, llama.cpp through xllamacpp 2026.10, transformers 5.23).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from copilot_server.engine.backends.remote.row import Ask

#: The most stop texts that OpenAI's API takes, and vLLM too. The others are looked for here alone.
MOST_STOPS = 4
#: A prompt of nothing, which no engine takes: a text begins where a line ended.
EMPTY = "\n"

#: What is put into a request beside OpenAI's own fields.
Extras = Callable[[Ask, Sequence[int]], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One kind of engine. ``owner``: how its list of models names it.

    ``alternatives``: the most tokens it gives with each position. ``makes_infill``: it wants what follows the
    cursor as ``suffix`` and makes the infilling prompt itself.
    """

    name: str
    owner: str
    extras: Extras
    alternatives: int
    makes_infill: bool = False


def _none(_ask: Ask, _stop_ids: Sequence[int]) -> Mapping[str, Any]:
    return {}


def _vllm(_ask: Ask, stop_ids: Sequence[int]) -> Mapping[str, Any]:
    """Undo what a model's generation_config.json would have it do; end at any control token."""
    extras = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
    return extras | ({"stop_token_ids": list(stop_ids)} if stop_ids else {})


def _llamacpp(ask: Ask, _stop_ids: Sequence[int]) -> Mapping[str, Any]:
    """Sample as others do, the nucleus of the distribution at the temperature; greedily, the cheapest way."""
    if ask.temperature == 0.0:
        return {"samplers": ["top_k"], "top_k": 1, "cache_prompt": True}
    return {"samplers": ["temperature", "top_p"], "cache_prompt": True}


#: An engine of which nothing is known but that it speaks the API.
PLAIN = Dialect("OpenAI's API", "", _none, alternatives=5)
DIALECTS = (
    Dialect("vLLM", "vllm", _vllm, alternatives=20),
    Dialect("SGLang", "sglang", _vllm, alternatives=20),
    Dialect("llama.cpp", "llamacpp", _llamacpp, alternatives=20),
    Dialect("Ollama", "library", _none, alternatives=5, makes_infill=True),
)


def dialect_of(owner: str) -> Dialect:
    """The dialect of an engine by what its list of models gives as ``owned_by``."""
    return next((one for one in DIALECTS if one.owner == owner), PLAIN)


def request_body(dialect: Dialect, model: str, ask: Ask, stop_ids: Sequence[int]) -> dict[str, Any]:
    """A request to ``/v1/completions``; what is not needed is left out, for some engines refuse it."""
    body: dict[str, Any] = {
        "model": model,
        "prompt": ask.prompt or EMPTY,
        "max_tokens": ask.max_tokens,
        "temperature": ask.temperature,
        "stream": True,
        "logprobs": min(ask.logprobs, dialect.alternatives),
        **dialect.extras(ask, stop_ids),
    }
    optional = {
        "suffix": ask.suffix,
        "seed": ask.seed,
        "stop": list(ask.stop[:MOST_STOPS]) or None,
        "top_p": ask.top_p if ask.temperature else None,
    }
    return body | {name: value for name, value in optional.items() if value is not None}
