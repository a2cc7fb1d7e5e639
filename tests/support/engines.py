"""Real engines as processes, on the 0.5B: llama.cpp's server, vLLM's CPU build, ``transformers serve``."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO

import httpx

from benchmarks.bench import venvs
from benchmarks.bench.vllm import environment, serve_command, without_our_files
from copilot_server.catalog import find
from copilot_server.engine.models.gguf import prepared_folder
from copilot_server.fetch import cached_path

MODEL = "qwen2.5-coder-0.5b"
ROOT = Path(__file__).parents[2]
LLAMACPP = ROOT / "benchmarks" / "bench" / "launch" / "llamacpp.py"
CONTEXT_TOKENS = 4096
#: How long an engine may take to answer at all. No test measures time; this only ends an engine that hangs.
PATIENCE_S = 600.0
#: The tokens at which the published model ends a text; a GGUF file names only one of the two.
ENDS = {"eos_token_id": [151645, 151643]}
#: The sampling that the model's authors recommend, which vLLM uses unless a request says otherwise.
DEFAULTS = {"repetition_penalty": 1.1, "temperature": 0.7, "top_p": 0.8, "top_k": 20}


class RunningEngine:
    """An engine that can be killed and started again on the same port.

    ``command``: ``{port}`` in it stands for the port. ``health``: the path that answers once it serves.
    ``folder``: where it runs.
    """

    def __init__(
        self,
        command: Sequence[str],
        port: int,
        health: str,
        environment: dict[str, str] | None = None,
        folder: str | None = None,
    ) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._command = [word.replace("{port}", str(port)) for word in command]
        self._health = health
        self._environment = os.environ | (environment or {})
        self._folder = folder
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the engine runs
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def restart(self) -> None:
        """Start it unless it is running; return once it serves."""
        assert not self.is_running
        self._start()
        deadline_s = time.monotonic() + PATIENCE_S
        while not self._is_well():
            if not self.is_running or time.monotonic() > deadline_s:
                self.kill()
                raise RuntimeError(f"{self._command[:3]} does not start:\n{self._last_words()}")
            time.sleep(0.1)

    def kill(self) -> None:
        """Kill it, with all processes that it has started."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()
            self._process = None

    def close(self) -> None:
        self.kill()
        self._log.close()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env=self._environment,
            cwd=self._folder,
            start_new_session=True,
        )

    def _last_words(self) -> str:
        self._log.seek(0)
        return self._log.read()[-3000:].decode(errors="replace")

    def _is_well(self) -> bool:
        try:
            return httpx.get(self.url + self._health, timeout=5).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False


@contextmanager
def llamacpp_engine(
    port: int = 0, *, streams: int = 4, threads: int | None = None
) -> Iterator[RunningEngine]:
    """llama.cpp's server, from the wheel ``xllamacpp``, with ``streams`` slots.

    ``threads``: by default half of the cores. The threads spin while they wait for each other, so that beside
    a test's own processes it answers sooner and more reliably with fewer of them than is fastest on an idle
    machine.
    """
    counts = map(str, (CONTEXT_TOKENS, streams, threads or max(1, cores() // 2)))
    command = [sys.executable, str(LLAMACPP), str(gguf()), *counts]
    with _running([*command, "{port}"], port, "/health") as engine:
        yield engine


@contextmanager
def vllm_engine(port: int = 0, *, dtype: str = "bfloat16") -> Iterator[RunningEngine]:
    """vLLM's CPU build, which ``make vllm`` installs."""
    python = venvs.vllm_python()
    with _weights(ENDS | DEFAULTS) as folder:
        command = serve_command(python, folder, "{port}", name=MODEL, dtype=dtype)
        with _running(command, port, "/health", environment(python, cores())) as engine:
            yield engine


@contextmanager
def transformers_engine(port: int = 0, *, dtype: str = "float32") -> Iterator[RunningEngine]:
    """``transformers serve``, which ``make transformers-serve`` installs; it names a model by its folder."""
    python = venvs.transformers_python()
    with _weights(ENDS) as folder, tempfile.TemporaryDirectory() as beside:
        Path(beside, MODEL).symlink_to(folder)
        command = [str(python.with_name("transformers")), "serve", MODEL, "--device", "cpu", "--dtype", dtype]
        command += ["--host", "127.0.0.1", "--port", "{port}"]
        with _running(command, port, "/health", {"HF_HUB_OFFLINE": "1"}, beside) as engine:
            yield engine


@contextmanager
def _weights(generation_config: dict[str, object]) -> Iterator[str]:
    """A folder with the model's weights in safetensors, and with generation defaults of our choice."""
    with without_our_files(prepared_folder(gguf())) as folder:
        path = Path(folder, "generation_config.json")
        path.unlink()
        path.write_text(json.dumps(generation_config), "utf-8")
        yield folder


def gguf() -> Path:
    """The file of the 0.5B, which is on this machine."""
    path = cached_path(find(MODEL))
    assert path is not None, f"copilot-server pull {MODEL}"
    return path


def cores() -> int:
    return len(os.sched_getaffinity(0))


@contextmanager
def _running(
    command: Sequence[str],
    port: int,
    health: str,
    environment: dict[str, str] | None = None,
    folder: str | None = None,
) -> Iterator[RunningEngine]:
    engine = RunningEngine(command, port or _free_port(), health, environment, folder)
    try:
        engine.restart()
        yield engine
    finally:
        engine.close()


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
    return port


def main() -> None:
    """Serve in the foreground: ``python -m tests.support.engines llamacpp|vllm|transformers PORT``."""
    name, port = sys.argv[1], int(sys.argv[2])
    if _is_taken(port):
        sys.exit(f"Port {port} is in use. Choose another one: PORT={port + 1}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background processes ignore it
    _say(f"{name} starts ...")
    with suppress(KeyboardInterrupt), ENGINES[name](port) as engine:
        _say(f"{name} serves {MODEL} at {engine.url}; Ctrl-C ends it.")
        while engine.is_running:
            time.sleep(0.5)
        sys.exit(f"{name} has ended.")


def _is_taken(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


#: How each is started on a port, as fast as it can be on this machine.
ENGINES: dict[str, Callable[[int], AbstractContextManager[RunningEngine]]] = {
    "llamacpp": partial(llamacpp_engine, threads=cores()),
    "vllm": vllm_engine,
    "transformers": transformers_engine,
}

if __name__ == "__main__":
    main()
