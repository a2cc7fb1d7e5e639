"""A server that does what a test says, for what the real one does not do at will."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.editors.vscode_server import CodeServer

#: Reads messages, and gives those after `initialize` to `handle`, which the test writes.
_PROGRAM = """#!{python}
import json, sys

def read():
    length = 0
    while line := sys.stdin.buffer.readline().strip():
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    return json.loads(sys.stdin.buffer.read(length)) if length else sys.exit()

def send(message):
    body = json.dumps({{"jsonrpc": "2.0", **message}}).encode()
    sys.stdout.buffer.write(b"Content-Length: %d\\r\\n\\r\\n" % len(body) + body)
    sys.stdout.buffer.flush()

def note(text):
    with open({notes!r}, "a", encoding="utf-8") as file:
        file.write(text + "\\n")

{handle}

while True:
    message = read()
    if message.get("method") == "initialize":
        send({{"id": message["id"], "result": {{"capabilities": json.loads({capabilities!r})}}}})
    else:
        handle(message)
"""


def script(server: CodeServer, folder: Path, handle: str, **capabilities: object) -> Path:
    """Have a server run whose function ``handle`` takes each message; return the file of what it notes."""
    folder.mkdir(exist_ok=True)
    program, notes = folder / "copilot-server", folder / "notes"
    notes.touch()
    text = _PROGRAM.format(
        python=sys.executable, notes=str(notes), handle=handle, capabilities=json.dumps(capabilities)
    )
    program.write_text(text, encoding="utf-8")
    program.chmod(0o755)
    server.change_machine_settings(serverPath=str(program))
    return notes
