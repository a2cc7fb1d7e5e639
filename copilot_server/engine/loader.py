"""From a model's files to a running engine: the fastest one that serves this model on this machine.

torch is imported only where it computes: on a CPU our own kernels need none of it, which saves seconds of
every start and a quarter of a gigabyte.
"""

from __future__ import annotations

import logging
import sys
from ctypes import CDLL
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

from copilot_server.config import SpeedSettings
from copilot_server.engine.base import Engine
from copilot_server.engine.decoding.engine import DecodingEngine
from copilot_server.engine.models.architecture import read_architecture
from copilot_server.engine.models.files import check_files
from copilot_server.engine.models.gguf import described_folder, prepared_folder
from copilot_server.engine.models.tokenizer import Tokenizer, load_tokenizer
from copilot_server.errors import EngineError

if TYPE_CHECKING:
    import torch

_LOG = logging.getLogger(__name__)

#: What models need that the kernels for the CPU do not know, and GPUs; Macs with Intel's processors lack it.
_TORCH = frozenset({"torch", "transformers", "accelerate"})
#: The number formats that weights are rounded to when they are loaded.
QUANTIZED = ("int8", "int4")

#: The number formats that our kernels for the CPU compute with, and those that they take from a GGUF file.
_KernelDtype = Literal["float32", "bfloat16", "int8", "gguf"]
_KERNEL_DTYPES = get_args(_KernelDtype)
_FROM_GGUF = ("int8", "gguf")


@dataclass(frozen=True)
class _Wanted:
    """What is to be loaded and how; ``notices`` collects why faster ways were passed over."""

    path: Path
    device: str
    dtype: str
    speed: SpeedSettings
    notices: list[str] = field(default_factory=list)

    @cached_property
    def folder(self) -> Path:
        """The model in transformers' format, which may have to be unpacked first."""
        return prepared_folder(self.path) if self.path.suffix == ".gguf" else self.path

    def note(self, notice: str) -> None:
        """Remember why a faster way was passed over."""
        if notice not in self.notices:
            self.notices.append(notice)
            _LOG.warning("%s", notice)


def load_engine(
    path: Path, *, device: str = "auto", dtype: str = "auto", speed: SpeedSettings | None = None
) -> Engine:
    """Load the model in a folder of transformers' format or in a ``.gguf`` file.

    Raises:
        DeviceError: the device is not available.
        ModelError: the files are not a model that can be read.
        EngineError: it does not fit in memory, cannot be served in ``dtype``, or needs torch where none is.
    """
    check_files(path)
    wanted = _Wanted(path, device, dtype, speed or SpeedSettings())
    try:
        engine = _gguf_engine(wanted) or _fast_engine(wanted) or _transformers_engine(wanted)
    except ModuleNotFoundError as error:
        if error.name not in _TORCH:
            raise
        msg = f"{path.name} needs PyTorch here, which is not installed."
        remedy = "Install torch and transformers, or take a .gguf file of a Qwen2 model with --dtype auto."
        raise EngineError(msg, remedy=" ".join([remedy, *wanted.notices])) from error
    _LOG.info("loaded %s on %s in %s", path.name, engine.device, engine.dtype)
    return engine


def load_transformers_engine(
    path: Path, *, device: str = "auto", dtype: str = "auto", speed: SpeedSettings | None = None
) -> DecodingEngine:
    """Load any model that transformers knows, to be computed by transformers.

    Raises:
        DeviceError, ModelError, EngineError: as ``load_engine``.
    """
    check_files(path)
    return _transformers_engine(_Wanted(path, device, dtype, speed or SpeedSettings()))


def _transformers_engine(wanted: _Wanted) -> DecodingEngine:
    from copilot_server.engine.backends.transformers.loading import (  # noqa: PLC0415 - imports torch
        open_transformers_runner,
    )
    from copilot_server.engine.device import choose_device, choose_dtype  # noqa: PLC0415 - imports torch

    if wanted.dtype in {*QUANTIZED, "gguf"}:
        msg = f"{wanted.path.name} cannot be served in {wanted.dtype} here."
        remedy = (
            "Use --dtype auto. int8 needs speed.fast and a Qwen2 or Llama model; int4 also needs a GPU; "
            "gguf needs the CPU and a .gguf file of a Qwen2 model."
        )
        raise EngineError(msg, remedy=remedy)
    device = choose_device(wanted.device)
    runner, tokenizer = open_transformers_runner(wanted.folder, device, choose_dtype(wanted.dtype, device))
    return DecodingEngine(runner, tokenizer, wanted.speed, wanted.notices)


