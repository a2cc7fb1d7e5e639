"""``copilotServer/fetchModel``: fetch the model of the settings without asking."""

from __future__ import annotations

from copilot_server.lsp.handlers.handler import Handlers
from copilot_server.lsp.session import Session

FETCH_MODEL = "copilotServer/fetchModel"


def fetch_model(session: Session, _params: object) -> None:
    """Fetch the model, if it is not on this machine, and load it; the status says how far that has come."""
    session.consent.agree(session.settings.current.model)


HANDLERS: Handlers = {FETCH_MODEL: fetch_model}
