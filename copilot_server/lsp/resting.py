"""The engine of a session rests while suggestions are off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

#: How long suggestions are off before the engine is let go, in seconds: loading it again takes some.
REST_S = 60.0


class Rest:
    """Calls a function once suggestions have been off for ``REST_S``."""

    def __init__(self, let_go: Callable[[], None]) -> None:
        self._let_go = let_go
        self._timer: asyncio.TimerHandle | None = None

    def switch(self, *, off: bool) -> None:
        """Take note whether suggestions are off."""
        if off and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(REST_S, self._let_go)
        elif not off and self._timer is not None:
            self._timer.cancel()
            self._timer = None
