"""``copilot-server serve`` as a process: what its clients get, over real connections."""

from __future__ import annotations

import concurrent.futures
import json
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import openai
import pytest

from copilot_server.engine.base import GenerationRequest, Prompt, Sampling, Special
from copilot_server.engine.decoding.engine import DecodingEngine
from copilot_server.engine.loader import load_engine
from tests.support.hosts import PATIENCE_S, Host, running_host

PROMPT = "def wrap(text):\n    return "
NEVER = threading.Event()
#: Ends at no stop text: a random model seldom ends by itself.
LONG = {"prompt": PROMPT, "max_tokens": 400, "temperature": 0.9, "seed": 1}


@pytest.fixture(scope="module")
def host(tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host of a tiny model."""
    with running_host([str(tiny_model_dir)], tmp_path_factory.mktemp("host")) as host:
        yield host


@pytest.fixture(scope="module")
def engine(tiny_model_dir: Path) -> Iterator[DecodingEngine]:
    """The same model in this process."""
    engine = load_engine(tiny_model_dir, device="cpu")
    assert isinstance(engine, DecodingEngine)
    yield engine
    engine.close()


@pytest.fixture
def client(host: Host) -> openai.OpenAI:
    """OpenAI's own client."""
    return openai.OpenAI(base_url=f"{host.url}/v1", api_key=host.token, max_retries=0)


def in_process(engine: DecodingEngine, prompt: Prompt | str = PROMPT, **sampling: float) -> list[str]:
    asked = Prompt((prompt,)) if isinstance(prompt, str) else prompt
    return [one.text for one in engine.generate(GenerationRequest(asked, Sampling(**sampling)), NEVER)]


# OpenAI's API


def test_the_text_is_that_of_the_engine_in_process(
    host: Host, client: openai.OpenAI, engine: DecodingEngine, tiny_model_dir: Path
):
    model = client.models.list().data[0]
    assert model.id == str(tiny_model_dir)
    assert client.models.retrieve(model.id) == model
    for sampling in ({"temperature": 0.0}, {"temperature": 0.8, "top_p": 0.9, "seed": 7, "n": 3}):
        answer = client.completions.create(model=model.id, prompt=PROMPT, max_tokens=40, **sampling)
        expected = in_process(engine, max_new_tokens=40, **sampling)
        assert [choice.text for choice in answer.choices] == expected
        assert answer.usage is not None
        assert answer.usage.prompt_tokens == engine.count_tokens(PROMPT)
        assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_a_stream_has_the_same_text_bit_by_bit(client: openai.OpenAI, engine: DecodingEngine):
    sampling = {"temperature": 0.8, "seed": 7, "n": 2}
    stop = ["return", "\n\n"]
    whole = client.completions.create(model="", prompt=PROMPT, max_tokens=60, stop=stop, **sampling)
    chunks = list(
        client.completions.create(
            model="",
            prompt=PROMPT,
            max_tokens=60,
            stop=stop,
            stream=True,
            stream_options={"include_usage": True},
            **sampling,
        )
    )
    texts = ["", ""]
    reasons: list[str | None] = [None, None]
    for choice in (choice for chunk in chunks for choice in chunk.choices):
        assert reasons[choice.index] is None, "nothing follows the reason"
        texts[choice.index] += choice.text
        reasons[choice.index] = choice.finish_reason
    assert texts == [choice.text for choice in whole.choices]
    assert reasons == [choice.finish_reason for choice in whole.choices]
    assert chunks[-1].usage == whole.usage


def test_many_prompts_have_their_answers_in_order(client: openai.OpenAI, engine: DecodingEngine):
    prompts = [PROMPT, "x = ", "import re\n"]
    answer = client.completions.create(model="", prompt=prompts, max_tokens=12, temperature=0.0, echo=True)
    expected = [text + in_process(engine, text, max_new_tokens=12)[0] for text in prompts]
    assert [choice.text for choice in answer.choices] == expected
    assert [choice.index for choice in answer.choices] == [0, 1, 2]


def test_log_probabilities_are_those_of_the_text(client: openai.OpenAI):
    choice = client.completions.create(
        model="", prompt=PROMPT, max_tokens=20, temperature=0.0, logprobs=1
    ).choices[0]
    assert choice.logprobs is not None
    assert choice.logprobs.tokens is not None
    assert "".join(choice.logprobs.tokens) == choice.text
    assert choice.logprobs.token_logprobs is not None
    assert all(one <= 0.0 for one in choice.logprobs.token_logprobs)
    assert choice.logprobs.text_offset is not None
    offsets = choice.logprobs.text_offset
    assert choice.text[offsets[0] :] == choice.text
    assert offsets == sorted(offsets)


def test_control_tokens_in_a_prompt_are_control_tokens(
    host: Host, client: openai.OpenAI, engine: DecodingEngine
):
    parts = (Special("<|fim_prefix|>"), "a = ", Special("<|fim_suffix|>"), "\n", Special("<|fim_middle|>"))
    written = "".join(part if isinstance(part, str) else part.name for part in parts)
    expected = in_process(engine, Prompt(parts), max_new_tokens=20)
    answer = client.completions.create(model="", prompt=written, max_tokens=20, temperature=0.0)
    assert [answer.choices[0].text] == expected


def test_our_own_front_end_says_what_is_a_control_token_and_what_text_begins_with(
    host: Host, engine: DecodingEngine
):
    parts = (Special("<|fim_prefix|>"), "# <|fim_middle|> in a text\na = ", Special("<|fim_middle|>"))
    prompt = Prompt(parts, forced="tex")
    generation = engine.generate(GenerationRequest(prompt, Sampling(max_new_tokens=20)), NEVER)[0]
    wire = [{"special": part.name} if isinstance(part, Special) else {"text": part} for part in parts]
    extension = {"parts": wire, "forced": "tex", "lookup": ["text = text"], "urgent": True}
    answer = host.post("/v1/completions", {"max_tokens": 20, "temperature": 0, "copilot_server": extension})
    choice = answer["choices"][0]
    assert choice["text"] == generation.text
    assert choice["copilot_server"] == {
        "finish_reason": generation.finish_reason,
        "trace": [[one.end, one.logprob] for one in generation.trace],
        "tail": "",
    }


def test_a_suffix_asks_for_infilling(host: Host, client: openai.OpenAI):
    answer = client.completions.create(
        model="", prompt="def f(a):\n    ", suffix="\n    return a\n", max_tokens=10, temperature=0.0
    )
    infilled = host.post(
        "/infill", {"input_prefix": "def f(a):\n    ", "input_suffix": "\n    return a\n", "n_predict": 10}
    )
    assert answer.choices[0].text == infilled["content"]


# llama.cpp's API


def test_llamacpps_completion_has_its_fields(host: Host, engine: DecodingEngine):
    body = {"prompt": PROMPT, "n_predict": 30, "temperature": 0.0}
    answer = host.post("/completion", body)
    assert [answer["content"]] == in_process(engine, max_new_tokens=30)
    assert answer["stop"]
    assert answer["tokens_evaluated"] == engine.count_tokens(PROMPT)
    with host.client.stream("POST", "/completion", json=body | {"stream": True}) as reply:
        events = [json.loads(line.removeprefix("data: ")) for line in reply.iter_lines() if line]
    assert "".join(event["content"] for event in events) == answer["content"]
    assert [event["stop"] for event in events] == [False] * (len(events) - 1) + [True]


def test_infilling_with_other_files_that_do_not_fit_leaves_them_out(host: Host):
    extra = [{"filename": f"{name}.py", "text": "x = 1\n" * 400} for name in "abc"]
    answer = host.post(
        "/infill",
        {
            "input_prefix": "a = 1\n" * 300,
            "input_suffix": "b = 2\n" * 300,
            "input_extra": extra,
            "n_predict": 8,
        },
    )
    assert answer["tokens_evaluated"] <= 512 - 8
    assert answer["tokens_predicted"] <= 8


def test_a_prompt_can_be_read_only(host: Host):
    """As llama.vim asks while the cursor rests."""
    answer = host.post("/infill", {"input_prefix": "a = ", "input_suffix": "", "n_predict": 0})
    assert (answer["content"], answer["tokens_predicted"]) == ("", 0)


def test_tokens_props_slots_and_metrics(host: Host, engine: DecodingEngine):
    assert len(host.post("/tokenize", {"content": PROMPT})["tokens"]) == engine.count_tokens(PROMPT)
    known = host.post("/tokenize", {"content": "<|fim_prefix|>"})["tokens"]
    plain = host.post("/tokenize", {"content": "<|fim_prefix|>", "parse_special": False})["tokens"]
    assert len(known) == 1 < len(plain)
    props = host.client.get("/props").json()
    assert props["default_generation_settings"]["n_ctx"] == engine.context_length
    assert not any(slot["is_processing"] for slot in host.client.get("/slots").json())
    assert "copilot_server_host_model_ready" in host.client.get("/metrics").text


# Many clients, cancels and the end


def test_clients_that_ask_at_once_get_what_they_would_get_alone(host: Host, engine: DecodingEngine):
    seeds = range(40)
    bodies = [LONG | {"max_tokens": 60, "seed": seed} for seed in seeds]
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda body: host.post("/v1/completions", body), bodies))
    for seed, answer in zip(seeds, answers, strict=True):
        expected = in_process(engine, temperature=0.9, seed=seed, max_new_tokens=60)
        assert [choice["text"] for choice in answer["choices"]] == expected


