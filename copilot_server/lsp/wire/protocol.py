"""JSON-RPC with one promise: every request gets exactly one answer.

pygls gives the lifecycle, the capabilities and the requests to the editor. Reading messages, calling
handlers and answering are done here, because pygls leaves a request without an answer when its parameters
do not fit, answers with tracebacks, logs the users' source, and cannot shut down with work in its queue.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from typing import Any

import cattrs
from lsprotocol import types
from pygls.exceptions import (
    JsonRpcException,
    JsonRpcInvalidParams,
    JsonRpcInvalidRequest,
    JsonRpcMethodNotFound,
    JsonRpcParseError,
    JsonRpcRequestCancelled,
    JsonRpcServerNotInitialized,
)
from pygls.protocol import LanguageServerProtocol, lsp_method

from copilot_server.lsp.documents import Documents, Edit, OpenDocument
from copilot_server.lsp.wire.messages import read_params

logger = logging.getLogger(__name__)

_Id = int | str

#: What makes our text of a document the editor's.
_KEEPS_TEXT = {types.TEXT_DOCUMENT_DID_OPEN, types.TEXT_DOCUMENT_DID_CHANGE, types.TEXT_DOCUMENT_DID_CLOSE}


class CopilotProtocol(LanguageServerProtocol):
    """One editor's connection, from its first message to its last."""

    def __init__(self, server: Any, converter: cattrs.Converter) -> None:  # noqa: ANN401 - pygls's own cycle
        super().__init__(server, converter)
        self.documents = Documents()
        #: Called when a document was opened.
        self.on_open: Callable[[OpenDocument], None] | None = None
        #: Called when a document was edited, with what it was, what it is, and the edits between.
        self.on_edits: Callable[[OpenDocument, OpenDocument, Sequence[Edit]], None] | None = None
        #: Called when a document was closed, with its URI.
        self.on_close: Callable[[str], None] | None = None
        #: Done when the connection is over, with the exit code; a transport sets it up.
        self.ended: asyncio.Future[int]
        self._initialized = False
        self._running: dict[_Id, asyncio.Task[Any]] = {}

    # Reading.

    def receive(self, body: bytes) -> None:
        """Handle one message. Whatever it is, a request in it is answered once, now or later."""
        try:
            message = json.loads(body)
        except (ValueError, RecursionError):
            self._send_error(None, JsonRpcParseError("The message is not JSON."))
            return
        if not isinstance(message, dict):
            self._send_error(None, JsonRpcInvalidRequest("A message must be one JSON object."))
        elif "method" in message:
            self._receive_call(message)
        elif _is_id(message.get("id")) and ("result" in message or "error" in message):
            self._receive_response(message)
        else:
            self._refuse(message, "The message has no method.")

    def disconnected(self) -> None:
        """End the connection: the editor has closed it, or has gone."""
        self._cancel_all()
        if not self.ended.done():
            self.ended.set_result(0 if self._shutdown else 1)

    def _receive_call(self, message: dict[str, Any]) -> None:
        method = message["method"]
        if message.get("jsonrpc") != self.VERSION or not isinstance(method, str):
            self._refuse(message, "The message is not a JSON-RPC 2.0 request.")
        elif "id" not in message:
            self._receive_notification(method, message.get("params"))
        elif not _is_id(message["id"]) or message["id"] in self._running:
            self._refuse(message, "A request's id must be text or a whole number that is not in use.")
        else:
            self._receive_request(message["id"], method, message.get("params"))

    def _refuse(self, message: dict[str, Any], why: str) -> None:
        msg_id = message.get("id")
        self._send_error(msg_id if _is_id(msg_id) else None, JsonRpcInvalidRequest(why))

    def _receive_request(self, msg_id: _Id, method: str, params: object) -> None:
        try:
            self._check_state(method)
            handler = self._get_handler(method)
            answer = _call(handler, read_params(self._converter, method, params))
        except Exception as error:  # noqa: BLE001 - the request's boundary: whatever fails, it is answered
            self._send_error(msg_id, error)
            return
        if inspect.isawaitable(answer):
            self._running[msg_id] = task = asyncio.ensure_future(answer)
            task.add_done_callback(partial(self._finish, msg_id))
        else:
            self._send_result(msg_id, answer)

    def _check_state(self, method: str) -> None:
        if self._shutdown:
            raise JsonRpcInvalidRequest("The server has been shut down.")
        if self._initialized and method == types.INITIALIZE:
            raise JsonRpcInvalidRequest("The server has been initialized already.")
        if not self._initialized and method != types.INITIALIZE:
            raise JsonRpcServerNotInitialized("The server has not been initialized.")

    def _get_handler(self, feature_name: str) -> Callable[[Any], Any]:
        try:
            handler: Callable[[Any], Any] = super()._get_handler(feature_name)
        except JsonRpcMethodNotFound:
            raise JsonRpcMethodNotFound(f"There is no method {feature_name[:100]}.") from None
        return handler

    def _finish(self, msg_id: _Id, task: asyncio.Task[Any]) -> None:
        """Answer a request whose handler has ended, unless a cancel has answered it before."""
        error = (
            JsonRpcRequestCancelled("The request was cancelled.") if task.cancelled() else task.exception()
        )
        if self._running.get(msg_id) is not task:
            return
        del self._running[msg_id]
        if error is None:
            self._send_result(msg_id, task.result())
        else:
            self._send_error(msg_id, error)

    def _cancel(self, msg_id: _Id) -> None:
        """Answer a running request as cancelled, at once, and stop its handler."""
        task = self._running.pop(msg_id, None)
        if task is not None:
            task.cancel()
            self._send_error(msg_id, JsonRpcRequestCancelled("The request was cancelled."))

    def _cancel_all(self) -> None:
        for msg_id in list(self._running):
            self._cancel(msg_id)

    def _receive_notification(self, method: str, params: object) -> None:
        if method == types.EXIT:
            self.disconnected()
        elif not self._initialized or self._shutdown:
            logger.debug("Passed over %s, which came at the wrong time", method)
        else:
            self._notified(method, params)

    def _notified(self, method: str, params: object) -> None:
        try:
            _call(self._get_handler(method), read_params(self._converter, method, params))
        except JsonRpcMethodNotFound:
            logger.debug("Passed over the unknown notification %s", method)
        except Exception as error:  # noqa: BLE001 - the message's boundary: the next one still counts
            _log_failure(f"The notification {method} failed", error)
            if method in _KEEPS_TEXT:
                self._distrust(params)

    def _distrust(self, params: object) -> None:
        """Forget the document of a message that failed: its text may no longer be the editor's."""
        document = params.get("textDocument") if isinstance(params, Mapping) else None
        uri = document.get("uri") if isinstance(document, Mapping) else None
        if isinstance(uri, str):
            self.documents.close(uri)

    def _receive_response(self, message: dict[str, Any]) -> None:
        """Give the editor's answer to whoever asked."""
        future = self._request_futures.pop(message["id"], None)
        result_type = self._result_types.pop(message["id"], None)
        if future is None or not future.set_running_or_notify_cancel():
            return
        try:
            if message.get("error") is not None:
                future.set_exception(JsonRpcException("The editor answered with an error."))
            else:
                future.set_result(self._read_result(message, result_type))
        except Exception:  # noqa: BLE001 - an answer that does not fit, for whichever reason a hook has
            future.set_exception(JsonRpcException("The editor's answer does not fit the request."))

    def _read_result(self, message: dict[str, Any], result_type: type | None) -> object:
        if result_type is None:
            return message.get("result")
        return self._converter.structure({"result": None, **message}, result_type).result

    # Writing.

    def _send_result(self, msg_id: _Id, result: object) -> None:
        try:
            self._send_data({"jsonrpc": self.VERSION, "id": msg_id, "result": result})
        except (TypeError, ValueError, AttributeError) as error:  # a result that JSON cannot hold
            self._send_error(msg_id, error)

    def _send_error(self, msg_id: _Id | None, error: BaseException) -> None:
        answer = {"code": _code(error), "message": _message(error)}
        self._send_data({"jsonrpc": self.VERSION, "id": msg_id, "error": answer})

    def _send_data(self, data: object) -> None:
        """Write a message, and log none of it: it may quote the users' source."""
        if self.writer is None:
            return
        body = json.dumps(data, default=self._serialize_message, separators=(",", ":")).encode()
        header = f"Content-Length: {len(body)}\r\n\r\n".encode() if self._include_headers else b""
        try:
            self.writer.write(header + body)
        except OSError:
            logger.debug("The editor has gone")
            self.writer = None
            self.disconnected()

    # The lifecycle and the documents, in place of pygls's own handlers.

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(self, params: types.InitializeParams) -> Generator[Any, Any, types.InitializeResult]:
        """Answer ``initialize`` as pygls does, with documents of our own."""
        result = yield from super().lsp_initialize(params)
        self.documents.encoding = types.PositionEncodingKind(result.capabilities.position_encoding).value
        self._initialized = True
        return result

    @lsp_method(types.SHUTDOWN)
    def lsp_shutdown(self, *_: object) -> None:  # type: ignore[override]
        """Cancel and answer what runs, whatever it is: pygls's own fails while requests are queued."""
        self._shutdown = True
        self._cancel_all()

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: types.DidOpenTextDocumentParams) -> None:
        """Take up a document."""
        document = self.documents.open(params.text_document)
        if self.on_open is not None:
            self.on_open(document)

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> None:
        """Follow the editor's changes."""
        document = params.text_document
        before = self.documents.get(document.uri)
        edits = self.documents.change(document.uri, document.version, params.content_changes)
        after = self.documents.get(document.uri)
        if self.on_edits is not None and before is not None and after is not None:
            self.on_edits(before, after, edits)

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> None:
        """Forget a document."""
        document = self.documents.get(params.text_document.uri)
        self.documents.close(params.text_document.uri)
        if self.on_close is not None and document is not None:
            self.on_close(document.uri)

    @lsp_method(types.CANCEL_REQUEST)
    def lsp_cancel_request(self, params: types.CancelParams) -> None:
        """Cancel a running request; one that is unknown or answered needs nothing."""
        if _is_id(params.id):
            self._cancel(params.id)


