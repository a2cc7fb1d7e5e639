"""Pulls one manifest in a process of its own: huggingface_hub reads its environment once.

Usage: python pull_once.py pull|verify|ensure|ensure-offline|pull-offline|is-here MANIFEST.toml
Prints one JSON object: the path, or whether the model is here, or the error's type and text, and the notes.
Each note is also written to stderr as it comes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from copilot_server import fetch
from copilot_server.catalog import ModelRef, load_manifest
from copilot_server.errors import CopilotServerError


class Notes:
    def __init__(self) -> None:
        self.description = ""
        self.messages: list[str] = []
        self.counted_bytes = 0
        self.total_bytes = 0

    def start(self, description: str, total_bytes: int) -> None:
        self.description, self.total_bytes, self.counted_bytes = description, total_bytes, 0

    def advance(self, count_bytes: int) -> None:
        self.counted_bytes += count_bytes

    def note(self, message: str) -> None:
        self.messages.append(message)
        sys.stderr.write(message + "\n")
        sys.stderr.flush()


def main(action: str, manifest_path: str) -> None:
    manifest = load_manifest(Path(manifest_path))
    ref = ModelRef(manifest.id, "gguf", manifest)
    notes = Notes()
    actions = {
        "pull": lambda: fetch.pull(manifest, notes),
        "pull-offline": lambda: fetch.pull(manifest, notes, offline=True),
        "verify": lambda: fetch.verify(manifest, notes),
        "ensure": lambda: fetch.ensure(ref, progress=notes),
        "is-here": lambda: fetch.is_here(ref, notes),
        "ensure-offline": lambda: fetch.ensure(ref, offline=True, progress=notes),
    }
    result: dict[str, object] = {"path": None, "error": None, "message": ""}
    try:
        result["path"] = str(actions[action]())
    except CopilotServerError as error:
        result |= {"error": type(error).__name__, "message": str(error)}
    result |= {
        "notes": notes.messages,
        "counted_bytes": notes.counted_bytes,
        "total_bytes": notes.total_bytes,
    }
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
