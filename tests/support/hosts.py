"""Engine hosts as processes, and what they are asked."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

#: How long a host may take to be ready, or to answer. No test measures time.
PATIENCE_S = 300.0


@dataclass(frozen=True, slots=True)
class Host:
    """A host that serves. ``client``: has its address and its token."""

    client: httpx.Client
    process: subprocess.Popen[bytes]
    url: str
    token: str

    def post(self, path: str, body: object) -> Any:  # noqa: ANN401 - JSON
        """Ask, and return the answer, which must be one."""
        reply = self.client.post(path, json=body)
        assert reply.status_code == 200, reply.text
        return reply.json()


@contextmanager
def running_host(models: Sequence[str], folder: Path, *arguments: str) -> Iterator[Host]:
    """Start a host on any free port and wait until its first model is ready."""
    token_file = folder / "token"
    command = [sys.executable, "-m", "copilot_server", "serve", *models, "--port", "0"]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [*command, "--token-file", str(token_file), *arguments], stdout=log, stderr=log
        )
        try:
            url = _url(process, log)
            path = url.removeprefix("unix:") if url.startswith("unix:") else None
            token = "" if path else token_file.read_text().strip()
            with httpx.Client(
                base_url="http://localhost" if path else url,
                transport=httpx.HTTPTransport(uds=path),
                headers={"Authorization": f"Bearer {token}"} if token else {},
                timeout=PATIENCE_S,
            ) as client:
                host = Host(client, process, url, token)
                _until_ready(host)
                yield host
        finally:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_S)


def _url(process: subprocess.Popen[bytes], log: Any) -> str:  # noqa: ANN401 - a temporary file
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        log.seek(0)
        said = log.read().decode()
        for line in said.splitlines():
            if line.startswith("copilot-server: serving "):
                return line.rpartition(" at ")[2].strip()
        assert process.poll() is None, said
        time.sleep(0.05)
    raise AssertionError(f"the host does not listen: {said}")


def _until_ready(host: Host) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while host.client.get("/health").status_code != 200:
        assert host.process.poll() is None, "the host has ended"
        assert time.monotonic() < deadline_s, "the host is not ready"
        time.sleep(0.05)
