"""Copilot's messages about the account and the server, so that its clients work here unchanged.

Source: the README of the npm package ``@github/copilot-language-server``.
"""

from __future__ import annotations

import platform

from copilot_server import __version__
from copilot_server.lsp.handlers.handler import Handler, Handlers

#: The user that clients show as signed in. There is no account to sign in to.
_USER = "local"


def _always(answer: object) -> Handler:
    """Make a handler that gives every request the same answer."""
    return lambda _session, _params: answer


HANDLERS: Handlers = {
    "checkStatus": _always({"status": "OK", "user": _USER}),
    "signIn": _always({"status": "AlreadySignedIn", "user": _USER}),
    "signInInitiate": _always({"status": "AlreadySignedIn", "user": _USER}),
    "signInConfirm": _always({"status": "OK", "user": _USER}),
    "signOut": _always({"status": "NotSignedIn"}),
    "getVersion": _always({"version": __version__, "runtimeVersion": f"python/{platform.python_version()}"}),
    "setEditorInfo": _always("OK"),
    # No next edits are suggested.
    "textDocument/copilotInlineEdit": _always({"edits": []}),
    "textDocument/didShowInlineEdit": _always(None),
}
