"""What a kernel may use of a CUDA device, so that nothing is tried that cannot run there."""

from __future__ import annotations

from dataclasses import dataclass

import torch

#: Registers that a thread can address on every chip since Kepler (CUDA C++ Programming Guide, "Compute
#: Capabilities", table "Technical Specifications per Compute Capability").
MOST_REGISTERS_OF_THREAD = 255


#: Shared memory that the compiler adds to what a kernel asks for, for barriers on Hopper and Blackwell.
BARRIER_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What one block of threads may use.

    ``shared_bytes``: of shared memory, when a kernel opts in to more than 48 KiB; ``registers``: of all its
    threads together.
    """

    shared_bytes: int
    registers: int = 65536


#: By compute capability. Source: CUDA C++ Programming Guide, "Maximum amount of shared memory per thread
#: block" and "Maximum number of 32-bit registers per thread block".
LIMITS: dict[tuple[int, int], Limits] = {
    (8, 0): Limits(163 * 1024),
    (8, 6): Limits(99 * 1024),
    (8, 9): Limits(99 * 1024),
    (9, 0): Limits(227 * 1024),
    (10, 0): Limits(227 * 1024),
    (12, 0): Limits(99 * 1024),
}

#: What every chip since Ampere has.
SMALLEST = Limits(99 * 1024)


def limits_of(device: torch.device) -> Limits:
    """What the device reports about itself; the smallest known limits where it reports nothing."""
    if device.type != "cuda":
        return SMALLEST
    properties = torch.cuda.get_device_properties(device)
    known = LIMITS.get((properties.major, properties.minor), SMALLEST)
    return Limits(getattr(properties, "shared_memory_per_block_optin", known.shared_bytes), known.registers)
