"""What the editor reports about suggestions: that it has shown them, and what the user did with them.

Source: the README of the npm package ``@github/copilot-language-server``; for ``notifyShown``,
``notifyAccepted`` and ``notifyRejected``, the requests that copilot.vim and copilot.el make.
"""

from __future__ import annotations

from copilot_server.lsp.handlers.handler import Handlers
from copilot_server.lsp.session import Session
from copilot_server.lsp.wire.messages import (
    DID_PARTLY_ACCEPT,
    DID_SHOW,
    NOTIFY_ACCEPTED,
    NOTIFY_REJECTED,
    NOTIFY_SHOWN,
    LegacyVerdict,
    PartlyAcceptedParams,
    ShownParams,
)


def did_accept(session: Session, arguments: tuple[object, ...]) -> None:
    """Count the suggestion that an accepted item's command names with its first argument."""
    if arguments and isinstance(arguments[0], str):
        session.statistics.accepted(arguments[0])


def did_show(session: Session, params: ShownParams) -> None:
    """Count a suggestion as shown."""
    if params.item_id is not None:
        session.shown(params.item_id)


def did_partly_accept(session: Session, params: PartlyAcceptedParams) -> None:
    """Count how much of a suggestion has been accepted so far."""
    if params.item_id is not None:
        session.statistics.partly_accepted(params.item_id, params.accepted_length)


def notify_shown(session: Session, params: LegacyVerdict) -> str:
    """Count a suggestion as shown."""
    if params.uuid is not None:
        session.shown(params.uuid)
    return "OK"


def notify_accepted(session: Session, params: LegacyVerdict) -> str:
    """Count a suggestion as accepted, as a whole or in part."""
    if params.uuid is not None and params.accepted_length is None:
        session.statistics.accepted(params.uuid)
    elif params.uuid is not None:
        session.statistics.partly_accepted(params.uuid, params.accepted_length or 0)
    return "OK"


def notify_rejected(session: Session, params: LegacyVerdict) -> str:
    """Count suggestions as dismissed, and do not make them there again."""
    for item_id in params.uuids:
        session.dismissed(item_id)
    return "OK"


HANDLERS: Handlers = {
    DID_SHOW: did_show,
    DID_PARTLY_ACCEPT: did_partly_accept,
    NOTIFY_SHOWN: notify_shown,
    NOTIFY_ACCEPTED: notify_accepted,
    NOTIFY_REJECTED: notify_rejected,
}
