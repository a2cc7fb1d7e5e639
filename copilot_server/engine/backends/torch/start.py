"""Starting a runner from a model's folder: loading it, warming it up, and checking what it writes."""

from __future__ import annotations

import logging
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import torch

from copilot_server.engine.backends.torch.fallback import describe_cause, free_unused_memory
from copilot_server.engine.backends.torch.first_start import (
    LIMITS,
    NO_REFERENCE,
    Expected,
    Verdicts,
    describe_machine,
    expected_from_transformers,
    measure_deviation,
)
from copilot_server.engine.backends.torch.loading import Options, open_torch_runner, warm_up
from copilot_server.engine.backends.torch.runner import TorchRunner
from copilot_server.errors import EngineError, ModelError
from copilot_server.fetch import home

_LOG = logging.getLogger(__name__)

_REMEDY = "Please report this message; setting speed.fast to false avoids the attempt."


def start_torch_runner(folder: Path, device: torch.device, dtype: str, options: Options) -> TorchRunner:
    """Load a model, warm it up, and at the first start compare what it writes with transformers.

    A way to run it that fails or writes something else is given up for the next one (``FallbackChain``).

    Raises:
        ModelError: the files are not a model that can be read.
        EngineError: no way works on this device; the loader then uses transformers.
    """
    options = replace(options, tunings=options.tunings or _tunings_path(device))
    verdicts = Verdicts.of(folder, device, dtype)
    try:
        # The reference is freed before the runner is loaded, so that one model is in memory at a time.
        expected = None if verdicts.by_way else _expected(folder, device, dtype, verdicts)
        runner = _warm_runner(folder, device, dtype, options)
        if expected is None and not verdicts.has(runner.chain.way):
            runner.release()
            expected = _expected(folder, device, dtype, verdicts)
            runner = _warm_runner(folder, device, dtype, options)
        return _checked(runner, verdicts, expected)
    except (ModelError, EngineError):
        raise
    except Exception as error:
        msg = f"The fast decoder does not run on {device}: {describe_cause(error)}"
        raise EngineError(msg, remedy=_REMEDY) from error


def _tunings_path(device: torch.device) -> Path:
    name = sha256(describe_machine(device).encode()).hexdigest()[:16]
    return home() / "tuning" / f"torch-{name}.json"


def _warm_runner(folder: Path, device: torch.device, dtype: str, options: Options) -> TorchRunner:
    runner = open_torch_runner(folder, device, dtype, options)
    warm_up(runner)
    return runner


def _expected(folder: Path, device: torch.device, dtype: str, verdicts: Verdicts) -> Expected | None:
    """What transformers writes; None if it cannot, as when memory is short: then nothing is compared."""
    try:
        return expected_from_transformers(folder, device, dtype)
    except Exception as error:  # noqa: BLE001 - a check that cannot be made must not keep the model from starting
        cause = describe_cause(error)
        _LOG.warning("The model's tokens on %s cannot be compared with transformers': %s", device, cause)
        verdicts.remember(NO_REFERENCE, cause)
        return None
    finally:
        free_unused_memory(device)


def _checked(runner: TorchRunner, verdicts: Verdicts, expected: Expected | None) -> TorchRunner:
    """The runner in the first way that writes what it should.

    Raises:
        EngineError: there is none.
    """
    while True:
        way = runner.chain.way
        if way not in verdicts.by_way:
            if expected is None:
                return runner
            fault = _fault(runner, expected)  # if the way fails meanwhile, this is about the next one
            verdicts.remember(runner.chain.way, fault)
            continue
        cause = verdicts.by_way[way]
        if not cause:
            return runner
        if not runner.chain.give_up(cause):
            runner.release()
            raise EngineError(f"The fast decoder is wrong: {cause}", remedy=_REMEDY)


def _fault(runner: TorchRunner, expected: Expected) -> str:
    """What is wrong with what the runner writes; empty if nothing is."""
    deviation = measure_deviation(runner, expected)
    limit = LIMITS[runner.decoder.dtype]
    if not deviation.exceeds(limit):
        return ""
    return (
        f"its log-probabilities differ from transformers' by up to {deviation.worst:.3g} nats, "
        f"{deviation.mean:.3g} on average, where rounding explains {limit.worst:g} and {limit.mean:g}."
    )
