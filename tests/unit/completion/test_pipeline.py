"""The path from a cursor to candidates, on the real model and, where only shapes matter, on a tiny one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from copilot_server.catalog import Gate, Manifest, manifest_for_unknown
from copilot_server.completion.pipeline import Pipeline, open_pipeline, rank
from copilot_server.completion.plan import Planner
from copilot_server.completion.types import Candidate, Completion, CompletionRequest
from copilot_server.config import CompletionSettings, Eagerness, Settings, SpeedSettings
from copilot_server.context.document import Cursor, Document
from copilot_server.engine.base import Engine, Generation, Sampling
from copilot_server.engine.decoding.engine import DecodingEngine
from copilot_server.errors import ConfigError
from copilot_server.workspace.types import MissingName, Snippet, SnippetSource

NEVER = threading.Event()
FIB = 'def fib(n: int) -> int:\n    """Return the nth Fibonacci number."""\n    ‸'


def request(text: str, *, invoked: bool = False, language: str = "python") -> CompletionRequest:
    document = Document("file:///a.py", language, text.replace("‸", ""))
    return CompletionRequest(Cursor(document, text.index("‸")), invoked=invoked)


@pytest.fixture(scope="module")
def tiny(tiny_model_dir: Path) -> Pipeline:
    settings = CompletionSettings(max_new_tokens=16, max_prompt_tokens=128)
    model = str(tiny_model_dir)
    return open_pipeline(Settings(model=model, device="cpu", dtype="float32", completion=settings))


def test_a_second_request_is_answered_from_the_cache(tiny: Pipeline):
    first = tiny.complete(request("width = ‸"), NEVER)
    second = tiny.complete(request("width = ‸"), NEVER)
    assert first.source == "model"
    assert second.source == "cache"
    assert second.candidates == first.candidates


def test_an_invoked_request_asks_the_model_again_and_for_several(tiny: Pipeline):
    tiny.complete(request("height = ‸"), NEVER)
    invoked = tiny.complete(request("height = ‸", invoked=True), NEVER)
    assert invoked.source == "model"
    assert len(invoked.candidates) > 1
    scores = [candidate.mean_logprob for candidate in invoked.candidates]
    assert scores == sorted(scores, reverse=True)


def test_a_cancelled_completion_is_empty_and_not_remembered(tiny: Pipeline):
    cancelled = threading.Event()
    cancelled.set()
    completion = tiny.complete(request("depth = ‸"), cancelled)
    assert completion.cancelled
    assert completion.candidates == ()
    assert tiny.lookup(request("depth = ‸")) is None
    tiny.complete(request("depth = ‸"), NEVER)
    assert tiny.lookup(request("depth = ‸")) is not None


def test_a_batch_gives_what_each_request_gives_alone(tiny: Pipeline):
    requests = [request(text) for text in ("a = ‸", "def wrap(text):\n    ‸", "for x in ‸:\n    pass\n")]
    done: list[int] = []
    batch = tiny.complete_batch(requests, NEVER, lambda index, _: done.append(index), batch_size=2)
    alone = [tiny.complete(one, NEVER) for one in requests]
    assert [one.candidates[0].text for one in batch] == [one.candidates[0].text for one in alone]
    assert sorted(done) == [0, 1, 2]


def test_a_document_of_any_length_fits(tiny: Pipeline):
    assert tiny.complete(request("x = 1\n" * 5000 + "‸" + "y = 2\n" * 5000), NEVER)
    assert tiny.complete(request("x" * 50_000 + "‸"), NEVER)


@pytest.mark.parametrize("language", ["javascript", "plaintext", "rust"])
def test_other_languages_are_completed(tiny: Pipeline, language: str):
    assert tiny.complete(request("let width = ‸\n", language=language), NEVER).source == "model"


def test_a_model_with_infilling_tokens_gets_infilling_prompts(tiny: Pipeline):
    assert tiny.complete(request("x = ‸\nprint(x)\n"), NEVER).prompt_protocol == "fim"


def test_a_protocol_the_model_does_not_know_is_an_error(tiny_model_dir: Path):
    settings = Settings(model=str(tiny_model_dir), completion=CompletionSettings(protocol="chat-prefill"))
    with pytest.raises(ConfigError, match="chat-prefill"):
        open_pipeline(settings).complete(request("x = ‸"), NEVER)


READ = "def area(width, height):\n    return ‸\n\n\nprint(area(2, 3))\n"


def prompt_tokens_read(pipeline: Pipeline, text: str) -> int:
    """How many new tokens of its prompt the engine reads for a request."""
    engine = pipeline.engine
    assert isinstance(engine, DecodingEngine)
    before = engine.counters.prompt_tokens_read
    pipeline.complete(request(text), NEVER)
    return engine.counters.prompt_tokens_read - before


@pytest.mark.parametrize("ahead", [True, False])
def test_what_was_read_ahead_is_not_read_at_the_first_key(tiny_model_dir: Path, ahead: bool):
    settings = Settings(model=str(tiny_model_dir), device="cpu", speed=SpeedSettings(ahead=ahead))
    pipeline = open_pipeline(settings)
    pipeline.read_ahead(request(READ), NEVER)
    assert (prompt_tokens_read(pipeline, READ.replace("‸", "w‸")) < 8) == ahead


def test_where_nothing_is_asked_for_nothing_is_read_ahead(tiny: Pipeline):
    engine = tiny.engine
    assert isinstance(engine, DecodingEngine)
    before = engine.counters.prompt_tokens_read_ahead
    tiny.read_ahead(request("for wi‸dth in widths:\n    pass\n"), NEVER)
    assert engine.counters.prompt_tokens_read_ahead == before
    tiny.read_ahead(request("for width in widths:‸\n    pass\n"), NEVER)
    assert engine.counters.prompt_tokens_read_ahead > before


class Others:
    """Another file that says the same of every cursor."""

    def __init__(self, text: str) -> None:
        self._snippets = (Snippet("other.py", text, 1.0),)

    def snippets(self, _cursor: Cursor) -> tuple[Snippet, ...]:
        return self._snippets


def prompt_of(tiny: Pipeline, text: str, workspace: SnippetSource | None) -> str:
    limits = CompletionSettings(max_prompt_tokens=96, max_new_tokens=16)
    planner = Planner(tiny.engine, manifest_for_unknown("tiny"), limits)
    plan = planner.plan(replace(request(text), workspace=workspace))
    prompt = plan.generation.prompt
    return "".join(part for part in prompt.parts if isinstance(part, str)) + prompt.forced


@pytest.mark.parametrize("lines", [1, 100])
def test_code_of_other_files_takes_nothing_from_the_document(tiny: Pipeline, lines: int):
    text = "".join(f"x{line} = {line}\n" for line in range(lines)) + "y = ‸\n"
    shown = "# other.py\n# def f(): ...\n\n"
    assert prompt_of(tiny, text, Others("def f(): ...")) == shown + prompt_of(tiny, text, None)


def test_code_of_other_files_is_left_out_where_it_is_too_long(tiny: Pipeline):
    assert prompt_of(tiny, "y = ‸\n", Others("x = 1\n" * 40)) == prompt_of(tiny, "y = ‸\n", None)


UNLIKELY = Gate("a test", intercept=0.0, weights={}, low=0.9, medium=0.6)


#: After 7 code points on the line the probability is 0.62, after 8 of them it is 0.34.
FALLING = Gate("a test", intercept=21.3, weights={"log_prefix": -10.0}, low=0.9, medium=0.6)


def gated(tiny: Pipeline, eagerness: Eagerness = "medium", gate: Gate = UNLIKELY) -> Pipeline:
    """Return a pipeline in which by default every suggestion is right with a probability of one half."""
    manifest = evolve(manifest_for_unknown("tiny"), gate=gate)
    limits = CompletionSettings(max_new_tokens=16, max_prompt_tokens=128, eagerness=eagerness)
    return Pipeline(tiny.engine, manifest, limits)


@pytest.mark.parametrize(("eagerness", "shown"), [("low", 0), ("medium", 0), ("high", 1)])
def test_while_the_user_types_only_what_is_likely_is_shown(tiny: Pipeline, eagerness: Eagerness, shown: int):
    pipeline = gated(tiny, eagerness)
    for source in ("model", "cache"):
        completion = pipeline.complete(request("width = ‸"), NEVER)
        assert (completion.source, len(completion.candidates)) == (source, shown)
        assert completion.withheld == (not shown)
        assert completion.sampled[0].text


def test_what_was_likely_stays_while_the_user_types_it(tiny: Pipeline):
    pipeline = gated(tiny, gate=FALLING)
    (suggested,) = pipeline.complete(request("width = ‸"), NEVER).candidates
    begun = suggested.text[: len(suggested.text) - len(suggested.text.lstrip()) + 1]
    after = pipeline.complete(request(f"width = {begun}‸"), NEVER)
    assert (after.source, [one.text for one in after.candidates]) == ("cache", [suggested.text[len(begun) :]])
    assert not gated(tiny, gate=FALLING).complete(request(f"width = {begun}‸"), NEVER).candidates


def test_the_body_of_a_function_may_be_less_likely(tiny: Pipeline):
    cursor = "def double(x):\n    ‸"
    assert gated(tiny).complete(request(cursor), NEVER).candidates
    never = Gate("a test", intercept=-9.0, weights={}, low=0.9, medium=0.6)
    assert not gated(tiny, gate=never).complete(request(cursor), NEVER).candidates


def test_who_asks_for_a_suggestion_is_shown_any(tiny: Pipeline):
    pipeline = gated(tiny)
    assert not pipeline.complete(request("width = ‸"), NEVER).candidates
    invoked = pipeline.complete(request("width = ‸", invoked=True), NEVER)
    assert invoked.candidates
    assert not invoked.withheld


def test_other_settings_show_what_was_withheld(tiny: Pipeline):
    pipeline = gated(tiny)
    assert not pipeline.complete(request("width = ‸"), NEVER).candidates
    pipeline.configure(CompletionSettings(max_new_tokens=16, max_prompt_tokens=128, eagerness="high"))
    assert pipeline.complete(request("width = ‸"), NEVER).candidates


def test_candidates_are_ranked_and_different():
    def candidate(text: str, mean_logprob: float) -> Candidate:
        return Candidate(text, mean_logprob, "stop")

    ranked = rank([candidate("b", -2.0), candidate("a", -1.0), candidate("b", -0.5)])
    assert [(one.text, one.mean_logprob) for one in ranked] == [("b", -0.5), ("a", -1.0)]


class Dictated:
    """The tiny model's engine, except that a test says what it writes."""

    def __init__(self, engine: Engine, *texts: str) -> None:
        self._engine = engine
        self.texts = texts

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever an engine has
        return getattr(self._engine, name)

    def generate(self, *_asked: object) -> list[Generation]:
        return [Generation(text, (), -float(rank), "stop", 1) for rank, text in enumerate(self.texts)]

    def generate_batch(
        self, requests: Sequence[object], _cancel: object, on_done: Callable[..., None], **_more: object
    ) -> None:
        for index in range(len(requests)):
            on_done(index, self.generate())


