"""What an editor's status bar shows: Copilot's ``didChangeStatus``, and beside it what that cannot say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

#: A notification to the editor; Copilot's clients know its first three fields.
DID_CHANGE_STATUS = "didChangeStatus"

State = Literal["loading", "ready", "thinking", "off", "error"]
Kind = Literal["Normal", "Warning", "Error", "Inactive"]

_KINDS: dict[State, Kind] = {"off": "Inactive", "error": "Error"}


@dataclass(frozen=True, slots=True)
class Status:
    """How the server is. ``percent``: of what is being fetched, where that is known.

    ``engine``: the hosts that are sent what is completed; None where the model runs in the server itself.
    ``model``: its name; empty while an engine elsewhere has not told it.
    """

    state: State
    message: str
    model: str
    engine: str | None = None
    percent: int | None = None

    def params(self) -> dict[str, object]:
        """Give the notification's parameters."""
        kind = _KINDS.get(self.state, "Normal")
        return {"kind": kind, "busy": self.state in ("loading", "thinking"), **asdict(self)}


class StatusReporter:
    """Sends the status when it has changed, and only once the editor may be sent anything."""

    def __init__(self, send: Callable[[dict[str, object]], None]) -> None:
        self._send = send
        self._sent: Status | None = None

    def report(self, status: Status) -> None:
        """Send ``status``, unless the editor has it."""
        if status != self._sent:
            self._sent = status
            self._send(status.params())
