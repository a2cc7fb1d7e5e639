"""Finding the engine host that all editors of a user share, and starting it where there is none.

Hosts are told apart by this version, the model's file and the settings that matter for loading it. Each
listens at a socket in a folder that belongs to the user alone, which is how a host knows that its user asks.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import Any

import attrs
from filelock import FileLock, Timeout

from copilot_server import __version__
from copilot_server.config import Settings
from copilot_server.errors import EngineError, EngineUnavailableError
from copilot_server.fetch.store import HOME_VARIABLE, home

#: How long a host goes on without clients, in seconds.
LINGER_S = 600
#: How long a host may take to listen, and a model to be loaded, in seconds; a first start unpacks it.
LISTENING_S, LOADING_S = 60.0, 600.0
#: How often to look, in seconds, and how long an answer to that may take.
LOOK_S, ANSWER_S = 0.05, 10.0
#: The longest path of a socket, in bytes: macOS allows 103, Linux 107.
LONGEST_PATH = 100
#: How much of a host's log is shown if it fails, in characters.
SHOWN_LOG = 400

#: Hosts that this process has started, so that their ends are noticed.
_started: list[subprocess.Popen[bytes]] = []


class SharingError(EngineError):
    """Engines cannot be shared on this machine: each server needs one of its own."""


@dataclass(frozen=True)
class SharedHost:
    """The host of a model with certain settings, whether or not it runs.

    ``path``: the model's file or folder. ``name``: what the host loads, and shows to people.
    """

    path: Path
    name: str
    settings: Settings

    @cached_property
    def socket(self) -> Path:
        """Where it listens.

        Raises:
            SharingError: there is no folder for it that belongs to the user alone.
        """
        found = hosts_folder() / f"{self._key}.sock"
        if len(os.fsencode(found)) > LONGEST_PATH:
            raise SharingError(f"The path {found} is too long for a socket.")
        return found

    def find(self) -> Path:
        """Return the socket of the host once its model is ready, starting it where there is none.

        Two processes that do so at the same moment get one host.

        Raises:
            SharingError: as ``socket``.
            EngineError: it cannot be started, or cannot load the model.
            EngineUnavailableError: it takes too long.
        """
        if state_of(self.socket) is None:
            try:
                with FileLock(self.socket.with_suffix(".lock"), timeout=LISTENING_S, mode=0o600):
                    if state_of(self.socket) is None:
                        self._start()
            except Timeout as error:
                raise EngineUnavailableError("Another process is starting the shared engine.") from error
        return self._loaded()

    @property
    def _key(self) -> str:
        """What tells this host from those of other versions, models and settings."""
        one = self.settings
        status = self.path.stat()
        loading = [__version__, str(self.path.resolve()), status.st_size, status.st_mtime_ns]
        chosen = [one.device, one.dtype, attrs.asdict(one.speed), os.environ.get("COPILOT_SERVER_ISA", "")]
        return hashlib.sha256(json.dumps([loading, chosen], sort_keys=True).encode()).hexdigest()[:16]

    def _start(self) -> None:
        """Start the host, detached from this process and its editor, and wait until it listens."""
        log = self.socket.with_suffix(".log")
        config = self.socket.with_suffix(".toml")
        config.write_text(_toml(self.settings), encoding="utf-8")
        command = [sys.executable, "-m", "copilot_server", "serve", self.name, "--offline"]
        flags = ["--config", str(config), "--socket", str(self.socket), "--linger", str(LINGER_S)]
        _started[:] = [one for one in _started if one.poll() is None]
        with log.open("wb") as opened:
            process = subprocess.Popen(  # noqa: S603 - this very program
                [*command, *flags],
                stdin=subprocess.DEVNULL,
                stdout=opened,
                stderr=opened,
                cwd="/",
                start_new_session=True,
            )
        _started.append(process)
        deadline_s = time.monotonic() + LISTENING_S
        while state_of(self.socket) is None:
            if process.poll() is not None:
                raise EngineError(f"The shared engine ended at its start. {_end_of(log)}")
            if time.monotonic() > deadline_s:
                process.kill()
                raise EngineUnavailableError("The shared engine does not begin to listen.")
            time.sleep(LOOK_S)

    def _loaded(self) -> Path:
        deadline_s = time.monotonic() + LOADING_S
        while (state := state_of(self.socket)) != "ready":
            if state is None:
                raise EngineUnavailableError("The shared engine has ended while it was loading the model.")
            if state != "loading":
                raise EngineError(state)
            if time.monotonic() > deadline_s:
                raise EngineUnavailableError("The shared engine takes too long to load the model.")
            time.sleep(LOOK_S)
        return self.socket


def hosts_folder() -> Path:
    """Return the folder of the sockets, made if need be: the user's alone.

    Raises:
        SharingError: there can be none.
    """
    import platformdirs  # noqa: PLC0415 - only where engines are shared

    chosen = os.environ.get(HOME_VARIABLE)
    with warnings.catch_warnings():
        # Where the system names no such folder, platformdirs takes one in /tmp, which is checked below.
        warnings.simplefilter("ignore")
        folder = home() / "hosts" if chosen else platformdirs.user_runtime_path("copilot-server")
    if not hasattr(socket, "AF_UNIX") or not hasattr(os, "geteuid"):
        raise SharingError("Engines are shared on Linux and macOS only.")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
        if folder.is_symlink() or status.st_uid != os.geteuid():
            raise SharingError(f"{folder} is not a folder of this user.")
        folder.chmod(0o700)
    except OSError as error:
        raise SharingError(f"{folder} cannot be used: {error.strerror or error}.") from error
    return folder


def running_hosts() -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the socket and the status of each host of this user that answers.

    Raises:
        SharingError: as ``hosts_folder``.
    """
    for path in sorted(hosts_folder().glob("*.sock")):
        status = _asked(path, "GET", "/copilot-server/status")
        if status is not None:
            yield path, status