@pytest.fixture
def dictated(tiny: Pipeline) -> Callable[..., Pipeline]:
    def pipeline(*texts: str) -> Pipeline:
        manifest = Manifest("dictated", "Dictated", "MIT", 0, 0)
        return Pipeline(Dictated(tiny.engine, *texts), manifest, CompletionSettings(max_new_tokens=16))

    return pipeline


def shown(completion: Completion) -> list[str]:
    return [candidate.text for candidate in completion.candidates]


def test_what_is_not_worth_an_interruption_is_shown_only_to_those_who_ask(dictated: Callable[..., Pipeline]):
    for text in (")", "# TODO"):
        pipeline = dictated(text)
        assert shown(pipeline.complete(request("print(‸"), NEVER)) == []
        assert shown(pipeline.complete(request("print(‸", invoked=True), NEVER)) == [text]
        assert shown(pipeline.complete(request("print(‸"), NEVER)) == []
    assert shown(dictated("x)").complete(request("print(‸"), NEVER)) == ["x)"]


def test_those_who_ask_are_shown_what_is_worth_it_if_there_is_any(dictated: Callable[..., Pipeline]):
    pipeline = dictated(")", "x)  # the first", "y)")
    assert shown(pipeline.complete(request("print(‸", invoked=True), NEVER)) == ["x)", "y)"]


