"""What an engine on this machine says about itself, beyond the interface that all engines share."""

from __future__ import annotations

from copilot_server.engine.base import Engine


def instruction_set(engine: Engine) -> str:
    """Return the processor instructions that the engine uses, such as ``avx2``; empty if it does not say."""
    found = _of_runner(engine, "instruction_set")
    return found if isinstance(found, str) else ""


def threads(engine: Engine) -> int | None:
    """Return the number of threads that compute, or None if the engine does not say."""
    found = _of_runner(engine, "threads")
    return found if isinstance(found, int) else None


def device_memory_mb(engine: Engine) -> dict[str, float]:
    """Return what the model holds of a device's own memory, by purpose, in units of 10^6 bytes."""
    found = _of_runner(engine, "memory_bytes")
    if engine.device == "cpu" or not isinstance(found, dict):
        return {}
    return {str(purpose): size / 1e6 for purpose, size in found.items()}


def prompt_tokens_read(engine: Engine) -> int | None:
    """Return how many tokens of prompts the engine has read so far, or None if it does not say."""
    found = getattr(getattr(engine, "counters", None), "prompt_tokens_read", None)
    return found if isinstance(found, int) else None


def forget_prompts(engine: Engine) -> bool:
    """Have the engine drop what it keeps of earlier prompts; return whether it can.

    The next prompt is then read as a whole, as that of a document that was never seen before.
    """
    forget = getattr(engine, "forget_prompts", None)
    if callable(forget):
        forget()
    return callable(forget)


def _of_runner(engine: Engine, name: str) -> object:
    return getattr(getattr(engine, "runner", None), name, None)
