"""A real Neovim with a screen: msgpack-RPC to a child process, and the grid that it draws."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import msgpack

from tests.editors.neovim_screen import Screen

ROOT = Path(__file__).parent.parent.parent
PLUGIN = ROOT / "editors" / "neovim"
#: A model may have to be loaded first, on a busy machine.
PATIENCE_S = 300.0
_RELEASES = {"0.12": "forky", "0.10": "trixie"}


def find_neovim(version: str) -> str:
    """The program of a Neovim of that version: an installed one, or one fetched from a Debian release.

    Raises:
        RuntimeError: there is none, and none can be fetched; the message says why.
    """
    found = os.environ.get("COPILOT_SERVER_NEOVIM") or shutil.which("nvim")
    if found and version_of(found).startswith(f"{version}."):
        return found
    release = _RELEASES[version]
    script = Path(__file__).parent / "get_neovim.sh"
    folder = ROOT / ".cache" / f"neovim-{release}"
    done = subprocess.run(["sh", script, folder, release], capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"The plugin is tested in a real Neovim {version}, which is missing: {done.stderr.strip()}"
        raise RuntimeError(message)
    return done.stdout.strip()


def version_of(program: str) -> str:
    """A version such as 0.12.4."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.split()[1].removeprefix("v")


class NeovimError(RuntimeError):
    """Neovim's answer to a request that failed."""


class Neovim:
    """A Neovim that a test types into. Its screen is wide, since Neovim cuts off ghost text at the edge."""

    def __init__(self, program: str, folder: Path, init: str, *, width: int = 240, height: int = 30) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.screen = Screen(width, height)
        (folder / "init.lua").write_text(init, "utf-8")
        self._process = subprocess.Popen(
            [program, "--embed", "-n", "-i", "NONE", "-u", str(folder / "init.lua")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=folder,
            env=_environment(folder),
        )
        self.pid = self._process.pid
        self._answers: dict[int, tuple[Any, Any]] = {}
        self._changed = threading.Condition()
        self._next_id = 0
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.request("nvim_ui_attach", width, height, {"rgb": True, "ext_linegrid": True})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._send([2, "nvim_command", ["qall!"]])
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def _send(self, message: Sequence[object]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(msgpack.packb(message))
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        unpacker = msgpack.Unpacker(raw=False, unicode_errors="surrogateescape", ext_hook=lambda *_: None)
        while data := os.read(self._process.stdout.fileno(), 65536):
            unpacker.feed(data)
            with self._changed:
                for message in unpacker:
                    self._take(message)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _take(self, message: list[Any]) -> None:
        if message[0] == 1:
            self._answers[message[1]] = (message[2], message[3])
        elif message[0] == 2 and message[1] == "redraw":
            for event in message[2]:
                self.screen.take(event)

    def request(self, method: str, *arguments: object) -> Any:  # noqa: ANN401 - as the method answers
        """Call a function of Neovim's API; a prompt that waits for a key gets one.

        Raises:
            NeovimError: the call failed, or Neovim has ended.
        """
        number = self._ask(method, *arguments)
        until = time.monotonic() + PATIENCE_S
        while not self._is_answered(number, 0.5):
            if time.monotonic() > until:
                raise NeovimError(f"no answer to {method}")
            mode = self._ask("nvim_get_mode")
            if self._is_answered(mode, PATIENCE_S) and self._answer(mode)["blocking"]:
                self._ask("nvim_input", "<CR>")
        return self._answer(number)

    def _ask(self, method: str, *arguments: object) -> int:
        self._next_id += 1
        self._send([0, self._next_id, method, arguments])
        return self._next_id

    def _is_answered(self, number: int, patience_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: number in self._answers or self._ended, patience_s)

    def _answer(self, number: int) -> Any:  # noqa: ANN401
        with self._changed:
            if number not in self._answers:
                raise NeovimError("Neovim has gone")
            problem, answer = self._answers.pop(number)
        if problem is not None:
            raise NeovimError(problem[1] if isinstance(problem, list) else problem)
        return answer

    def lua(self, code: str, *arguments: object) -> Any:  # noqa: ANN401 - as the code returns
        """Run Lua; ``...`` are the arguments."""
        return self.request("nvim_exec_lua", code, list(arguments))

    def command(self, command: str) -> str:
        """Run a command; return its output."""
        done = self.request("nvim_exec2", command, {"output": True})
        return str(done["output"])

    def type(self, keys: str) -> None:
        """Press keys, written as in a mapping; return once Neovim has read them."""
        self.request("nvim_input", keys)
        self.request("nvim_get_mode")  # is answered even while Neovim waits for a key

    def lines(self) -> list[str]:
        """The lines of the current buffer."""
        return list(self.request("nvim_buf_get_lines", 0, 0, -1, True))

    def text(self) -> str:
        """The text of the current buffer."""
        return "\n".join(self.lines())

    def cursor(self) -> tuple[int, int]:
        """The row, counted from 1, and the byte of the cursor."""
        row, col = self.request("nvim_win_get_cursor", 0)
        return row, col

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Wait until a condition holds.

        Raises:
            AssertionError: it did not hold in time; the message has what the screen shows.
        """
        until = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > until or self._ended:
                raise AssertionError(f"waited in vain for {what}; the screen:\n{self.screen.text()}")
            with self._changed:
                self._changed.wait(0.05)

    def open(self, name: str, text: str = "") -> Path:
        """Write a file into the test's folder and edit it."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        self.command(f"edit! {path}")
        return path


def _environment(folder: Path) -> dict[str, str]:
    """The machine's environment without the user's own Neovim; the model's cache stays where it is."""
    environment = dict(os.environ)
    for name in ("CONFIG", "STATE", "DATA"):
        environment[f"XDG_{name}_HOME"] = str(folder / name.lower())
    environment["NVIM_LOG_FILE"] = str(folder / "nvim.log")
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    environment.pop("VIRTUAL_ENV", None)
    return environment
