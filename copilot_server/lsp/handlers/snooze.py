"""``copilotServer/snooze``: nothing is suggested for some minutes while the user types."""

from __future__ import annotations

from copilot_server.lsp.handlers.handler import Handlers
from copilot_server.lsp.session import Session
from copilot_server.lsp.wire.messages import SNOOZE, SnoozeParams


def snooze(session: Session, params: SnoozeParams) -> dict[str, object]:
    """Snooze from now on, or resume with 0 minutes; return until when, as ISO 8601 has it, or null."""
    session.snooze_for(params.minutes)
    until = session.snooze.until
    return {"until": None if until is None else until.isoformat(timespec="seconds")}


HANDLERS: Handlers = {SNOOZE: snooze}