def test_benchmarks_get_all_that_the_model_wrote(dictated: Callable[..., Pipeline]):
    (completion,) = dictated(")", "x)  # the first").complete_batch([request("print(‸")], NEVER)
    assert shown(completion) == ["x)"]
    assert [one.text for one in completion.sampled] == [")", "x)  # the first"]


@pytest.fixture(scope="module")
def real() -> Pipeline:
    """The default model, whatever its gate makes of the short prompts here."""
    completion = CompletionSettings(eagerness="high")
    return open_pipeline(Settings(device="cpu", offline=True, completion=completion))


@pytest.mark.model
def test_the_real_model_writes_a_whole_function_and_no_more(real: Pipeline):
    completion = real.complete(request(FIB + "\n\n\nprint(fib(10))\n"), NEVER)
    (candidate,) = completion.candidates
    assert "return" in candidate.text
    assert not candidate.text[0].isspace()  # the indentation was there
    assert all(line.startswith("    ") for line in candidate.text.splitlines()[1:] if line)
    compile(FIB.replace("‸", candidate.text), "fib.py", "exec")


@pytest.mark.model
def test_the_real_model_finishes_a_begun_word(real: Pipeline):
    completion = real.complete(request("def double(number):\n    return numb‸\n"), NEVER)
    assert completion.candidates[0].text.startswith("er")


