"""The machine that this process runs on, measured once and remembered (``engine/measurements.py``)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

import psutil

from copilot_server import __version__
from copilot_server.config import Settings
from copilot_server.engine.backends.cpu.layout import Dtype
from copilot_server.engine.backends.cpu.library import load_library
from copilot_server.engine.backends.cpu.loading import fastest_dtype, tuning_key
from copilot_server.engine.backends.cpu.tuning import undisturbed_tuning
from copilot_server.engine.loader import is_on_cpu
from copilot_server.engine.measurements import measure_once
from copilot_server.engine.model_choice.machine import BESIDE_GGUF, Machine, Speeds
from copilot_server.engine.models.architecture import read_architecture
from copilot_server.engine.models.gguf import described_path
from copilot_server.errors import EngineError
from copilot_server.fetch.progress import Progress

_LOG = logging.getLogger(__name__)


def this_machine(settings: Settings, progress: Progress) -> Machine | None:
    """Measure, in seconds, or recall what was measured, for the device and number format of ``settings``.

    Returns:
        None where models are not computed with this project's own decoders, whose speed is not known.

    Raises:
        DeviceError: the device is not available.
    """
    if not settings.speed.fast:
        return None
    try:
        return (
            _processor(settings, progress) if is_on_cpu(settings.device) else _accelerator(settings, progress)
        )
    except EngineError as error:
        _LOG.warning("the machine cannot be measured: %s", error)
        return None


def measured_models(machine: Machine | None, paths: Mapping[str, Path], threads: int) -> dict[str, Speeds]:
    """The speeds of the models at ``paths`` (by id) that have run on this machine without other programs."""
    if machine is None or machine.device != "cpu":
        return {}
    found = {name: _measured(machine.dtype, path, threads) for name, path in paths.items()}
    return {name: speeds for name, speeds in found.items() if speeds is not None}


def _measured(dtype: str, path: Path, threads: int) -> Speeds | None:
    is_gguf = path.suffix == ".gguf"
    folder = described_path(path) if is_gguf else path
    if not (folder / "config.json").is_file() or (architecture := read_architecture(folder)) is None:
        return None
    number = cast("Dtype", BESIDE_GGUF if dtype == "gguf" and not is_gguf else dtype)
    tuning = undisturbed_tuning(key=tuning_key(architecture, number), threads=threads)
    return None if tuning is None else Speeds(tuning.reading_speed_tok_s, 1 / tuning.step_s)


def _processor(settings: Settings, progress: Progress) -> Machine | None:
    dtype = settings.dtype
    if dtype == "auto":
        dtype = fastest_dtype(Path("any.gguf"))
    elif dtype in ("float16", "int4"):  # which the kernels for the CPU do not compute with
        return None
    threads = settings.speed.threads

    def measure() -> Machine:
        from copilot_server.engine.backends.cpu.speed import measure_speed  # noqa: PLC0415 - seldom needed

        return Machine(
            "cpu", dtype, *measure_speed(cast("Dtype", dtype), threads), psutil.virtual_memory().total
        )

    isa = load_library().decoder_isa().decode()
    return _remembered(f"cpu {isa} {dtype} {threads}", measure, progress)


def _accelerator(settings: Settings, progress: Progress) -> Machine:
    from copilot_server.engine.backends.torch.speed import measure_device, name_of  # noqa: PLC0415 - imports torch

    key = f"{name_of(settings.device)} {settings.dtype}"
    return _remembered(key, lambda: measure_device(settings.device, settings.dtype), progress)


def _remembered(key: str, measure: Callable[[], Machine], progress: Progress) -> Machine:
    def measure_aloud() -> Machine:
        progress.note("Measuring this machine.")
        return measure()

    # Another version may have faster kernels.
    return measure_once(Machine, f"machine {__version__} {key}", measure_aloud, _fastest)


def _fastest(measured: Machine, before: Machine) -> Machine:
    return replace(
        measured,
        multiplications_s=max(measured.multiplications_s, before.multiplications_s),
        bytes_s=max(measured.bytes_s, before.bytes_s),
    )
