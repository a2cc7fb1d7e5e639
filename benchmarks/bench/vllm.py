"""vLLM's CPU build with many streams."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from benchmarks.bench.processes import end

_STREAMS = 32
_START_S = 300.0
_NAME = "model"


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt as text or token ids, and the most tokens to write, or the exact number if ``to_the_end``."""

    prompt: str | list[int]
    new_tokens: int
    stop: tuple[str, ...] = ()
    to_the_end: bool = False


class Vllm:
    """A server process. ``python`` is an interpreter with vLLM, ``folder`` has weights in safetensors.

    Raises:
        RuntimeError: the server does not start.
    """

    def __init__(self, python: Path, folder: Path, threads: int) -> None:
        self._port = _free_port()
        self._files = without_our_files(folder)
        command = serve_command(python, self._files.name, str(self._port), name=_NAME)
        self._log = python.parent.parent / "server.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                env=os.environ | environment(python, threads),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.process.terminate()
        end(self.process)
        self._files.cleanup()

    def version(self) -> str:
        """Return the version of vLLM."""
        return str(self._request("GET", "/version")["version"])

    def complete_all(self, asked: Sequence[Asked]) -> tuple[int, float]:
        """Send all requests at the same time; return the number of tokens and the seconds."""
        start = time.perf_counter()
        with ThreadPoolExecutor(len(asked)) as threads:
            tokens = sum(threads.map(self._complete, asked))
        return tokens, time.perf_counter() - start

    def _complete(self, asked: Asked) -> int:
        body = {
            "model": _NAME,
            "prompt": asked.prompt,
            "max_tokens": asked.new_tokens,
            "temperature": 0.0,
            "stop": list(asked.stop),
            "ignore_eos": asked.to_the_end,
        }
        return int(self._request("POST", "/v1/completions", body)["usage"]["completion_tokens"])

    def _request(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        connection = http.client.HTTPConnection("127.0.0.1", self._port)
        connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
        if response.status != http.HTTPStatus.OK:
            raise RuntimeError(f"vLLM answers {path} with {answer}.")
        return answer

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_S
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                self.version()
            except OSError:
                time.sleep(0.5)
            else:
                return
        self.process.kill()
        msg = f"vLLM does not start; {self._log} says why."
        raise RuntimeError(msg)


def serve_command(python: Path, folder: str, port: str, *, name: str, dtype: str = "bfloat16") -> list[str]:
    """Return a command that serves weights as ``name`` on 127.0.0.1, to 32 streams of up to 4,096 tokens."""
    arguments = {
        "--model": folder,
        "--served-model-name": name,
        "--host": "127.0.0.1",
        "--port": port,
        "--max-model-len": "4096",
        "--dtype": dtype,
        "--max-num-seqs": str(_STREAMS),
    }
    command = [str(python), "-m", "vllm.entrypoints.openai.api_server", "--enforce-eager"]
    return command + [word for pair in arguments.items() for word in pair]


def environment(python: Path, threads: int) -> dict[str, str]:
    """Return the environment that vLLM's documentation recommends for CPUs, with all cores."""
    libraries = [
        *Path("/usr/lib").glob("*/libtcmalloc_minimal.so.4"),
        *python.parent.parent.glob("lib/libiomp5.so"),
    ]
    return {
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_CPU_KVCACHE_SPACE": "2",
        "VLLM_CPU_OMP_THREADS_BIND": f"0-{threads - 1}",
        "VLLM_CPU_NUM_OF_RESERVED_CPU": "0",
        "LD_PRELOAD": ":".join(str(library) for library in libraries),
    }


def without_our_files(folder: Path) -> tempfile.TemporaryDirectory[str]:
    """Return a folder of links to the files of a model without our packed weights, which vLLM would read."""
    links = tempfile.TemporaryDirectory()
    for path in folder.iterdir():
        if not path.name.startswith("packed"):
            (Path(links.name) / path.name).symlink_to(path.absolute())
    return links


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
    return port
