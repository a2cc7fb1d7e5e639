"""A server that keeps what VS Code sends it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from tests.editors.vscode_server import COPILOT_SERVER, CodeServer

#: A server that keeps what it is sent, and whose other commands do not end by themselves.
RECORDER = """#!/bin/sh
case "$1" in
  models | stats) exec cat "{hold}" ;;
  *) tee -a "{sent}" | "{program}" "$@" ;;
esac
"""


def record(server: CodeServer, folder: Path, **settings: object) -> Path:
    """Have the server run by the recorder, with other settings too; return the file with what it is sent."""
    folder.mkdir()
    sent, recorder = folder / "sent", folder / "recorder"
    recorder.write_text(RECORDER.format(sent=sent, hold=folder / "hold", program=COPILOT_SERVER), "utf-8")
    recorder.chmod(0o755)
    os.mkfifo(folder / "hold")
    server.change_machine_settings(serverPath=str(recorder), **settings)
    return sent


def messages(sent: Path, method: str) -> list[dict[str, Any]]:
    """The parameters of each message that the server was sent."""
    # Not as a text, in which a carriage return before a line feed would be lost.
    heads = re.split(r"Content-Length: \d+\r\n\r\n", sent.read_bytes().decode("utf-8", "replace"))
    bodies = [json.loads(head) for head in heads if method in head and head.endswith("}")]
    return [body["params"] for body in bodies if body.get("method") == method]


def reported(sent: Path) -> list[tuple[str, int, int]]:
    """The file and position of each report of the cursor that the server was sent."""
    params = messages(sent, "copilotServer/didMoveCursor")
    return [
        (one["textDocument"]["uri"].rpartition("/")[2], one["position"]["line"], one["position"]["character"])
        for one in params
    ]
