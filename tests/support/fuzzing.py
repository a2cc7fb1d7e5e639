"""Hostile model folders: a good one with a few changes, which are the same for the same number."""

from __future__ import annotations

import json
import random
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from copilot_server.engine.backends.cpu.runner import CpuRunner
from copilot_server.engine.backends.cpu.weights import Weights, open_weights
from copilot_server.engine.models.architecture import read_architecture
from copilot_server.engine.models.tokenizer import load_tokenizer
from copilot_server.engine.runner import Choice, Chunk
from copilot_server.errors import CopilotServerError

#: Values that a reader may not expect in place of any other.
HOSTILE: tuple[Any, ...] = (
    0, 1, 2, 3, 7, 8, 33, 255, 257, 600, 1023, 4096, 65537, 2**20, 2**31 - 1, 2**31, 2**32 + 1, 2**63, 2**64,
    10**400, -1, -4, -(2**31), 0.5, -0.0, 1e-300, 1e308, float("nan"), float("inf"), True, False, None, "",
    "8", "F16", "BF16", "U8", "F64", "\ud800", [], [0], [4, 4], [-1, 16], {}, {"0": 0}, [[[]]],
)  # fmt: skip


def hostile_folder(good: Path, folder: Path, number: int) -> str:
    """Write the hostile folder with this number; return which of its files differs from the good folder's."""
    shutil.copytree(good, folder, ignore=shutil.ignore_patterns("packed-*"))
    chosen = random.Random(number)
    name, change = chosen.choice(_CHANGES)
    (folder / name).write_bytes(change((folder / name).read_bytes(), chosen))
    return name


def load_and_step(folder: Path) -> str:
    """Load a folder with the CPU kernels and run a step of it: ``served``, ``other``, or the error's name.

    The weights are copied out of the mapped file, so that a sanitizer sees where each array ends.

    Raises:
        Exception: anything but this project's own errors is a defect.
    """
    try:
        architecture = read_architecture(folder)
        if architecture is None:
            return "other"
        mapped = open_weights(folder, architecture, "int8")
        arrays = {name: np.array(array) for name, array in mapped.tensors.items()}
        weights = Weights(architecture, "int8", arrays)
        runner = CpuRunner(weights, threads=1, cache_tokens=64, max_sequences=2, draft_length=0)
        token_ids = load_tokenizer(folder).encode_text("def double(x):\n    return 2 * x\n")[:40]
        runner.step([Chunk(runner.open(), token_ids or [0], [Choice()])])
    except CopilotServerError as error:
        return type(error).__name__ if error.remedy else "an error without a remedy"
    return "served"


def _flip(data: bytes, chosen: random.Random) -> bytes:
    """Change a few bytes of the first thousand, or of all."""
    changed = bytearray(data)
    end = chosen.choice([len(changed), min(len(changed), 1000)])
    for _ in range(chosen.randrange(1, 4)):
        changed[chosen.randrange(end)] = chosen.randrange(256)
    return bytes(changed)


def _truncate(data: bytes, chosen: random.Random) -> bytes:
    return data[: chosen.randrange(len(data))]


def _change_json(data: bytes, chosen: random.Random) -> bytes:
    """Replace or remove a value somewhere in the tree."""
    tree = json.loads(data)
    for _ in range(chosen.randrange(1, 3)):
        parent: Any = tree
        key = _random_key(parent, chosen)
        while isinstance(parent[key], dict | list) and parent[key] and chosen.random() < 0.8:
            parent = parent[key]
            key = _random_key(parent, chosen)
        if chosen.random() < 0.1:
            del parent[key]
        else:
            parent[key] = chosen.choice(HOSTILE)
    return json.dumps(tree).encode()


def _random_key(parent: Any, chosen: random.Random) -> Any:  # noqa: ANN401 - any JSON
    return chosen.randrange(len(parent)) if isinstance(parent, list) else chosen.choice(list(parent))


def _change_header(data: bytes, chosen: random.Random) -> bytes:
    """Replace or remove a value in the header of a safetensors file; sometimes change only its length."""
    (length,) = struct.unpack("<Q", data[:8])
    header = _change_json(data[8 : 8 + length], chosen)
    named = chosen.choice([len(header)] * 9 + [chosen.choice([0, 1, length + 1, 2**31, 2**63])])
    return struct.pack("<Q", named) + header + data[8 + length :]


_Change = Callable[[bytes, random.Random], bytes]
_CHANGES: tuple[tuple[str, _Change], ...] = (
    ("config.json", _change_json),
    ("config.json", _change_json),
    ("config.json", _flip),
    ("model.safetensors", _change_header),
    ("model.safetensors", _change_header),
    ("model.safetensors", _flip),
    ("model.safetensors", _truncate),
    ("tokenizer.json", _change_json),
    ("tokenizer.json", _flip),
)
