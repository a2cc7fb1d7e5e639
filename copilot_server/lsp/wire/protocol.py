"""JSON-RPC with one guarantee: every request gets exactly one answer.

pygls implements the lifecycle, the capabilities and the requests to the editor. This module reads messages,
calls handlers and answers, because pygls leaves a request unanswered when its parameters are invalid, answers
with tracebacks, logs the users' source, and cannot shut down while requests are queued.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
from collections.abc import Callable, Generator
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

from copilot_server.lsp.wire.messages import read_params

logger = logging.getLogger(__name__)

_Id = int | str


class CopilotProtocol(LanguageServerProtocol):
    """One editor's connection, from its first message to its last."""

    # pygls's own handlers would keep a second copy of each document. Ours are registered as features.
    lsp_text_document__did_open = None  # type: ignore[assignment]
    lsp_text_document__did_change = None  # type: ignore[assignment]
    lsp_text_document__did_close = None  # type: ignore[assignment]
    lsp_notebook_document__did_open = None  # type: ignore[assignment]
    lsp_notebook_document__did_change = None  # type: ignore[assignment]
    lsp_notebook_document__did_close = None  # type: ignore[assignment]

    def __init__(self, server: Any, converter: cattrs.Converter) -> None:  # noqa: ANN401 - pygls's own cycle
        super().__init__(server, converter)
        #: Called with the method and the raw parameters of a notification whose handler failed.
        self.on_failed_notification: Callable[[str, object], None] = lambda _method, _params: None
        #: Done when the connection has ended, with the exit code; a transport creates it.
        self.ended: asyncio.Future[int]
        self._initialized = False
        self._running: dict[_Id, asyncio.Task[Any]] = {}

    # Reading.

    def receive(self, body: bytes) -> None:
        """Handle one message, whatever it contains. A request is answered once, now or later."""
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
            self._refuse(message, "A request's id must be a string or an integer that is not in use.")
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
        except Exception as error:  # noqa: BLE001 - whatever fails, the request must be answered
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
        """Answer a request whose handler has ended, unless it was answered as cancelled before."""
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
        """Answer a running request as cancelled at once, and stop its handler."""
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
            logger.debug("Ignored %s, which came before initialize or after shutdown", method)
        else:
            self._call_notification_handler(method, params)

    def _call_notification_handler(self, method: str, params: object) -> None:
        try:
            _call(self._get_handler(method), read_params(self._converter, method, params))
        except JsonRpcMethodNotFound:
            logger.debug("Ignored the unknown notification %s", method)
        except Exception as error:  # noqa: BLE001 - the next message must still be handled
            _log_failure(f"The notification {method} failed", error)
            self.on_failed_notification(method, params)

    def _receive_response(self, message: dict[str, Any]) -> None:
        """Settle the future of a request that the server made to the editor."""
        future = self._request_futures.pop(message["id"], None)
        result_type = self._result_types.pop(message["id"], None)
        if future is None or not future.set_running_or_notify_cancel():
            return
        try:
            if message.get("error") is not None:
                future.set_exception(JsonRpcException("The editor answered with an error."))
            else:
                future.set_result(self._read_result(message, result_type))
        except Exception:  # noqa: BLE001 - converters raise whatever their hooks raise
            future.set_exception(JsonRpcException("The editor's answer is invalid."))

    def _read_result(self, message: dict[str, Any], result_type: type | None) -> object:
        if result_type is None:
            return message.get("result")
        return self._converter.structure({"result": None, **message}, result_type).result

    # Writing.

    def _send_result(self, msg_id: _Id, result: object) -> None:
        try:
            self._send_data({"jsonrpc": self.VERSION, "id": msg_id, "result": result})
        except (TypeError, ValueError, AttributeError) as error:  # JSON cannot represent the result
            self._send_error(msg_id, error)

    def _send_error(self, msg_id: _Id | None, error: BaseException) -> None:
        answer = {"code": _code(error), "message": _message(error)}
        self._send_data({"jsonrpc": self.VERSION, "id": msg_id, "error": answer})

    def _send_data(self, data: object) -> None:
        """Write a message. None of it is logged, because it may quote the users' source."""
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

    # The lifecycle, where it differs from pygls's own.

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(self, params: types.InitializeParams) -> Generator[Any, Any, types.InitializeResult]:
        """Answer ``initialize`` as pygls does, and accept other messages from then on."""
        result = yield from super().lsp_initialize(params)
        self._initialized = True
        return result

    @lsp_method(types.SHUTDOWN)
    def lsp_shutdown(self, *_: object) -> None:  # type: ignore[override]
        """Cancel and answer all running requests. pygls's own handler fails while requests are queued."""
        self._shutdown = True
        self._cancel_all()

    @lsp_method(types.CANCEL_REQUEST)
    def lsp_cancel_request(self, params: types.CancelParams) -> None:
        """Cancel a running request. One that is unknown or has been answered is ignored."""
        if _is_id(params.id):
            self._cancel(params.id)


def _is_id(value: object) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool)


def _call(handler: Callable[[Any], Any], params: object) -> Any:  # noqa: ANN401 - by method
    """Call a handler and return its answer, or an awaitable of it.

    What a handler does before it returns an awaitable happens now, while the documents are as they were when
    the message came. A coroutine would start only after the messages that follow have been read.
    """
    if not inspect.isgeneratorfunction(handler):
        return handler(params)
    # pygls's own handlers are generators, which yield further handlers to call.
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
    """Describe an error without quoting its own message, which may quote the users' source."""
    if isinstance(error, JsonRpcException):
        return error.message
    _log_failure("A request failed", error)
    return f"Internal error ({type(error).__name__})."


def _log_failure(what: str, error: BaseException) -> None:
    """Log the type of an error; its message and traceback may quote the users' source."""
    detail = error.message if isinstance(error, JsonRpcInvalidParams) else type(error).__name__
    logger.warning("%s: %s", what, detail)
    logger.debug("%s", what, exc_info=error)
