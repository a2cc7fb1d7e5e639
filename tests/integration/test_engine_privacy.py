"""What is sent to a remote engine, over which connection, with which key, and for which model."""

from __future__ import annotations

import json
import logging
import re
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from copilot_server.completion.pipeline import Pipeline, open_pipeline
from copilot_server.completion.types import CompletionRequest
from copilot_server.config import RemoteSettings, Settings
from copilot_server.context.document import Cursor, Document
from copilot_server.engine.backends.remote.api_key import VARIABLE
from copilot_server.engine.base import Sampling
from copilot_server.errors import ConfigError, EngineChangedError, EngineError, EngineUnavailableError
from tests.support.fault_proxy import FaultProxy
from tests.support.patience import PATIENCE_S, wait_until

pytestmark = pytest.mark.model

NEVER = threading.Event()
FEW = Sampling(max_new_tokens=8)
PATIENT = RemoteSettings(read_timeout_s=120.0, deadline_s=300.0)


@pytest.fixture
def proxy(engine_url: str) -> Iterator[FaultProxy]:
    with FaultProxy(engine_url) as proxy:
        yield proxy


def complete(pipeline: Pipeline, text: str, suffix: str = "") -> list[str]:
    cursor = Cursor(Document("file:///a.py", "python", text + suffix), len(text))
    completion = pipeline.complete(CompletionRequest(cursor, invoked=True, sampling=FEW), NEVER)
    return [candidate.text for candidate in completion.candidates]


def body_of(request: bytes) -> dict[str, object]:
    body: dict[str, object] = json.loads(request.partition(b"\r\n\r\n")[2])
    return body


# The connection.


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def encrypted(engine_url: str, authority: trustme.CA) -> Iterator[FaultProxy]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with FaultProxy(engine_url, tls=context) as proxy:
        yield proxy


def test_an_untrusted_certificate_is_rejected(encrypted: FaultProxy) -> None:
    with pytest.raises(EngineUnavailableError, match=r"certificate that is not trusted.*certificates"):
        open_pipeline(Settings(engine=(encrypted.url,)))
    assert encrypted.requests == 0


