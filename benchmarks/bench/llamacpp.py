"""llama.cpp's server as an editor plugin uses it, and the timings that it reports."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from benchmarks.bench.corpus import Position
from benchmarks.bench.editing import Pending
from benchmarks.bench.processes import end, resident_mb, wait_until_idle
from benchmarks.bench.prompts import Infill, PromptBook

CONTEXT_TOKENS = 4096
_LAUNCHER = Path(__file__).parent / "launch" / "llamacpp.py"
_GREEDY = {"temperature": 0.0, "top_k": 1, "samplers": ["top_k"], "cache_prompt": True, "n_cache_reuse": 256}

Endpoint = Literal["/infill", "/completion"]


@dataclass(frozen=True, slots=True)
class Timings:
    """The timings that llama.cpp reports for a request. ``prompt_tokens`` does not include cached tokens.

    ``decode_s`` is the time from the first token to the last (``t_start_generation`` in its server).
    """

    prompt_tokens: int
    prompt_s: float
    tokens: int
    decode_s: float

    @property
    def prefill_tok_s(self) -> float:
        """Prompt tokens per second."""
        return self.prompt_tokens / self.prompt_s

    @property
    def decode_tok_s(self) -> float:
        """Tokens per second after the first."""
        return (self.tokens - 1) / self.decode_s


class LlamaCpp:
    """A server process of llama.cpp with one slot.

    ``python`` is an interpreter with the wheel ``xllamacpp``.
    """

    def __init__(self, python: Path, gguf: Path, threads: int) -> None:
        command = [str(python), str(_LAUNCHER), str(gguf), str(CONTEXT_TOKENS), "1", str(threads)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self.process.stdout is not None
        started = json.loads(self.process.stdout.readline())
        self.version: str = started["version"]
        self._address = urlsplit(started["url"]).netloc

    @property
    def rss_mb(self) -> float:
        """The current memory of the process."""
        return resident_mb(self.process)

    def complete(self, prompt: str, new_tokens: int) -> Timings:
        """Write ``new_tokens`` after a prompt, even after an end-of-text token."""
        body = {"prompt": prompt, "n_predict": new_tokens, "ignore_eos": True, **_GREEDY}
        return _timings(self.post(self.connect(), "/completion", body))

    def connect(self) -> http.client.HTTPConnection:
        """Return a new connection, as the plugin makes one for each request."""
        return http.client.HTTPConnection(self._address)

    def post(self, connection: http.client.HTTPConnection, path: str, body: object) -> Any:  # noqa: ANN401
        """Send a request on ``connection``, and return the answer.

        Raises:
            RuntimeError: llama.cpp refuses the request.
            OSError, http.client.HTTPException: the connection has been closed.
        """
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
        if response.status != http.HTTPStatus.OK:
            raise RuntimeError(f"llama.cpp answers {path} with {answer}.")
        return answer

    def close(self) -> None:
        """End the process."""
        end(self.process)


class LlamaEditor:
    """An editor that uses llama.cpp. ``lengths`` has the number of tokens to write at each position.

    ``timings`` has what llama.cpp reports for each answer.
    """

    def __init__(
        self, server: LlamaCpp, book: PromptBook, endpoint: Endpoint, lengths: dict[Position, int]
    ) -> None:
        self._server = server
        self._book = book
        self._endpoint = endpoint
        self._lengths = lengths
        self.timings: list[Timings] = []

    def open(self, position: Position) -> None:
        """Do nothing, since each request has the whole prompt."""

    def ask(self, position: Position) -> Pending:
        """Send the prompt from a thread that reads the answer."""
        body = {
            "n_predict": self._lengths[position],
            **_GREEDY,
            **_asked(self._endpoint, self._book.infill(position)),
        }
        connection = self._server.connect()
        pending = Pending(lambda: _hang_up(connection))
        threading.Thread(target=self._request, args=(connection, body, pending), daemon=True).start()
        return pending

    def by_model(self) -> bool | None:
        """Return True, since every answer needs the model."""
        return True

    def settle(self) -> None:
        """Wait until the server has noticed the cancellation."""
        wait_until_idle(self._server.process)

    def _request(self, connection: http.client.HTTPConnection, body: object, pending: Pending) -> None:
        try:
            answer = self._server.post(connection, self._endpoint, body)
        except (OSError, http.client.HTTPException, RuntimeError, ValueError) as error:
            pending.fail(str(error))
        else:
            pending.settle(answer["content"])
            self.timings.append(_timings(answer))


def _hang_up(connection: http.client.HTTPConnection) -> None:
    """Interrupt a connection that another thread reads from, which closing it would not do."""
    if connection.sock is not None:
        with contextlib.suppress(OSError):  # the request has ended already
            connection.sock.shutdown(socket.SHUT_RDWR)


def _timings(answer: dict[str, Any]) -> Timings:
    timings = answer["timings"]
    return Timings(
        prompt_tokens=timings["prompt_n"],
        prompt_s=timings["prompt_ms"] / 1e3,
        tokens=timings["predicted_n"],
        decode_s=timings["predicted_ms"] / 1e3,
    )


def _asked(endpoint: Endpoint, infill: Infill) -> dict[str, str]:
    if endpoint == "/completion":
        return {"prompt": infill.whole}
    return {"input_prefix": infill.before, "prompt": infill.line, "input_suffix": infill.after}
