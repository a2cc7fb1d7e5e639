"""How engines differ that share OpenAI's completions API: the extra fields that they accept and need.

Source: the answers of real servers (vLLM 0.32, llama.cpp through xllamacpp 2026.10, transformers 5.23).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from copilot_server.engine.backends.remote.candidate import Ask

#: The most stop texts that OpenAI's API and vLLM accept. Any others are searched for here only.
MOST_STOPS = 4
#: Sent instead of an empty prompt, which no engine accepts: a text begins where a line ended.
EMPTY = "\n"

#: Returns the fields that a request has beside OpenAI's own.
Extras = Callable[[Ask, Sequence[int]], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One kind of engine. ``owner``: its ``owned_by`` in the list of models.

    ``alternatives``: the most tokens that it returns for each position. ``makes_infill``: it takes the text
    after the cursor as ``suffix`` and builds the infilling prompt itself.
    """

    name: str
    owner: str
    extras: Extras
    alternatives: int
    makes_infill: bool = False


def _none(_ask: Ask, _stop_ids: Sequence[int]) -> Mapping[str, Any]:
    return {}


def _vllm(_ask: Ask, stop_ids: Sequence[int]) -> Mapping[str, Any]:
    """Override the model's generation_config.json, and end at any control token."""
    extras = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
    return extras | ({"stop_token_ids": list(stop_ids)} if stop_ids else {})


def _llamacpp(ask: Ask, _stop_ids: Sequence[int]) -> Mapping[str, Any]:
    """Sample like other engines: temperature first, then the nucleus. Greedy decoding needs neither."""
    if ask.temperature == 0.0:
        return {"samplers": ["top_k"], "top_k": 1, "cache_prompt": True}
    return {"samplers": ["temperature", "top_p"], "cache_prompt": True}


#: An engine of which only the API is known.
PLAIN = Dialect("OpenAI's API", "", _none, alternatives=5)
DIALECTS = (
    Dialect("vLLM", "vllm", _vllm, alternatives=20),
    Dialect("SGLang", "sglang", _vllm, alternatives=20),
    Dialect("llama.cpp", "llamacpp", _llamacpp, alternatives=20),
    Dialect("Ollama", "library", _none, alternatives=5, makes_infill=True),
)


def dialect_of(owner: str) -> Dialect:
    """The dialect of an engine whose list of models has this ``owned_by``."""
    return next((one for one in DIALECTS if one.owner == owner), PLAIN)


def request_body(dialect: Dialect, model: str, ask: Ask, stop_ids: Sequence[int]) -> dict[str, Any]:
    """A request to ``/v1/completions``. Optional fields are omitted, since some engines refuse them."""
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
