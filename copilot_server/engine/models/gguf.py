"""GGUF files, described or unpacked once into a folder in the format of transformers."""

from __future__ import annotations

import hashlib
import logging
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from copilot_server.engine.models.gguf_header import check_header
from copilot_server.engine.models.gguf_qwen2 import describe
from copilot_server.errors import DiskSpaceError, ModelError
from copilot_server.fetch.derived import are_ours, derived_folder, make_private, remove, seal

_LOG = logging.getLogger(__name__)

#: Increase this when what is written below changes, so that older folders are written again.
FORMAT = 1

SAMPLES, SAMPLE_BYTES = 64, 16384


def described_folder(gguf: Path) -> Path | None:
    """The folder with a GGUF file's configuration and tokenizer, for an engine that reads the weights itself.

    It is created if it does not exist, in a second or two, where ``prepared_folder`` has it.

    Returns:
        None if only transformers can read what kind of model it is: unpack it.

    Raises:
        ModelError: the file is damaged, or the folder belongs to another user.
    """
    folder = described_path(gguf)
    return folder if _make(gguf, folder, _describe) else None


def prepared_folder(gguf: Path) -> Path:
    """The folder with a GGUF file's weights in bfloat16 safetensors; it is created if it does not exist.

    It lies beside a file that was pulled, and among the cached models for any other, beside which anybody may
    have put a folder of that name. One that others may write to is written again. Unpacking takes up to a
    minute. The weights were trained in bfloat16; rounding to it loses far less than the quantization of the
    file has lost already.

    Raises:
        DiskSpaceError: there is too little room for it.
        ModelError: the file cannot be read as GGUF, or the folder belongs to another user.
    """
    folder = unpacked_folder(gguf)
    _make(gguf, folder, _unpack)
    return folder


def described_path(gguf: Path) -> Path:
    """The folder that ``described_folder`` makes, whether or not it exists yet."""
    return derived_folder(gguf) / f"{gguf.stem}-{_identity(gguf)}-described"


def unpacked_folder(gguf: Path) -> Path:
    """The folder that ``prepared_folder`` unpacks a GGUF file into, whether or not it exists yet."""
    return derived_folder(gguf) / f"{gguf.stem}-{_identity(gguf)}"


def _identity(gguf: Path) -> str:
    """A hash that changes when the file does: of samples from all over it, as reading all takes seconds."""
    size = gguf.stat().st_size
    digest = hashlib.sha256(b"%d %d " % (FORMAT, size))
    with gguf.open("rb") as file:
        for sample in range(SAMPLES):
            file.seek(size * sample // SAMPLES)
            digest.update(file.read(SAMPLE_BYTES))
    return digest.hexdigest()[:12]


def _make(gguf: Path, folder: Path, fill: Callable[[Path, Path], bool]) -> bool:
    """Have ``fill`` fill the folder, unless that was done before; whether it is there now."""
    try:
        with FileLock(f"{folder}.lock"):
            if folder.is_dir() and are_ours(folder):
                return True
            remove(folder)
            with tempfile.TemporaryDirectory(prefix=".preparing-", dir=folder.parent) as scratch:
                made = Path(scratch) / "model"
                if not fill(gguf, made):
                    return False
                make_private(made)
                made.replace(folder)
            seal(folder)
    except PermissionError as error:
        msg = f"{gguf} cannot be unpacked ({error})."
        raise ModelError(msg, remedy="Check its permissions and those of the cached models.") from error
    return True


def _describe(gguf: Path, made: Path) -> bool:
    made.mkdir()
    return describe(gguf, made)


def _unpack(gguf: Path, made: Path) -> bool:
    check_header(gguf)
    _check_disk_space(gguf, made.parent)
    from copilot_server.engine.models.unpacking import unpack  # noqa: PLC0415 - imports torch, seconds

    _LOG.info("unpacking %s, once", gguf.name)
    unpack(gguf, made)
    return True


def _check_disk_space(gguf: Path, folder: Path) -> None:
    needed = 5 * gguf.stat().st_size  # four bits per weight become sixteen, with a margin
    free = shutil.disk_usage(folder).free
    if free < needed:
        msg = f"Unpacking {gguf} needs {needed / 1e9:.1f} GB in {folder}; {free / 1e9:.1f} GB are free."
        raise DiskSpaceError(msg, remedy="Free some space, or set COPILOT_SERVER_HOME to another disk.")