def stop_host(path: Path) -> bool:
    """Tell the host at a socket to end; return whether there was one. It ends what it decodes first."""
    return _asked(path, "POST", "/copilot-server/stop") is not None


def _asked(path: Path, method: str, target: str) -> dict[str, Any] | None:
    """Return what a host answers; None where none does."""
    try:
        reply, body = _replied(path, method, target)
        answer = json.loads(body)
    except (OSError, HTTPException, ValueError):
        return None
    return answer if reply.status == 200 and isinstance(answer, dict) else None


def _replied(path: Path, method: str, target: str) -> tuple[HTTPResponse, bytes]:
    """Return the reply of the host at a socket, and its body.

    Raises:
        OSError, HTTPException: there is no host, or it does not answer.
    """
    with closing(_Connection(path)) as connection:
        connection.request(method, target)
        reply = connection.getresponse()
        return reply, reply.read()


class _Connection(HTTPConnection):
    """A connection to a socket's path."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(ANSWER_S)
        self.sock.connect(str(self._path))


def state_of(path: Path) -> str | None:
    """Return ``ready``, ``loading``, or why a host has no model; None where no host listens."""
    try:
        reply, body = _replied(path, "GET", "/health")
    except (OSError, HTTPException):
        return None
    if reply.status == 200:
        return "ready"
    if reply.headers["Retry-After"] is not None:
        return "loading"
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"The shared engine answers with status {reply.status}."


def _toml(settings: Settings) -> str:
    """Return the settings of a host as a settings file; JSON's values are TOML's, too."""
    speed = "\n".join(f"{name} = {json.dumps(value)}" for name, value in attrs.asdict(settings.speed).items())
    return f'device = "{settings.device}"\ndtype = "{settings.dtype}"\nshare = false\n\n[speed]\n{speed}\n'


def _end_of(log: Path) -> str:
    try:
        return log.read_text("utf-8", "replace")[-SHOWN_LOG:].strip()
    except OSError:
        return ""
