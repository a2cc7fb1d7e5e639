"""What an editor's status bar shows: Copilot's ``didChangeStatus``, with additional fields."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from copilot_server.lsp.examples import Mark
from copilot_server.lsp.reasons import Code
from copilot_server.shown import shown

#: The notification that carries a status; Copilot's clients know its first three fields.
DID_CHANGE_STATUS = "didChangeStatus"

State = Literal["loading", "ready", "thinking", "off", "error"]
Kind = Literal["Normal", "Warning", "Error", "Inactive"]

_KINDS: dict[State, Kind] = {"off": "Inactive", "error": "Error"}


@dataclass(frozen=True, slots=True)
class Status:
    """How the server is doing.

    ``model``: the model's name; empty until a remote engine has named it. ``engine``: the hosts that receive
    the source to complete; None where the model runs in the server itself. ``percent``: how much of a
    download is done, where that is known. ``choice``: why it is this model, where the setting is ``auto``.
    ``reason``: why there is no suggestion in the document that the user looks at, if there is none.
    ``examples``: what the function's examples say of the suggestion, where it was checked.
    """

    state: State
    message: str
    model: str
    engine: str | None = None
    percent: int | None = None
    choice: str | None = None
    reason: Code | None = None
    examples: Mark | None = None

    def params(self) -> dict[str, object]:
        """Give the notification's parameters, with untrusted names as ``shown`` shows them."""
        kind = _KINDS.get(self.state, "Normal")
        names = {"message": shown(self.message), "model": shown(self.model)}
        return {"kind": kind, "busy": self.state in ("loading", "thinking"), **asdict(self), **names}
