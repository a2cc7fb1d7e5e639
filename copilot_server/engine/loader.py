"""From a model's files to a running engine: the fastest one that serves this model on this machine.

torch is imported only where it computes: on a CPU our own kernels need none of it, which saves seconds of
every start and a quarter of a gigabyte.
"""

from __future__ import annotations

import logging
import sys
from ctypes import CDLL
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from copilot_server.config import SpeedSettings
from copilot_server.engine.base import Engine
from copilot_server.engine.decoding.engine import DecodingEngine
from copilot_server.engine.models.architecture import Architecture, read_architecture
from copilot_server.engine.models.gguf import prepared_folder
from copilot_server.engine.models.tokenizer import Tokenizer, load_tokenizer
from copilot_server.errors import EngineError

if TYPE_CHECKING:
    import torch

    from copilot_server.engine.backends.transformers.engine import TorchEngine

_LOG = logging.getLogger(__name__)

#: The number formats that our kernels for the CPU compute with.
_KERNEL_DTYPES = ("float32", "bfloat16", "int8")


def load_engine(
    path: Path, *, device: str = "auto", dtype: str = "auto", speed: SpeedSettings | None = None
) -> Engine:
    """Load the model in a folder of transformers' format or in a ``.gguf`` file.

    Raises:
        DeviceError: the device is not there.
        ModelError: the files are not a model that can be read.
        EngineError: it does not fit in memory, or does not go with ``dtype``.
    """
    speed = speed or SpeedSettings()
    folder = prepared_folder(path) if path.suffix == ".gguf" else path
    architecture = read_architecture(folder) if speed.fast else None
    engine = _fast_engine(folder, architecture, device, dtype, speed) if architecture else None
    engine = engine or load_plain_engine(path, device=device, dtype=dtype)
    _LOG.info("loaded %s on %s in %s", folder.name, engine.device, engine.dtype)
    return engine


def load_plain_engine(path: Path, *, device: str = "auto", dtype: str = "auto") -> TorchEngine:
    """Load any model that transformers knows, to be decoded as transformers does.

    Raises:
        DeviceError, ModelError, EngineError: as ``load_engine``.
    """
    from copilot_server.engine.backends.transformers.loading import open_torch_engine  # noqa: PLC0415 - imports torch
    from copilot_server.engine.device import choose_device, choose_dtype  # noqa: PLC0415 - imports torch

    folder = prepared_folder(path) if path.suffix == ".gguf" else path
    if dtype in ("int8", "int4"):
        msg = f"{folder.name} cannot be served in {dtype} here."
        remedy = "Use --dtype auto. int8 needs speed.fast and a Qwen2 or Llama model; int4 a GPU besides."
        raise EngineError(msg, remedy=remedy)
    where = choose_device(device)
    return open_torch_engine(folder, where, choose_dtype(dtype, where))


def _fast_engine(
    folder: Path, architecture: Architecture, device: str, dtype: str, speed: SpeedSettings
) -> Engine | None:
    """Our own decoder for this device; None where there is none for it."""
    if device == "cpu" or (device == "auto" and not _may_have_accelerator()):
        return _cpu_engine(folder, architecture, dtype, speed)
    from copilot_server.engine.device import choose_device  # noqa: PLC0415 - imports torch

    where = choose_device(device)
    if where.type == "cpu":
        return _cpu_engine(folder, architecture, dtype, speed)
    return _torch_engine(folder, where, dtype, speed)


def _warm_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer, with what takes a second to make for a large vocabulary made now, not while typing."""
    tokenizer = load_tokenizer(folder)
    _ = tokenizer.control_ids, tokenizer.token_bytes
    return tokenizer


def _may_have_accelerator() -> bool:
    """Whether it is worth the seconds that asking torch takes."""
    if sys.platform == "darwin":
        return True
    try:
        CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def _cpu_engine(
    folder: Path, architecture: Architecture, dtype: str, speed: SpeedSettings
) -> DecodingEngine | None:
    from copilot_server.engine.backends.cpu.loading import open_cpu_runner  # noqa: PLC0415 - only where it computes

    number = "int8" if dtype == "auto" else dtype
    if number not in _KERNEL_DTYPES:
        return None
    try:
        runner = open_cpu_runner(
            folder,
            architecture,
            cast("Literal['float32', 'bfloat16', 'int8']", number),
            threads=speed.threads,
        )
    except EngineError as error:
        _LOG.warning("%s Until then completions are several times slower. %s", error, error.remedy)
        return None
    return DecodingEngine(runner, _warm_tokenizer(folder), speed)


def _torch_engine(folder: Path, device: torch.device, dtype: str, speed: SpeedSettings) -> DecodingEngine:
    from copilot_server.engine.backends.torch.loading import (  # noqa: PLC0415 - imports torch
        Options,
        open_torch_runner,
        warm_up,
    )
    from copilot_server.engine.device import choose_dtype  # noqa: PLC0415 - imports torch

    number = dtype if dtype in ("int8", "int4") else str(choose_dtype(dtype, device)).removeprefix("torch.")
    runner = open_torch_runner(folder, device, number, Options(cuda_graphs=speed.cuda_graphs))
    if device.type == "cuda":
        warm_up(runner)
    return DecodingEngine(runner, _warm_tokenizer(folder), speed)
