"""The engine in a host, as a front end uses it: everything that an engine in this process gives."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from copilot_server.catalog import resolve
from copilot_server.engine.backends.hosted.hosted_engine import HostedEngine
from copilot_server.engine.backends.hosted.starting import state_of
from copilot_server.engine.base import Generation, GenerationRequest, Prompt, Sampling, Special
from copilot_server.engine.decoding.engine import DecodingEngine
from copilot_server.engine.loader import load_engine
from copilot_server.engine.models.tokenizer import load_tokenizer
from copilot_server.errors import EngineError, EngineUnavailableError, PromptTooLongError
from tests.support.decoding import NEVER, TEXTS, CancelAfter, ask
from tests.support.hosts import PATIENCE_S, Host, running_host

PARTS = (Special("<|fim_prefix|>"), "def f(<|fim_middle|>):\n    re", Special("<|fim_middle|>"))
REQUESTS: dict[str, GenerationRequest] = {
    "greedy": ask(TEXTS[0]),
    "sampled": ask(TEXTS[1], temperature=0.8, top_p=0.9, seed=3, n=3),
    "greedy first": ask(TEXTS[1], temperature=0.8, seed=3, n=3, greedy_first=True),
    "control tokens": GenerationRequest(Prompt(PARTS), Sampling(max_new_tokens=24)),
    "forced": ask(TEXTS[2], forced="text[0"),
    "forced at the end of a word": ask(TEXTS[3], forced="\n  "),
    "a stop text": replace(ask(TEXTS[0], temperature=0.9, seed=5, n=3, max_new_tokens=80), stop=("e", "\n")),
    "a long stop text": replace(
        ask(TEXTS[0], temperature=0.9, seed=5, max_new_tokens=80), stop=("re", "xyz")
    ),
    "until": replace(ask(TEXTS[0], temperature=0.9, seed=6, n=2), until=lambda text: len(text) > 7),
    "until and stop": replace(
        ask(TEXTS[0], temperature=0.9, seed=7, n=4, max_new_tokens=60),
        stop=("a", "\n"),
        until=lambda text: "t" in text,
    ),
    "lookup": ask(TEXTS[2], lookup=(TEXTS[2] + "return text",)),
    "other alphabets": ask(TEXTS[5], temperature=1.5, seed=2, n=4),
    "a single token": ask(TEXTS[0], max_new_tokens=1),
}


@pytest.fixture(scope="module")
def host(tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host at a socket's path."""
    folder = tmp_path_factory.mktemp("host")
    with running_host([str(tiny_model_dir)], folder, "--socket", str(folder / "s")) as host:
        yield host


@pytest.fixture(scope="module")
def inside(tiny_model_dir: Path) -> Iterator[DecodingEngine]:
    """The same model in this process."""
    engine = load_engine(tiny_model_dir, device="cpu")
    assert isinstance(engine, DecodingEngine)
    yield engine
    engine.close()


def connected(host: Host, model: Path) -> HostedEngine:
    path = Path(host.url.removeprefix("unix:"))

    def find() -> Path:
        if state_of(path) != "ready":
            raise EngineUnavailableError("There is no host.")
        return path

    return HostedEngine(find, load_tokenizer(model), resolve(str(model)).manifest)


@pytest.fixture(scope="module")
def hosted(host: Host, tiny_model_dir: Path) -> Iterator[HostedEngine]:
    """The engine in the host."""
    engine = connected(host, tiny_model_dir)
    yield engine
    engine.close()


def without_ids(generations: list[Generation]) -> list[tuple[Generation, object]]:
    return [(replace(one, token_ids=()), one.trace) for one in generations]


@pytest.mark.parametrize("name", REQUESTS)
def test_an_answer_is_that_of_the_engine_in_process_to_the_last_bit(
    hosted: HostedEngine, inside: DecodingEngine, name: str
):
    request = REQUESTS[name]
    assert without_ids(hosted.generate(request, NEVER)) == without_ids(inside.generate(request, NEVER))


def test_a_batch_is_answered_and_reported_one_by_one(hosted: HostedEngine, inside: DecodingEngine):
    requests = list(REQUESTS.values())
    reported: dict[int, list[Generation]] = {}
    answers = hosted.generate_batch(requests, NEVER, reported.__setitem__, batch_size=3)
    assert [reported[index] for index in range(len(requests))] == answers
    expected = [without_ids(inside.generate(request, NEVER)) for request in requests]
    assert [without_ids(one) for one in answers] == expected


def test_it_knows_what_the_engine_knows(hosted: HostedEngine, inside: DecodingEngine):
    for name in ("device", "dtype", "context_length", "notices"):
        assert getattr(hosted, name) == type(getattr(hosted, name))(getattr(inside, name))
    assert hosted.reading_speed_tok_s() > 0
    for text in TEXTS:
        assert hosted.count_tokens(text) == inside.count_tokens(text)
        assert hosted.stable_length(text) == inside.stable_length(text)
    assert hosted.knows(Special("<|fim_prefix|>"))
    assert not hosted.knows(Special("<|nothing|>"))


def test_cancelling_hangs_up(hosted: HostedEngine, host: Host):
    request = ask(TEXTS[0], temperature=1.0, seed=1, n=32, max_new_tokens=400)
    for generation in hosted.generate(request, CancelAfter(0)):
        assert generation.finish_reason in ("cancelled", "eos")
    while any(slot["is_processing"] for slot in host.client.get("/slots").json()):
        pass


def test_prompts_are_read_ahead(hosted: HostedEngine, host: Host):
    before = host.client.get("/metrics").text
    hosted.read([Prompt(("import re\nimport os\n\n\ndef read_ahead(text):\n",))], NEVER)
    hosted.read([Prompt(PARTS)], CancelAfter(0))
    assert _read_ahead(host.client.get("/metrics").text) > _read_ahead(before)


def _read_ahead(metrics: str) -> float:
    (line,) = [one for one in metrics.splitlines() if 'how="ahead"' in one]
    return float(line.rpartition(" ")[2])


def test_what_does_not_fit_is_said(hosted: HostedEngine):
    with pytest.raises(PromptTooLongError, match="too long"):
        hosted.generate(ask("x = 1\n" * 1000), NEVER)
    with pytest.raises(EngineError, match="no control token"):
        hosted.generate(GenerationRequest(Prompt((Special("<|nothing|>"),))), NEVER)


def test_a_host_that_is_killed_is_found_again(tiny_model_dir: Path, tmp_path: Path):
    socket = tmp_path / "s"
    changes: list[EngineError | None] = []
    back = threading.Event()

    def changed(error: EngineError | None) -> None:
        changes.append(error)
        if error is None:
            back.set()

    with running_host([str(tiny_model_dir)], tmp_path, "--socket", str(socket)) as first:
        engine = connected(first, tiny_model_dir)
        engine.watch(changed)
        expected = engine.generate(ask(TEXTS[0]), NEVER)
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait(PATIENCE_S)
        with pytest.raises(EngineUnavailableError):
            engine.generate(ask(TEXTS[0]), NEVER)
        with running_host([str(tiny_model_dir)], tmp_path, "--socket", str(socket)):
            assert back.wait(PATIENCE_S)
            assert engine.generate(ask(TEXTS[0]), NEVER) == expected
            engine.close()
    assert [type(one) for one in changes] == [EngineUnavailableError, type(None)]
