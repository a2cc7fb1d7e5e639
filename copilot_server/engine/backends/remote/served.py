"""What an engine serves, which is asked once before anything else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from copilot_server.engine.backends.remote.dialect import PLAIN, Dialect, dialect_of
from copilot_server.engine.backends.remote.endpoint import Endpoint
from copilot_server.engine.backends.remote.failures import Unanswered, malformed
from copilot_server.engine.backends.remote.transport import Reply, ask, check_status, in_time

#: How much of a model's name is shown. The user has to repeat it whole, and llama.cpp's is a file's path.
SHOWN_CHARACTERS = 200
#: The longest name that a model may have, in code points: it may be a file's path.
LONGEST_NAME = 4096
#: The largest id of a token, and the longest context, that an engine may report.
MOST_TOKENS = (1 << 31) - 1
_NAME_ONE = "Set remote.model to the name of the one to use."


@dataclass(frozen=True, slots=True)
class Served:
    """A model as an engine serves it. ``context_length``: in tokens, 0 if the engine does not report it."""

    model: str
    dialect: Dialect
    version: str = ""
    context_length: int = 0

    @property
    def engine(self) -> str:
        """The engine's name, with its version if it reports one."""
        return f"{self.dialect.name} {self.version}".rstrip()


async def ask_what_is_served(client: httpx.AsyncClient, endpoint: Endpoint, wanted: str) -> Served:
    """The model named ``wanted`` or, if that is empty, the only one that the engine serves.

    If an engine cannot list its models, as transformers' without a hub, the user's name is trusted.

    Raises:
        Unanswered: it cannot be asked, or it is not clear which model is meant.
    """
    reply = await ask(client, f"{endpoint.api}/models")
    if reply.status in (404, 500, 501):
        return _unlisted(wanted, reply.status)
    check_status(reply.status, reply.headers)
    model = _chosen(_listed(reply), wanted)
    owner = model.get("owned_by")
    dialect = dialect_of(owner if isinstance(owner, str) else "")
    version, context_length = await _about(client, endpoint, dialect, model)
    return Served(model["id"], dialect, version, context_length)


async def control_ids(
    client: httpx.AsyncClient, endpoint: Endpoint, served: Served, names: Sequence[str]
) -> dict[str, int | None] | None:
    """The id of each token name, or None if it is not one token; None if the engine does not tokenize.

    Raises:
        Unanswered: it cannot be asked.
    """
    found: dict[str, int | None] = {}
    async with in_time(client):
        for name in names:
            # vLLM and llama.cpp have different names for the same fields, and each ignores the other's.
            body = {"model": served.model, "prompt": name, "content": name, "add_special_tokens": False}
            reply = await ask(client, f"{endpoint.root}/tokenize", body | {"add_special": False})
            if reply.status != httpx.codes.OK:
                return None
            tokens = _json(reply).get("tokens")
            if not isinstance(tokens, list):
                return None
            found[name] = tokens[0] if len(tokens) == 1 and _is_token_id(tokens[0]) else None
    return found


def _unlisted(wanted: str, status: int) -> Served:
    if not wanted:
        raise Unanswered(f"does not list its models (HTTP {status})", _NAME_ONE, is_down=True)
    return Served(wanted, PLAIN)


def _listed(reply: Reply) -> list[dict[str, Any]]:
    models = _json(reply).get("data")
    if not isinstance(models, list):
        raise malformed("a list of models in another format")
    return [one for one in models if isinstance(one, dict) and _is_name(one.get("id"))]


def _is_name(value: object) -> bool:
    """Whether it can be a model's name, which every request repeats; half a surrogate pair cannot be sent."""
    return (
        isinstance(value, str)
        and len(value) <= LONGEST_NAME
        and not any("\ud800" <= character <= "\udfff" for character in value)
    )


def _is_token_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS


def _chosen(models: Sequence[dict[str, Any]], wanted: str) -> dict[str, Any]:
    names = [one["id"] for one in models]
    if wanted:
        found = [one for one in models if one["id"] == wanted]
        if not found:
            raise Unanswered(f"does not serve {wanted!r}, but {_few(names)}", _NAME_ONE, is_down=True)
        return found[0]
    if len(models) != 1:
        raise Unanswered(f"serves {_few(names)}", _NAME_ONE, is_down=True)
    return models[0]


async def _about(
    client: httpx.AsyncClient, endpoint: Endpoint, dialect: Dialect, model: Mapping[str, Any]
) -> tuple[str, int]:
    """The engine's version and the model's context length, as far as they are reported."""
    if dialect.name == "llama.cpp":
        props = await _optional(client, f"{endpoint.root}/props")
        settings = props.get("default_generation_settings")
        window = settings.get("n_ctx") if isinstance(settings, dict) else None
        return _short(props.get("build_info")), _whole(window)
    told = await _optional(client, f"{endpoint.root}/version") if dialect.name == "vLLM" else {}
    return _short(told.get("version")), _whole(model.get("max_model_len"))


async def _optional(client: httpx.AsyncClient, url: str) -> Mapping[str, Any]:
    reply = await ask(client, url)
    return _json(reply) if reply.status == httpx.codes.OK else {}


def _json(reply: Reply) -> Mapping[str, Any]:
    try:
        answer = json.loads(reply.body)
    except (ValueError, RecursionError):
        raise malformed("not JSON") from None
    if not isinstance(answer, dict):
        raise malformed("JSON in another format")
    return answer


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:SHOWN_CHARACTERS]) for name in names[:5])
    return (shown + ", ..." if len(names) > 5 else shown) or "no model"


def _short(value: object) -> str:
    return value[:40] if isinstance(value, str) and value.isprintable() else ""


def _whole(value: object) -> int:
    return value if isinstance(value, int) and 0 < value <= MOST_TOKENS else 0