@pytest.mark.parametrize("stream", [False, True])
def test_hanging_up_ends_the_decoding(host: Host, stream: bool):
    body = json.dumps(LONG | {"n": 32, "stream": stream}).encode()
    address = urlsplit(host.url)
    head = (
        f"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {host.token}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(head.encode() + body)
        _until(host, busy=True)
    _until(host, busy=False)


def _until(host: Host, *, busy: bool) -> None:
    while any(slot["is_processing"] for slot in host.client.get("/slots").json()) != busy:
        pass


def test_models_that_are_unknown_are_named(client: openai.OpenAI, tiny_model_dir: Path):
    with pytest.raises(openai.NotFoundError, match=str(tiny_model_dir)):
        client.completions.create(model="gpt-5", prompt=PROMPT)


def test_a_host_ends_in_order(tiny_model_dir: Path, tmp_path: Path):
    with running_host([str(tiny_model_dir)], tmp_path) as host:
        host.process.send_signal(signal.SIGTERM)
        assert host.process.wait(PATIENCE_S) == 0
        with pytest.raises(httpx.ConnectError):
            host.client.get("/health")


# Bad input

WRONG: dict[str, dict[str, Any]] = {
    "prompt is tokens": {"prompt": [1, 2]},
    "prompt is a list of tokens": {"prompt": [[1, 2]]},
    "no prompts": {"prompt": []},
    "too many prompts": {"prompt": ["x"] * 65},
    "half a surrogate pair": {"prompt": "\ud800"},
    "n is a text": {"n": "3"},
    "n is too large": {"n": 1000},
    "n is true": {"n": True},
    "no tokens": {"max_tokens": 0},
    "a negative temperature": {"temperature": -1},
    "an empty stop": {"stop": ["x", ""]},
    "too many stops": {"stop": ["x"] * 17},
    "a penalty": {"presence_penalty": 1.0},
    "a bias": {"logit_bias": {"1": 5}},
    "best of more": {"best_of": 5},
    "echo with log-probabilities": {"echo": True, "logprobs": 1},
    "stream is a text": {"stream": "yes"},
    "a prompt that does not fit": {"prompt": "x = 1\n" * 1000},
    "an extension that is a list": {"copilot_server": [1]},
    "an unknown control token": {"copilot_server": {"parts": [{"special": "<|nothing|>"}]}},
    "a model that is a number": {"model": 5},
}


@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
def test_bad_bodies_are_refused_with_a_reason(host: Host, body: dict[str, Any]):
    data = json.dumps({"prompt": PROMPT, "max_tokens": 4, **body})
    reply = host.client.post("/v1/completions", content=data)
    assert reply.status_code == 400, reply.text
    error = reply.json()["error"]
    assert error["message"].endswith(".")
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"nonsense", b"[" * 100_000, b"\xff\xfe{}"])
def test_bodies_that_are_no_objects_are_refused(host: Host, data: bytes):
    assert host.client.post("/v1/completions", content=data).status_code == 400


def test_unknown_paths_and_methods(host: Host):
    assert host.client.get("/nothing").status_code == 404
    assert host.client.get("/v1/completions").status_code == 405
