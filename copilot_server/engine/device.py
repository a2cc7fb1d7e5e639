"""Where the model runs and in which number format."""

from __future__ import annotations

import torch

from copilot_server.errors import DeviceError


def choose_device(wanted: str) -> torch.device:
    """The device for ``auto``, ``cuda``, ``mps`` or ``cpu``.

    Raises:
        DeviceError: the device that was named is not available.
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return torch.device(next(name for name, there in present.items() if there))
    if not present[wanted]:
        found = ", ".join(name for name, there in present.items() if there)
        msg = f"The device {wanted!r} is not available to torch {torch.__version__} here."
        raise DeviceError(msg, remedy=f"Use --device auto, or one of: {found}.")
    return torch.device(wanted)


def choose_dtype(wanted: str, device: torch.device) -> torch.dtype:
    """The dtype for ``auto`` or a name: the smallest one that the device computes natively.

    Without AVX-512 or AMX instructions for it, a CPU multiplies bfloat16 matrices several times slower
    than float32 (``benchmarks/LOG.md``).
    """
    if wanted != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[wanted]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if device.type == "mps":
        return torch.float16
    return torch.bfloat16 if torch.ops.mkldnn._is_mkldnn_bf16_supported() else torch.float32