def _gguf_engine(wanted: _Wanted) -> Engine | None:
    """Our kernels for the CPU over weights straight from a GGUF file; None where it is not for them."""
    possible = wanted.speed.fast and wanted.path.suffix == ".gguf" and wanted.dtype in {"auto", *_FROM_GGUF}
    if not possible or not is_on_cpu(wanted.device):
        return None
    folder = described_folder(wanted.path)
    return _cpu_engine(wanted, folder, wanted.path) if folder else None


def _fast_engine(wanted: _Wanted) -> Engine | None:
    """Our own decoder for this device; None where there is none for it, and in ``notices`` why."""
    if not wanted.speed.fast or wanted.dtype == "gguf" or read_architecture(wanted.folder) is None:
        return None
    if is_on_cpu(wanted.device):
        return _cpu_engine(wanted, wanted.folder)
    from copilot_server.engine.device import choose_device  # noqa: PLC0415 - imports torch

    return _torch_engine(wanted, choose_device(wanted.device))


def is_on_cpu(device: str) -> bool:
    """Whether ``device`` is the CPU, or ``auto`` on a machine without an accelerator.

    Raises:
        DeviceError: the device is not available.
    """
    if device == "cpu" or (device == "auto" and not _may_have_accelerator()):
        return True
    from copilot_server.engine.device import choose_device  # noqa: PLC0415 - imports torch

    return choose_device(device).type == "cpu"


def _warm_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer, with what takes a second to make for a large vocabulary made now, not while typing."""
    tokenizer = load_tokenizer(folder)
    _ = tokenizer.control_ids, tokenizer.token_bytes
    return tokenizer


def _may_have_accelerator() -> bool:
    """Whether it is worth the seconds that asking torch takes."""
    if find_spec("torch") is None:
        return False
    if sys.platform == "darwin":
        return True
    try:
        CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def _cpu_engine(wanted: _Wanted, folder: Path, gguf: Path | None = None) -> DecodingEngine | None:
    from copilot_server.engine.backends.cpu.loading import (  # noqa: PLC0415 - only where it computes
        fastest_dtype,
        open_cpu_runner,
    )

    architecture = read_architecture(folder)
    if wanted.dtype not in {"auto", *_KERNEL_DTYPES} or architecture is None:
        return None
    try:
        number = fastest_dtype(gguf) if wanted.dtype == "auto" else cast("_KernelDtype", wanted.dtype)
        runner = open_cpu_runner(folder, architecture, number, gguf=gguf, threads=wanted.speed.threads)
    except EngineError as error:
        wanted.note(f"{error} Until then completions are several times slower.")
        return None
    return DecodingEngine(runner, _warm_tokenizer(folder), wanted.speed, wanted.notices)


def _torch_engine(wanted: _Wanted, device: torch.device) -> Engine:
    """The fast decoder in PyTorch; transformers where no way to run it works, and in ``notices`` why."""
    from copilot_server.engine.backends.torch.fallback import free_unused_memory  # noqa: PLC0415 - imports torch
    from copilot_server.engine.backends.torch.loading import Options  # noqa: PLC0415 - imports torch
    from copilot_server.engine.backends.torch.start import start_torch_runner  # noqa: PLC0415 - imports torch
    from copilot_server.engine.device import choose_dtype  # noqa: PLC0415 - imports torch

    number = wanted.dtype
    if number not in QUANTIZED:
        number = str(choose_dtype(number, device)).removeprefix("torch.")
    options = Options(cuda_graphs=wanted.speed.cuda_graphs)
    try:
        runner = start_torch_runner(wanted.folder, device, number, options)
    except EngineError as error:
        instead = f", not in {number}" if number in QUANTIZED else ""
        notice = f"The model runs on {device} with transformers{instead}, several times slower: {error}"
        wanted.note(notice)
    else:
        return DecodingEngine(runner, _warm_tokenizer(wanted.folder), wanted.speed, wanted.notices)
    free_unused_memory(device)  # only now is the error gone, and with it what its frames referred to
    return _transformers_engine(replace(wanted, dtype="auto") if number in QUANTIZED else wanted)