def _is_id(value: object) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool)


def _call(handler: Callable[[Any], Any], params: object) -> Any:  # noqa: ANN401 - by method
    """Call a handler and give its answer, or an awaitable of it.

    The part of a handler before it returns an awaitable runs now, while the documents are as they were
    when the message came; a coroutine of its own would begin after the messages that follow.
    """
    if not inspect.isgeneratorfunction(handler):
        return handler(params)
    # pygls's own handlers are generators, which yield the handlers to call on the way.
    steps, value = handler(params), None
    try:
        while True:
            step, args, kwargs = steps.send(value)
            value = step(*args, **(kwargs or {}))
    except StopIteration as stop:
        return stop.value


def _code(error: BaseException) -> int:
    return error.code if isinstance(error, JsonRpcException) else types.ErrorCodes.InternalError.value


def _message(error: BaseException) -> str:
    """Say what went wrong, without words that may quote the users' source."""
    if isinstance(error, JsonRpcException):
        return error.message
    _log_failure("A request failed", error)
    return f"Internal error ({type(error).__name__})."


def _log_failure(what: str, error: BaseException) -> None:
    """Name the kind of error; its message and traceback may quote the users' source."""
    detail = error.message if isinstance(error, JsonRpcInvalidParams) else type(error).__name__
    logger.warning("%s: %s", what, detail)
    logger.debug("%s", what, exc_info=error)