def test_a_certificate_that_the_machine_trusts_is_accepted(
    encrypted: FaultProxy, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(trusted)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    assert complete(open_pipeline(Settings(engine=(encrypted.url,), remote=PATIENT)), "numbers = [1, 2,")


def test_nothing_is_sent_unencrypted_over_a_network() -> None:
    with pytest.raises(ConfigError, match="unencrypted"):
        open_pipeline(Settings(engine=("http://192.0.2.1:8000",)))


def test_a_redirection_is_not_followed(proxy: FaultProxy, engine_url: str) -> None:
    pipeline = open_pipeline(Settings(engine=(proxy.url,), remote=PATIENT))
    proxy.mode = "redirect"
    with pytest.raises(EngineUnavailableError, match="HTTP 307"):
        complete(pipeline, "numbers = [1, 2,")


# The key.


def test_the_key_of_a_file_is_sent_and_never_shown(
    proxy: FaultProxy, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    file = tmp_path / "key"
    file.write_text("sk-very-secret\n")
    settings = Settings(
        engine=(proxy.url,),
        remote=RemoteSettings(api_key_file=str(file), api_key_over_http=True, read_timeout_s=120.0),
    )
    pipeline = open_pipeline(settings)
    complete(pipeline, "numbers = [1, 2,")
    assert b"Authorization: Bearer sk-very-secret\r\n" in proxy.last_request
    proxy.mode = "401"
    with pytest.raises(EngineUnavailableError, match=r"does not accept the API key.*remote\.api_key_file"):
        complete(pipeline, "numbers = [1, 2,")
    assert "very-secret" not in caplog.text
    assert "very-secret" not in repr(settings)
    assert proxy.url.removeprefix("http://") in caplog.text  # shows that the log was checked


def test_a_missing_key_file_is_reported_and_read_again(proxy: FaultProxy, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("first")
    remote = RemoteSettings(api_key_file=str(file), api_key_over_http=True, read_timeout_s=120.0)
    pipeline = open_pipeline(Settings(engine=(proxy.url,), remote=remote))
    file.unlink()
    with pytest.raises(EngineUnavailableError, match=r"is not asked: The file .* cannot be read"):
        complete(pipeline, "numbers = [1, 2,")
    file.write_text("second")

    def is_answered() -> bool:
        try:
            complete(pipeline, "numbers = [1, 2,")
        except EngineUnavailableError:
            return False
        return True

    wait_until(is_answered, "an answer with the key")
    assert b"Bearer second" in proxy.last_request


def test_without_a_key_none_is_sent(proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    complete(open_pipeline(Settings(engine=(proxy.url,), remote=PATIENT)), "numbers = [1, 2,")
    assert b"authorization" not in proxy.last_request.lower()


def test_a_key_is_not_a_flag_and_one_in_a_url_is_not_shown() -> None:
    command = [str(Path(sys.executable).with_name("copilot-server"))]
    url = "https://me:hunter2@example.com"
    done = subprocess.run(
        [*command, "--engine", url, "--selftest", "humaneval"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "hunter2" not in done.stdout + done.stderr
    assert VARIABLE in done.stderr
    helped = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True).stdout
    assert "--engine" in helped
    assert re.search(r"\bkey\b", helped.lower()) is None


def test_source_is_in_no_log(proxy: FaultProxy, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    pipeline = open_pipeline(Settings(engine=(proxy.url,), remote=PATIENT))
    complete(pipeline, "private_source = [1, 2,")
    proxy.mode = "422"
    with pytest.raises(EngineError) as raised:
        complete(pipeline, "private_source = [1, 2,")
    assert b"private_source" in proxy.last_request
    assert "private_source" not in caplog.text + str(raised.value)


# What is sent.


def test_an_infilling_prompt_is_sent_as_text_or_in_two_parts(proxy: FaultProxy) -> None:
    before, after = "def area(width, height):\n    size = ", "\n    return size\n"
    complete(open_pipeline(Settings(engine=(proxy.url,), remote=PATIENT)), before, after)
    whole = body_of(proxy.last_request)
    assert "suffix" not in whole
    assert str(whole["prompt"]).count("<|fim_") == 3
    by_suffix = RemoteSettings(fim="suffix", read_timeout_s=120.0)
    complete(open_pipeline(Settings(engine=(proxy.url,), remote=by_suffix)), before, after)
    parts = body_of(proxy.last_request)
    assert before.startswith(str(parts["prompt"]))
    assert parts["suffix"] == after
    assert "<|" not in str(parts["prompt"])


def test_an_engine_asked_by_suffix_gets_no_chat(proxy: FaultProxy) -> None:
    by_suffix = RemoteSettings(fim="suffix", read_timeout_s=120.0)
    text = 'def fib(n):\n    """Return the nth Fibonacci number."""\n'
    complete(open_pipeline(Settings(engine=(proxy.url,), remote=by_suffix)), text)
    assert body_of(proxy.last_request)["prompt"] == text
    complete(open_pipeline(Settings(engine=(proxy.url,), remote=PATIENT)), text)
    assert "<|im_start|>" in str(body_of(proxy.last_request)["prompt"])


# The model.


NAME = b"qwen2.5-coder-0.5b"


def test_a_model_is_prompted_as_its_name_says(proxy: FaultProxy) -> None:
    proxy.renamed = (NAME, b"Qwen/Qwen2.5-Coder-7B")
    assert open_pipeline(Settings(engine=(proxy.url,))).model_id == "qwen2.5-coder-7b"


def test_a_model_without_the_tokens_of_its_name_is_prompted_like_any_other(proxy: FaultProxy) -> None:
    proxy.renamed = (NAME, b"deepseek-coder-1.3b")
    pipeline = open_pipeline(Settings(engine=(proxy.url,), remote=PATIENT))
    assert "deepseek" in pipeline.model_id
    complete(pipeline, "x = 1\n\ny = ", "\nprint(y)\n")
    assert "<|fim_middle|>" in str(body_of(proxy.last_request)["prompt"])  # recognized by its vocabulary


def test_an_unknown_model_is_prompted_as_the_setting_names_it(proxy: FaultProxy) -> None:
    proxy.renamed = (NAME, b"house-model")
    assert open_pipeline(Settings(engine=(proxy.url,))).model_id == "qwen2.5-coder-0.5b"
    assert (
        open_pipeline(Settings(engine=(proxy.url,), model="qwen2.5-coder-3b")).model_id == "qwen2.5-coder-3b"
    )


def test_a_name_that_the_engine_does_not_serve_is_an_error_that_says_what_it_serves(
    proxy: FaultProxy,
) -> None:
    with pytest.raises(
        EngineUnavailableError, match=r"does not serve 'gpt-9', but .*qwen2\.5.*remote\.model"
    ):
        open_pipeline(Settings(engine=(proxy.url,), remote=RemoteSettings(model="gpt-9")))


def test_an_engine_that_serves_another_model_after_a_restart_is_reported(proxy: FaultProxy) -> None:
    pipeline = open_pipeline(Settings(engine=(proxy.url,), remote=PATIENT))
    reported: list[EngineError | None] = []
    changed = threading.Event()

    def on_error(error: EngineError | None) -> None:
        reported.append(error)
        if isinstance(error, EngineChangedError):
            changed.set()

    pipeline.watch(on_error)
    proxy.mode, proxy.renamed = "404", (NAME, b"qwen2.5-coder-7b")
    with pytest.raises(EngineUnavailableError):
        complete(pipeline, "numbers = [1, 2,")
    assert changed.wait(PATIENCE_S)
    assert "qwen2.5-coder-7b" in str(reported[-1])
