"""The process of a host: it listens, loads its models, serves, and ends in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import stat
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uvicorn

from copilot_server.catalog import Manifest
from copilot_server.config import Settings
from copilot_server.engine.base import Engine
from copilot_server.errors import ConfigError
from copilot_server.host.app import make_app
from copilot_server.host.connections import Connections, bounded_protocol
from copilot_server.host.hosted import HostedModel, HostedModels
from copilot_server.listening.address import format_address

#: Opens the engine of a model.
OpenEngine = Callable[[Settings], tuple[Engine, Manifest]]

#: How long requests may take to end when the process is told to, in seconds.
DRAIN_S = 10
#: How often to look whether anybody is connected, in seconds.
LOOK_S = 1.0
#: How long a shared host that can serve no model says so, in seconds, before it ends.
FAILED_S = 5.0
#: How many connections may wait to be accepted.
BACKLOG = 256


@dataclass(frozen=True, slots=True)
class Address:
    """Where a host listens: at a path, or at a host's name and a port, of which 0 takes any free one."""

    host: str = "127.0.0.1"
    port: int = 0
    path: Path | None = None


def serve(
    settings: Sequence[Settings],
    address: Address,
    open_engine: OpenEngine,
    *,
    token: str | None,
    linger_s: float | None = None,
) -> int:
    """Serve a model for each of the ``settings`` until SIGINT or SIGTERM; return the exit code.

    ``linger_s``: end, too, when nobody has been connected for so many seconds. stderr says where it listens,
    and when each model is ready.

    Raises:
        ConfigError: the address cannot be listened on.
    """
    models = HostedModels([HostedModel(one) for one in settings])
    with _listening(address) as (listener, url):
        server = _Server(models, token, linger_s)
        sys.stderr.write(f"copilot-server: serving {', '.join(one.id for one in models.all)} at {url}\n")
        sys.stderr.flush()
        for model in models.all:
            _load_aside(model, open_engine)
        asyncio.run(server.run(listener))
    for model in models.all:
        model.close()
    return 0


class _Server(uvicorn.Server):
    """uvicorn's server, which ends in order on a signal: its exit code is then 0."""

    def __init__(self, models: HostedModels, token: str | None, linger_s: float | None) -> None:
        self._app = make_app(models, token=token, stop=self._stop)
        self._connections = Connections()
        self._linger_s = linger_s
        super().__init__(
            uvicorn.Config(
                self._app,
                http=bounded_protocol(self._connections),
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                log_level=logging.getLogger().getEffectiveLevel(),
                access_log=False,
                server_header=False,
                date_header=False,
                backlog=BACKLOG,
                timeout_graceful_shutdown=DRAIN_S,
            )
        )

    async def run(self, listener: socket.socket) -> None:  # type: ignore[override]  # it has a socket already
        """Serve until a signal comes."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            # On Windows a signal does what it does by default.
            with contextlib.suppress(NotImplementedError, ValueError):
                loop.add_signal_handler(number, self._stop)
        watching = loop.create_task(self._end_when_alone())
        try:
            await self._serve([listener])
        finally:
            watching.cancel()

    def _stop(self) -> None:
        self._app.state.ending.set()
        self.should_exit = True

    async def _end_when_alone(self) -> None:
        """End when nobody has been connected for as long as the host lingers, or no model can be served.

        In the second case another host may have more luck, once those who wait have learned of it.
        """
        if self._linger_s is None:
            return
        alone_s = failed_s = 0.0
        while alone_s < self._linger_s and failed_s < FAILED_S:
            step_s = min(LOOK_S, self._linger_s)
            await asyncio.sleep(step_s)
            alone_s = 0.0 if self._connections.count else alone_s + step_s
            failed_s = failed_s + step_s if self._app.state.models.have_failed else 0.0
        self._stop()


def _load_aside(model: HostedModel, open_engine: OpenEngine) -> None:
    """Load a model on a thread of its own, so that clients are told meanwhile that it is being loaded."""

    def load() -> None:
        model.load(partial(open_engine, model.settings))
        if model.is_ready:
            sys.stderr.write(f"copilot-server: {model.id} is ready\n")
            sys.stderr.flush()

    threading.Thread(target=load, name=f"loading {model.id}", daemon=True).start()


@contextlib.contextmanager
def _listening(address: Address) -> Iterator[tuple[socket.socket, str]]:
    """Listen at an address; yield the socket, and the URL by which people know it.

    Raises:
        ConfigError: the address cannot be listened on.
    """
    if address.path is not None:
        with _listening_at(address.path) as listener:
            yield listener, f"unix:{address.path}"
        return
    try:
        family, _, _, _, found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(found[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        message = f"Cannot listen on {format_address(address.host, address.port)}: {error.strerror or error}."
        raise ConfigError(message, remedy="Give --port another port; 0 takes any that is free.") from error
    with listener:
        yield listener, f"http://{format_address(address.host, listener.getsockname()[1])}"


@contextlib.contextmanager
def _listening_at(path: Path) -> Iterator[socket.socket]:
    """Listen at a path that only this user can reach; the path is removed again at the end.

    Raises:
        ConfigError: somebody listens there, something else is there, or it cannot be made.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        try:
            _remove_stale(path)
            before = os.umask(0o177)
            try:
                listener.bind(str(path))
            finally:
                os.umask(before)
            listener.listen(BACKLOG)
        except OSError as error:
            message = f"Cannot listen on {path}: {error.strerror or error}."
            raise ConfigError(message, remedy="Name a path in a folder of your own.") from error
        made = path.stat()
        try:
            yield listener
        finally:
            with contextlib.suppress(OSError):
                if os.path.samestat(path.stat(), made):
                    path.unlink()


def _remove_stale(path: Path) -> None:
    """Remove the socket that a process has left that is gone.

    Raises:
        OSError: a process listens there, or it is no socket of this user.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        raise FileExistsError(None, "something else is there")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
    raise FileExistsError(None, "another process listens there already")
