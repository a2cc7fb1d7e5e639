"""Hostile models: the corpus of those that are kept, and others made of them by a few changes.

The changes are the same for the same number, whatever ran before.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import struct
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count, takewhile
from pathlib import Path
from typing import Any

import numpy as np

from copilot_server.engine.backends.cpu.layout import Dtype
from copilot_server.engine.backends.cpu.runner import CpuRunner
from copilot_server.engine.backends.cpu.weights import open_weights
from copilot_server.engine.models.architecture import read_architecture
from copilot_server.engine.models.files import check_files
from copilot_server.engine.models.gguf import described_folder, prepared_folder
from copilot_server.engine.models.tokenizer import load_tokenizer
from copilot_server.engine.runner import Choice, Chunk
from copilot_server.errors import CopilotServerError
from copilot_server.fetch.derived import derived_folder

#: How long each fuzzer of the long tests runs, in seconds, and under sanitizers in ``make sanitize``.
FUZZ_S, SANITIZED_FUZZ_S = 600, 150
#: Holds another number of seconds for both.
SECONDS_VARIABLE = "COPILOT_SERVER_FUZZ_SECONDS"

CORPUS = Path(__file__).parents[1] / "corpus"
#: What is fuzzed, and the name of the file in a model's folder; a GGUF file is a model by itself.
KINDS = {
    "config": "config.json",
    "tokenizer": "tokenizer.json",
    "safetensors": "model.safetensors",
    "gguf": "",
}

TEXT = "def double(x):\n    return 2 * x\n"
#: Values that a reader may not expect in place of any other.
HOSTILE: tuple[Any, ...] = (
    0, 1, 2, 3, 7, 8, 33, 255, 257, 600, 1023, 4096, 65537, 2**20, 2**31 - 1, 2**31, 2**32 + 1, 2**63, 2**64,
    10**400, -1, -4, -(2**31), 0.5, -0.0, 1e-300, 1e308, float("nan"), float("inf"), True, False, None, "",
    "8", "F16", "BF16", "U8", "F64", "\ud800", [], [0], [4, 4], [-1, 16], {}, {"0": 0}, [[[]]],
)  # fmt: skip


def expected() -> dict[tuple[str, str], str]:
    """What happens to each model of the corpus, by its kind and name: ``served``, or what the error says."""
    table = tomllib.loads((CORPUS / "expected.toml").read_text("utf-8"))
    return {(kind, name): outcome for kind, names in table.items() for name, outcome in names.items()}


def kept(kind: str) -> list[Path]:
    """The files of one kind: the good one, and the corpus."""
    good = CORPUS / "model" / KINDS[kind] if KINDS[kind] else CORPUS / "model.gguf"
    return [good, *sorted((CORPUS / kind).iterdir())]


def make_model(kind: str, data: bytes, folder: Path) -> Path:
    """Write a good model of the corpus with ``data`` in place of one file; return what a user would name."""
    shutil.rmtree(folder, ignore_errors=True)
    if not KINDS[kind]:
        folder.mkdir()
        (folder / "model.gguf").write_bytes(data)
        return folder / "model.gguf"
    shutil.copytree(CORPUS / "model", folder)
    (folder / KINDS[kind]).write_bytes(data)
    return folder


def hostile_data(kind: str, number: int) -> bytes:
    """The hostile file with this number: a good one or, less often, one of the corpus, with a few changes."""
    chosen = random.Random(f"{kind} {number}")
    good, *others = kept(kind)
    base = good if chosen.random() < 0.7 else chosen.choice(others)
    return change_file(kind, base.read_bytes(), chosen)


def change_file(kind: str, data: bytes, chosen: random.Random) -> bytes:
    """Change a file in one of the ways that suit it."""
    change = chosen.choice(_CHANGES[kind])
    try:
        return change(data, chosen)
    except (
        ValueError,
        LookupError,
        TypeError,
        struct.error,
        RecursionError,
    ):  # it was damaged too much for that
        return _flip(data, chosen)


def numbers(first: int) -> Iterator[int]:
    """Numbers from ``first`` on, for as many seconds as a fuzzer runs."""
    end_s = time.monotonic() + float(os.environ.get(SECONDS_VARIABLE, FUZZ_S))
    yield from takewhile(lambda _: time.monotonic() < end_s, count(first))


def outcome_of(kind: str, data: bytes, scratch: Path) -> str:
    """Load a model with this file, and complete with it: ``served``, ``other``, or the error's message.

    Raises:
        Exception: anything but this project's own errors is a defect.
    """
    model = make_model(kind, data, scratch / "model")
    if not KINDS[kind] and "remedy" in (outcome := outcome_of_gguf(model)):
        return outcome
    try:
        check_files(model)
        folder = model if KINDS[kind] else prepared_folder(model)
        outcome = load_and_step(folder)
    except CopilotServerError as error:
        outcome = error.message if error.remedy else f"an error without a remedy: {error}"
    shutil.rmtree(derived_folder(model))
    return outcome


def outcome_of_gguf(model: Path) -> str:
    """Complete with a GGUF file that the kernels read by themselves: ``served``, ``other`` or ``refused``.

    Raises:
        Exception: anything but this project's own errors is a defect.
    """
    try:
        folder = described_folder(model)
        return load_and_step(folder, "gguf", model) if folder else "other"
    except CopilotServerError as error:
        return "refused" if error.remedy else f"an error without a remedy: {error}"


def load_and_step(folder: Path, dtype: Dtype = "int8", gguf: Path | None = None) -> str:
    """Load a folder with the CPU kernels and run a step of it: ``served``, or ``other`` if they do not do so.

    The weights are copied out of the mapped file, so that a sanitizer sees where each array ends.

    Raises:
        CopilotServerError: the model is refused.
    """
    architecture = read_architecture(folder)
    if architecture is None:
        return "other"
    mapped = open_weights(folder, architecture, dtype, gguf)
    weights = replace(mapped, tensors={name: np.array(array) for name, array in mapped.tensors.items()})
    runner = CpuRunner(weights, threads=1, cache_tokens=64, max_sequences=2, draft_length=0)
    tokenizer = load_tokenizer(folder)
    token_ids = tokenizer.encode_text(TEXT)[:40] or [0]
    tokenizer.stable_length(TEXT)
    choice = Choice(allowed=[int(one) for one in tokenizer.token_bytes.compatible(b"re")] or None)
    [[drawn]] = runner.step([Chunk(runner.open(), token_ids, [choice])])
    stream = tokenizer.text_stream(token_ids)
    for token_id in (drawn.token_id, *sorted(tokenizer.control_ids)[:2], *token_ids):
        stream.step(token_id)
    return "served"


def _flip(data: bytes, chosen: random.Random) -> bytes:
    """Change a few bytes of the first thousand, or of all."""
    changed = bytearray(data or b"\0")
    end = chosen.choice([len(changed), min(len(changed), 1000)])
    for _ in range(chosen.randrange(1, 4)):
        changed[chosen.randrange(end)] = chosen.randrange(256)
    return bytes(changed)


def _truncate(data: bytes, chosen: random.Random) -> bytes:
    return data[: chosen.randrange(len(data))]


def _splice(data: bytes, chosen: random.Random) -> bytes:
    """Move a piece to another place, or repeat it there."""
    start, to = chosen.randrange(len(data)), chosen.randrange(len(data))
    piece = data[start : start + chosen.choice([1, 4, 8, 32, 256])]
    return data[:to] + piece + data[to + chosen.choice([0, len(piece)]) :]


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


#: Parts that tokenizers may have, with values of their own.
_PARTS: dict[str, tuple[dict[str, Any], ...]] = {
    "normalizer": (
        {"type": "NFKC"}, {"type": "Lowercase"}, {"type": "Strip", "strip_left": True, "strip_right": True},
        {"type": "Prepend", "prepend": "e"}, {"type": "Replace", "pattern": {"String": "e"}, "content": "ee"},
        {"type": "Replace", "pattern": {"Regex": ".*"}, "content": ""},
        {"type": "Replace", "pattern": {"Regex": "(x?)*"}, "content": "x"},
        {"type": "ByteLevel"}, {"type": "Precompiled", "precompiled_charsmap": "AAAAAA=="},
    ),
    "pre_tokenizer": (
        {"type": "Whitespace"}, {"type": "Digits", "individual_digits": True}, {"type": "UnicodeScripts"},
        {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True},
        {"type": "Split", "pattern": {"Regex": "(\\w+\\s*)+:"}, "behavior": "Isolated", "invert": False},
        {"type": "Split", "pattern": {"Regex": "$|^"}, "behavior": "Removed", "invert": True},
        {"type": "FixedLength", "length": 0}, {"type": "CharDelimiterSplit", "delimiter": "e"},
    ),
    "decoder": (
        {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": "e", "start": 9, "stop": 9},
        {"type": "Replace", "pattern": {"String": "e"}, "content": "ee"}, {"type": "CTC", "pad_token": "",
        "word_delimiter_token": "", "cleanup": True}, {"type": "WordPiece", "prefix": "", "cleanup": True},
        {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": False},
    ),
}  # fmt: skip


def _change_part(data: bytes, chosen: random.Random) -> bytes:
    """Give a tokenizer other parts, and change a value of them."""
    tree = json.loads(data)
    name = chosen.choice(list(_PARTS))
    plural = {"normalizer": "normalizers", "pre_tokenizer": "pretokenizers", "decoder": "decoders"}[name]
    parts = [dict(chosen.choice(_PARTS[name])) for _ in range(chosen.choice([1, 1, 2, 12]))]
    if chosen.random() < 0.3:
        parts[0][chosen.choice(list(parts[0]))] = chosen.choice(HOSTILE)
    tree[name] = {"type": "Sequence", plural: parts} if len(parts) > 1 else parts[0]
    return json.dumps(tree).encode()


def _change_header(data: bytes, chosen: random.Random) -> bytes:
    """Replace or remove a value in the header of a safetensors file; sometimes change only its length."""
    (length,) = struct.unpack("<Q", data[:8])
    header = _change_json(data[8 : 8 + length], chosen)
    named = chosen.choice([len(header)] * 9 + [chosen.choice([0, 1, length + 1, 2**31, 2**63])])
    return struct.pack("<Q", named) + header + data[8 + length :]


def _change_number(data: bytes, chosen: random.Random) -> bytes:
    """Put numbers that a reader may not expect anywhere into a GGUF file, most often into its header."""
    changed = bytearray(data)
    values = (0, 1, 2, 3, 7, 8, 9, 12, 13, 255, 2**16, 2**20, 2**24, 2**31 - 1, 2**32 - 1)
    end = chosen.choice([24, len(data) // 2, len(data)]) - 8
    for _ in range(chosen.randrange(1, 4)):
        value, kind = chosen.choice(values), chosen.choice("IIQ")
        struct.pack_into(f"<{kind}", changed, chosen.randrange(end), value)
    return bytes(changed)


_Change = Callable[[bytes, random.Random], bytes]
_BYTES: tuple[_Change, ...] = (_flip, _truncate, _splice)
_CHANGES: dict[str, tuple[_Change, ...]] = {
    "config": (*[_change_json] * 6, *_BYTES),
    "tokenizer": (*[_change_json] * 4, *[_change_part] * 3, *_BYTES),
    "safetensors": (*[_change_header] * 6, *_BYTES),
    "gguf": (*[_change_number] * 6, *_BYTES),
}
