"""The machine that this process runs on, measured once and remembered.

What was measured while other programs computed is measured again at the next start, a few times, and the
fastest counts: one noisy start must not choose a small model for ever.
"""

from __future__ import annotations

import json
import logging
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import cast

import psutil

from copilot_server import __version__
from copilot_server.config import Settings
from copilot_server.engine.backends.cpu.layout import Dtype
from copilot_server.engine.backends.cpu.library import load_library
from copilot_server.engine.backends.cpu.loading import fastest_dtype, tuning_key
from copilot_server.engine.backends.cpu.tuning import ATTEMPTS, QUIET, OtherPrograms, undisturbed_tuning
from copilot_server.engine.loader import is_on_cpu
from copilot_server.engine.model_choice.machine import BESIDE_GGUF, Machine, Speeds
from copilot_server.engine.models.architecture import read_architecture
from copilot_server.engine.models.gguf import described_path
from copilot_server.errors import EngineError
from copilot_server.fetch import home
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
    path = _path(key)
    machine, attempts = _recall(path)
    if machine is not None and not 0 < attempts < ATTEMPTS:
        return machine
    progress.note("Measuring this machine.")
    others = OtherPrograms()
    measured = measure()
    if others.share() > QUIET:
        measured, attempts = _fastest(measured, machine), attempts + 1
    else:
        attempts = 0
    _LOG.info("measured: %s", measured)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"machine": asdict(measured), "attempts": attempts}), "utf-8")
    except OSError as error:
        _LOG.debug("the machine's speed cannot be remembered: %s", error)
    return measured


def _fastest(measured: Machine, before: Machine | None) -> Machine:
    if before is None:
        return measured
    return replace(
        measured,
        multiplications_s=max(measured.multiplications_s, before.multiplications_s),
        bytes_s=max(measured.bytes_s, before.bytes_s),
    )


def _recall(path: Path) -> tuple[Machine | None, int]:
    """What was measured, if it can be read, and how many starts have measured beside other programs."""
    try:
        kept = json.loads(path.read_text("utf-8"))
        machine, attempts = Machine(**kept["machine"]), kept["attempts"]
        numbers = (machine.multiplications_s, machine.bytes_s, machine.memory_bytes, attempts + 1)
        return (machine, attempts) if all(number > 0 for number in numbers) else (None, 0)
    except (OSError, ValueError, TypeError, LookupError):
        return None, 0


def _path(key: str) -> Path:
    # Another version may have faster kernels.
    machine = f"{__version__} {platform.node()} {platform.processor()} {os.cpu_count()} {key}"
    return home() / "tuning" / f"machine-{sha256(machine.encode()).hexdigest()[:16]}.json"
