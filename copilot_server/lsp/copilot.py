"""Copilot's own protocol, so that its clients work here when only their command is changed.

Source: the README of the npm package ``@github/copilot-language-server`` and, for what came before it
(``getCompletions`` and its like), the requests that copilot.vim and copilot.el make.
"""

from __future__ import annotations

import platform
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcRequestCancelled

from copilot_server import __version__
from copilot_server.lsp.convert import legacy_completion
from copilot_server.lsp.position import Place
from copilot_server.lsp.wire import messages

if TYPE_CHECKING:
    from copilot_server.lsp.server import CopilotServer

#: The command that an editor runs when an item was accepted, by who asks: an editor registers the commands of
#: all its servers under one roof, and Copilot's own extension may be in the next room.
DID_ACCEPT = "copilotServer.didAcceptCompletionItem"
COPILOTS_DID_ACCEPT = "github.copilot.didAcceptCompletionItem"

#: Who is signed in, where nobody needs to be.
_USER = "local"
_ACCOUNT: dict[str, dict[str, str]] = {
    "checkStatus": {"status": "OK", "user": _USER},
    "signIn": {"status": "AlreadySignedIn", "user": _USER},
    "signInInitiate": {"status": "AlreadySignedIn", "user": _USER},
    "signInConfirm": {"status": "OK", "user": _USER},
    "signOut": {"status": "NotSignedIn"},
}


def accept_command(options: object) -> str:
    """Which command the client that sent these ``initializationOptions`` runs on an accept."""
    is_copilots = isinstance(options, dict) and "editorInfo" in options
    return COPILOTS_DID_ACCEPT if is_copilots else DID_ACCEPT


def register(server: CopilotServer) -> None:
    """Serve Copilot's messages."""
    for method, answer in _ACCOUNT.items():
        server.feature(method)(_answering(answer))
    server.feature("getVersion")(_answering({"version": __version__, "runtimeVersion": _runtime()}))
    server.feature("setEditorInfo")(_answering("OK"))
    server.feature(messages.DID_FOCUS)(_did_focus)
    server.feature(messages.PANEL)(_panel)
    server.feature("textDocument/copilotInlineEdit")(_answering({"edits": []}))
    server.feature("textDocument/didShowInlineEdit")(_answering(None))
    server.feature(messages.DID_SHOW)(_did_show)
    server.feature(messages.DID_PARTLY_ACCEPT)(_did_partly_accept)
    server.feature(messages.GET_COMPLETIONS)(_get_completions)
    server.feature(messages.GET_COMPLETIONS_CYCLING)(_get_completions_cycling)
    server.feature(messages.NOTIFY_SHOWN)(_notify_shown)
    server.feature(messages.NOTIFY_ACCEPTED)(_notify_accepted)
    server.feature(messages.NOTIFY_REJECTED)(_notify_rejected)


def did_accept(ls: CopilotServer) -> Callable[..., None]:
    """Make the command that counts the suggestion whose id an item carries."""

    # Were they of type object, pygls would put the server before them: that is one too.
    def accepted(*arguments: str) -> None:
        if arguments and isinstance(arguments[0], str):
            ls.statistics.accepted(arguments[0])

    return accepted


def _runtime() -> str:
    return f"python/{platform.python_version()}"


def _answering(answer: object) -> Any:  # noqa: ANN401 - a handler, as pygls types it
    def answered(ls: CopilotServer, _params: object) -> object:  # noqa: ARG001 - pygls goes by the name
        return answer

    return answered


def _did_focus(ls: CopilotServer, params: messages.FocusParams) -> None:
    ls.focus(params.text_document.uri if params.text_document else None)


def _did_show(ls: CopilotServer, params: messages.ShownParams) -> None:
    if params.item_id is not None:
        ls.statistics.shown(params.item_id)


def _did_partly_accept(ls: CopilotServer, params: messages.PartlyAcceptedParams) -> None:
    if params.item_id is not None:
        ls.statistics.partly_accepted(params.item_id, params.accepted_length)


# As in lsp.server: the place is taken before what is awaited is returned.


def _panel(ls: CopilotServer, params: messages.PanelParams) -> Awaitable[types.InlineCompletionList]:
    return _panel_answer(ls, ls.suggester.place(params), params.partial_result_token)


async def _panel_answer(
    ls: CopilotServer, place: Place, token: int | str | None
) -> types.InlineCompletionList:
    """Give the first candidate as soon as there is one, if the editor takes parts, and all the others then.

    Whoever types meanwhile is served first, and the panel is left with what it has.
    """
    items: list[types.InlineCompletionItem] = []
    try:
        async for more in ls.suggester.panel(place):
            if token is None:
                items += more
            else:
                _send_part(ls, token, more)
    except JsonRpcRequestCancelled:
        if not items:
            raise
    return types.InlineCompletionList(items)


def _send_part(ls: CopilotServer, token: int | str, items: list[types.InlineCompletionItem]) -> None:
    value = types.InlineCompletionList(items)
    ls.protocol.notify(types.PROGRESS, types.ProgressParams(token=token, value=value))


def _get_completions(ls: CopilotServer, params: messages.LegacyParams) -> Awaitable[dict[str, Any]]:
    return _legacy_answer(ls, ls.suggester.place(params.place), invoked=False)


def _get_completions_cycling(ls: CopilotServer, params: messages.LegacyParams) -> Awaitable[dict[str, Any]]:
    return _legacy_answer(ls, ls.suggester.place(params.place), invoked=True)


async def _legacy_answer(ls: CopilotServer, place: Place, *, invoked: bool) -> dict[str, Any]:
    items = await ls.suggester.inline(place, invoked=invoked)
    return {"completions": [legacy_completion(item, place.document.version) for item in items]}


def _notify_shown(ls: CopilotServer, params: messages.LegacyVerdict) -> str:
    if params.uuid is not None:
        ls.statistics.shown(params.uuid)
    return "OK"


def _notify_accepted(ls: CopilotServer, params: messages.LegacyVerdict) -> str:
    if params.uuid is not None and params.accepted_length is None:
        ls.statistics.accepted(params.uuid)
    elif params.uuid is not None:
        ls.statistics.partly_accepted(params.uuid, params.accepted_length or 0)
    return "OK"


def _notify_rejected(ls: CopilotServer, params: messages.LegacyVerdict) -> str:
    for item_id in params.uuids:
        ls.statistics.dismissed(item_id)
    return "OK"
