"""The engine of a load test: one that runs already, or one to start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.engines import ENGINES, RunningEngine

LOCAL = "local"
_STARTERS = {name: ENGINES[name] for name in ("llamacpp", "vllm")}
_ANY_PORT = 0


@contextmanager
def running_engine(name: str) -> Iterator[tuple[str, RunningEngine | None]]:
    """Yield an engine's URL, empty for ``local``, and the engine itself if this starts it."""
    if name in _STARTERS:
        with _STARTERS[name](_ANY_PORT) as engine:
            yield engine.url, engine
    else:
        yield ("" if name == LOCAL else name.rstrip("/")), None
