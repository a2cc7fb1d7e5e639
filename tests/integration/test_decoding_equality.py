"""Whatever makes decoding fast, every answer equals that of plain decoding, token by token."""

from __future__ import annotations

from functools import cache
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from copilot_server.config import SpeedSettings
from copilot_server.engine.base import Generation, GenerationRequest
from copilot_server.engine.decoding.engine import DecodingEngine
from tests.support.decoding import NEVER, SPEEDS, TEXTS, MakeEngine, ask, assert_same, engine_maker
from tests.support.plain_decoding import PlainDecoding
from tests.support.runners import RUNNERS
from tests.support.tiny_models import ARCHITECTURES, build_tiny_model


@pytest.fixture(scope="module")
def plain(tiny_model_dir: Path) -> PlainDecoding:
    """Plain decoding, which every answer is compared with."""
    return PlainDecoding(tiny_model_dir)


@pytest.fixture(scope="module", params=sorted(RUNNERS))
def make_engine(request: pytest.FixtureRequest, tiny_model_dir: Path, plain: PlainDecoding) -> MakeEngine:
    """Make engines on each of the runners."""
    return engine_maker(request.param, tiny_model_dir, plain)


#: Every speed-up with every batch size, on every runner. The runners on transformers are slow, and the loop
#: above them is the same, so that most of their modes are in the long suite.
MODES = [
    pytest.param(
        *(runner, speed, batch_size),
        marks=[pytest.mark.long]
        if runner in {"reference", "transformers"} and (speed, batch_size) not in {("all", 5), ("none", 2)}
        else [],
    )
    for runner, speed, batch_size in product(sorted(RUNNERS), SPEEDS, (1, 2, 5, 16))
]


@pytest.mark.parametrize(("make_engine", "speed", "batch_size"), MODES, indirect=["make_engine"])
def test_every_mode_gives_what_plain_decoding_gives(
    make_engine: MakeEngine, plain: PlainDecoding, speed: str, batch_size: int
):
    requests = [
        *(ask(text) for text in TEXTS),
        *(ask(text, temperature=0.9, top_p=0.8, seed=3, n=3, greedy_first=True) for text in TEXTS),
        *(ask(text, lookup=TEXTS) for text in TEXTS),
        *(ask("def wrap(text):\n", forced=forced) for forced in ("    ", " wid", "é", "\n\t")),
    ]
    engine = make_engine(SPEEDS[speed])
    for _ in range(2):  # the second time with a full prefix cache
        ours = engine.generate_batch(requests, NEVER, batch_size=batch_size)
        for one, request in zip(ours, requests, strict=True):
            assert_same(one, plain.generate(request))


@pytest.mark.parametrize("name", ["reference", "transformers"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_gives_what_plain_decoding_gives(name: str, architecture: str, tmp_path: Path):
    folder = build_tiny_model(architecture, tmp_path)
    plain = PlainDecoding(folder)
    engine = DecodingEngine(RUNNERS[name](folder), plain.tokenizer, SpeedSettings())
    requests = [ask(text, lookup=TEXTS) for text in TEXTS]
    for one, request in zip(engine.generate_batch(requests, NEVER), requests, strict=True):
        assert_same(one, plain.generate(request))


REQUESTS = st.builds(
    ask,
    st.sampled_from(TEXTS),
    forced=st.sampled_from(["", "", " wid"]),
    lookup=st.sampled_from([(), TEXTS]),
    n=st.sampled_from([1, 1, 3]),
    temperature=st.sampled_from([0.0, 0.9]),
    seed=st.integers(0, 2),
    max_new_tokens=st.sampled_from([1, 2, 12]),
)
LIMITS = st.fixed_dictionaries(
    {
        "max_sequences": st.sampled_from([1, 2, 5, 64]),
        # Room for one request and little more, for a few, for all.
        "max_tokens": st.sampled_from([256, 512, 65536]),
        "prefill_chunk": st.sampled_from([1, 7, 64]),
        "draft_length": st.sampled_from([0, 1, 8]),
    }
)


@given(
    requests=st.lists(REQUESTS, min_size=1, max_size=5),
    limits=LIMITS,
    speed=st.sampled_from(sorted(SPEEDS)),
    batch_size=st.sampled_from([1, 2, 3, 16]),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_schedule_gives_what_each_request_gives_alone(  # noqa: PLR0917
    make_engine: MakeEngine,
    plain: PlainDecoding,
    requests: list[GenerationRequest],
    limits: dict[str, int],
    speed: str,
    batch_size: int,
):
    engine = make_engine(SPEEDS[speed], **limits)
    for _ in range(2):
        ours = engine.generate_batch(requests, NEVER, batch_size=batch_size)
        for one, request in zip(ours, requests, strict=True):
            assert_same(one, _plain_answer(plain, request))


@cache
def _plain_answer(plain: PlainDecoding, request: GenerationRequest) -> list[Generation]:
    return plain.generate(request)
