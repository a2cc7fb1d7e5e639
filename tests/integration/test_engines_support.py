"""The engines that tests start can be killed and restarted, and end when the tests no longer need them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from tests.support.engines import (
    MODEL,
    ROOT,
    RunningEngine,
    llamacpp_engine,
    transformers_engine,
    vllm_engine,
)
from tests.support.fault_proxy import FaultProxy
from tests.support.processes import running

pytestmark = pytest.mark.model

INFILL = "<|fim_prefix|>def add(a, b):\n    return <|fim_suffix|>\n\nprint(add(1, 2))\n<|fim_middle|>"


@pytest.fixture(scope="module")
def engine() -> Iterator[RunningEngine]:
    with llamacpp_engine(streams=2) as engine:
        yield engine


def body(prompt: str = "numbers = [1, 2, 3", **changed: object) -> dict[str, object]:
    return {"model": MODEL, "prompt": prompt, "max_tokens": 8, "temperature": 0} | changed


def choice(url: str, **changed: object) -> Any:  # noqa: ANN401 - JSON
    answer = httpx.post(f"{url}/v1/completions", json=body(**changed), timeout=None)
    assert answer.status_code == 200, answer.text
    return answer.json()["choices"][0]


def listens(url: str) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", urlsplit(url).port)) == 0


# Killing and restarting.


def test_an_engine_is_killed_and_started_again_where_it_was(engine: RunningEngine) -> None:
    url, before = engine.url, choice(engine.url)["text"]
    assert engine.is_running
    engine.kill()
    assert not engine.is_running
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/health", timeout=None)
    engine.restart()
    assert engine.is_running
    assert engine.url == url
    assert choice(url)["text"] == before == ", 4, 5, "


def test_an_engine_is_gone_afterwards_and_its_port_was_ours_to_choose() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with llamacpp_engine(port, streams=1) as engine:
        assert urlsplit(engine.url).port == port
        assert listens(engine.url)
    assert not listens(engine.url)


def test_an_engine_that_does_not_start_says_why() -> None:
    engine = RunningEngine([sys.executable, "-c", "raise SystemExit('no weights')"], 9, "/health")
    with contextlib.closing(engine), pytest.raises(RuntimeError, match="no weights"):
        engine.restart()


def test_an_engine_stops_writing_when_its_client_hangs_up(engine: RunningEngine) -> None:
    def busy() -> int:
        return sum(slot["is_processing"] for slot in httpx.get(f"{engine.url}/slots", timeout=None).json())

    with FaultProxy(engine.url) as proxy:
        endless = body(max_tokens=4000, stream=True, ignore_eos=True)
        with httpx.stream("POST", f"{proxy.url}/v1/completions", json=endless, timeout=None) as response:
            pieces = response.iter_bytes()
            assert next(pieces)
            assert busy() == 1
        proxy.wait_for(lambda: proxy.hung_up == 1 and busy() == 0)


# In the foreground, as `make engine-llamacpp` runs it.


@contextlib.contextmanager
def foreground(port: int) -> Iterator[subprocess.Popen[str]]:
    """The program, whose process group is killed if a test that fails leaves it behind."""
    command = [sys.executable, "-m", "tests.support.engines", "llamacpp", str(port)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True
    )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("ends", [signal.SIGINT, signal.SIGTERM])
def test_one_in_the_foreground_ends_with_its_engine(engine: RunningEngine, ends: signal.Signals) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with foreground(port) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline(), process.stdout.readline()]
        assert f"http://127.0.0.1:{port};" in lines[-1]
        engines = psutil.Process(process.pid).children()
        assert [one.is_running() for one in engines] == [True]
        assert choice(f"http://127.0.0.1:{port}")["text"] == choice(engine.url)["text"]
        process.send_signal(ends)
        assert process.wait(60) == 0, process.communicate()[1]
    assert not any(one.is_running() for one in engines)


def test_a_port_in_use_is_reported(engine: RunningEngine) -> None:
    with foreground(urlsplit(engine.url).port or 0) as process:
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "is in use. Choose another one" in stderr
    assert "Traceback" not in stderr


# The engines of the long suite.


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("start", [vllm_engine, transformers_engine])
def test_the_larger_engines_infill_are_killed_and_leave_nothing(
    start: Callable[[], AbstractContextManager[RunningEngine]],
) -> None:
    with start() as engine:
        found = choice(engine.url, prompt=INFILL, max_tokens=40)
        assert found["text"].startswith("a + b")
        assert found["finish_reason"] == "stop"
        ours = running(str(urlsplit(engine.url).port))
        assert ours
        engine.kill()
        assert not any(one.is_running() for one in ours)
        engine.restart()
        assert choice(engine.url, prompt=INFILL, max_tokens=40) == found
    assert not listens(engine.url)