@pytest.mark.model
def test_the_real_model_sees_what_follows_the_cursor(real: Pipeline):
    before, after = "import os\n\nfor name in os.listdir('.'):\n    ‸\n", "    print(extension)\n"
    assert "extension = " in real.complete(request(before + after), NEVER).candidates[0].text
    without = real.complete(request(before), NEVER).candidates
    assert not any("extension" in candidate.text for candidate in without)


@pytest.mark.model
def test_sampling_can_be_given(real: Pipeline):
    sampled = CompletionRequest(request("x = ‸").cursor, sampling=Sampling(max_new_tokens=3))
    assert real.complete(sampled, NEVER).source == "model"


def test_other_settings_take_effect_and_forget_what_was_cached(tiny_model_dir: Path):
    pipeline = open_pipeline(Settings(model=str(tiny_model_dir), device="cpu", dtype="float32"))
    pipeline.configure(CompletionSettings(max_new_tokens=16))
    pipeline.complete(request("x = ‸"), NEVER)
    assert pipeline.lookup(request("x = ‸")) is not None
    pipeline.configure(CompletionSettings(max_new_tokens=2))
    assert pipeline.lookup(request("x = ‸")) is None
    assert pipeline.complete(request("x = ‸"), NEVER).candidates[0].finish_reason == "length"


class Nameless(Others):
    """A workspace in which no name exists."""

    def missing_name(self, _cursor: Cursor, text: str, _replaced: int) -> MissingName | None:
        return MissingName("width", 0) if text else None


@pytest.mark.parametrize("invoked", [False, True])
def test_a_suggestion_with_a_name_that_does_not_exist_is_not_shown(tiny: Pipeline, invoked: bool):
    asked = request("width = ‸", invoked=invoked)
    assert tiny.complete(asked, NEVER).candidates
    pipeline = Pipeline(tiny.engine, manifest_for_unknown("tiny"), CompletionSettings(max_new_tokens=16))
    completion = pipeline.complete(replace(asked, workspace=Nameless("x = 1")), NEVER)
    assert (completion.candidates, completion.missing) == ((), "width")
    assert completion.sampled[0].text
