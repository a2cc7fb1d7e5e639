"""From the settings to a remote engine: where it is, what it serves, and how to ask it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from attrs import evolve

from copilot_server.catalog import FimTokens, Manifest, Protocols, find_served, manifest_for_unknown, resolve
from copilot_server.config import AUTO_MODEL, DEFAULT_MODEL, Settings
from copilot_server.engine.backends.remote.api_key import ApiKey, endpoints_with_key
from copilot_server.engine.backends.remote.endpoint import Endpoint, read_endpoints
from copilot_server.engine.backends.remote.event_loop import EventLoop
from copilot_server.engine.backends.remote.failures import Unanswered
from copilot_server.engine.backends.remote.remote_engine import RemoteEngine
from copilot_server.engine.backends.remote.replica import Replica
from copilot_server.engine.backends.remote.replicas import Patience, Replicas
from copilot_server.engine.backends.remote.served import Served, control_ids
from copilot_server.engine.backends.remote.transport import make_client
from copilot_server.engine.models.vocabulary import FIM_FAMILIES

_LOG = logging.getLogger(__name__)

#: How often a request for someone who types is repeated, if that adds no load.
REPEATS = 2
#: Names that are never sent, for an engine that builds infilling prompts itself.
_UNNAMED = FimTokens("<prefix>", "<suffix>", "<middle>")


def connect(settings: Settings) -> RemoteEngine:
    """The engine that ``settings.engine`` names, once it has reported what it serves.

    Raises:
        ConfigError: source would go unencrypted over a network, the API key cannot be read, or it is not
            clear who gets it.
        EngineUnavailableError: no engine can be reached.
        EngineError: it is not clear which of its models is meant.
    """
    remote = settings.remote
    endpoints = read_endpoints(settings.engine, allow_http=remote.allow_http)
    api_key = ApiKey(remote.api_key_file)
    signed = endpoints_with_key(endpoints, remote) if api_key.read() else frozenset[Endpoint]()
    keys = {one: api_key if one in signed else None for one in endpoints}
    _LOG.warning("The text around the cursor is sent to the engine at %s.", settings.engine_hosts)
    loop = EventLoop("remote-engine")
    try:
        replicas = _replicas(keys, settings)
        loop.start(replicas.watch())
        loop.start(_meet(replicas)).result()
        return _engine(loop, replicas, settings)
    except BaseException:
        loop.close()
        raise


def _replicas(keys: Mapping[Endpoint, ApiKey | None], settings: Settings) -> Replicas:
    connect_s = settings.remote.connect_timeout_s
    return Replicas(
        [
            Replica(one, make_client(key, connect_timeout_s=connect_s, is_encrypted=one.is_encrypted))
            for one, key in keys.items()
        ],
        settings.remote.model,
    )


async def _meet(replicas: Replicas) -> None:
    """Ask every engine what it serves.

    Raises:
        EngineUnavailableError: none can be used.
    """
    await replicas.check(replicas.all)
    if (error := replicas.error) is not None:
        raise error


def _engine(loop: EventLoop, replicas: Replicas, settings: Settings) -> RemoteEngine:
    replica = next(one for one in replicas.all if one.served is not None)
    served = replica.served
    assert served is not None  # noqa: S101 - as it was chosen
    manifest = _manifest(served, settings.model)
    ids = loop.start(_control_ids(replica, served, manifest)).result()
    if ids is not None:
        manifest = _known_to_engine(manifest, ids, served)
        replicas.end_at([token_id for token_id in ids.values() if token_id is not None])
    found = find_served(served.model)
    is_known = found is not None and found.id == manifest.id
    fim = settings.remote.fim
    infills = served.dialect.makes_infill if fim == "auto" else fim == "suffix"
    if infills:
        manifest = _asked_by_suffix(manifest)
    remote = settings.remote
    _LOG.info("%s serves %s by %s", replica.endpoint.host, served.model, served.engine)
    return RemoteEngine(
        loop,
        replicas,
        manifest,
        control_tokens=manifest.control_tokens.union(_known(ids or {})),
        is_known=is_known,
        infill=manifest.fim if infills else None,
        patience=Patience(remote.read_timeout_s, REPEATS, remote.deadline_s),
    )


async def _control_ids(replica: Replica, served: Served, manifest: Manifest) -> dict[str, int | None] | None:
    """The engine's ids of the control tokens that prompts may contain; None if it cannot be asked."""
    families = [name for fim in FIM_FAMILIES for name in (fim.prefix, fim.suffix, fim.middle)]
    try:
        return await control_ids(
            replica.client, replica.endpoint, served, [*manifest.control_tokens, *families]
        )
    except Unanswered:
        return None


def _manifest(served: Served, model: str) -> Manifest:
    """How to ask the model: as its name suggests, unless the user names another manifest."""
    named = find_served(served.model)
    if model not in (DEFAULT_MODEL, AUTO_MODEL):
        return resolve(model).manifest
    return named if named is not None else resolve(DEFAULT_MODEL).manifest


def _known_to_engine(manifest: Manifest, ids: dict[str, int | None], served: Served) -> Manifest:
    """The manifest if the engine's model has the control tokens of its prompts, else a neutral one."""
    fim, chat = manifest.fim, manifest.chat
    needed = [] if fim is None else [fim.prefix, fim.suffix, fim.middle]
    needed += [] if chat is None else [chat.turn_start, chat.turn_end]
    if all(ids.get(name) is not None for name in needed):
        return manifest
    message = "The engine's %s lacks the control tokens of %s, and is asked like an unknown model."
    _LOG.warning(message, served.model, manifest.id)
    return manifest_for_unknown(served.model)


def _asked_by_suffix(manifest: Manifest) -> Manifest:
    """The manifest for an engine that builds infilling prompts itself, and accepts no control tokens."""
    protocols = Protocols(known=("causal", "fim"), function_body="fim", middle="fim")
    return evolve(manifest, fim=manifest.fim or _UNNAMED, chat=None, protocols=protocols)


def _known(ids: dict[str, int | None]) -> Iterable[str]:
    return [name for name, token_id in ids.items() if token_id is not None]
