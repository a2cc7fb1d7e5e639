"""The type of a handler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from copilot_server.lsp.session import Session

#: Called with a session and the parameters of a message; the result of a notification's handler is ignored.
Handler = Callable[[Session, Any], object]
#: Handlers by the method that they handle.
Handlers = Mapping[str, Handler]
