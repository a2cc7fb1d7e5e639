"""With every speed-up on, the engine suggests what plain decoding suggests, at many positions in real files.

The positions are in Python's own library, chosen by a fixed seed: where function bodies begin, and in the
middle of lines, each as it is and after two more keys. In float32 the reference is transformers, token by
token. In int8 and in the formats of the GGUF file, for which there is no other engine, it is the same kernels
with every speed-up off.
"""

from __future__ import annotations

import argparse
import heapq
import random
import shutil
import statistics
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

from copilot_server.catalog import resolve
from copilot_server.completion.plan import Planner
from copilot_server.completion.types import CompletionRequest
from copilot_server.config import CompletionSettings, SpeedSettings
from copilot_server.context.document import Cursor, Document
from copilot_server.engine.backends.cpu.layout import Dtype
from copilot_server.engine.backends.cpu.loading import FASTER_WITH_BLOCKS
from copilot_server.engine.base import Engine, Generation
from copilot_server.engine.decoding.engine import DecodingEngine
from copilot_server.engine.models.gguf import prepared_folder
from copilot_server.fetch import ensure
from tests.support.kernels import available_instruction_sets, open_untuned_engine, use_instruction_set

pytestmark = pytest.mark.model

MODEL = "qwen2.5-coder-0.5b"
NEVER = threading.Event()
FAST, PLAIN = SpeedSettings(), SpeedSettings(prefix_cache=False, drafts=False)


def locations(count: int) -> list[CompletionRequest]:
    """Cursors after functions' headers and within lines of code, each also after two more keys."""
    draw = random.Random(20261123)
    found = []
    for module in (argparse, heapq, shutil, statistics, textwrap):
        text = Path(module.__file__).read_text("utf-8")
        lines = text.splitlines(keepends=True)
        start = 0
        for line in lines:
            bare = line.strip()
            if bare.startswith("def ") and bare.endswith(":"):
                found.append((module, text, start + len(line)))
            elif len(bare) > 12 and not bare.startswith("#"):
                found.append((module, text, start + len(line) - len(bare) + draw.randrange(len(bare))))
            start += len(line)
    chosen = draw.sample(found, count // 2)
    return [
        CompletionRequest(
            Cursor(
                Document(f"file:///{module.__name__}.py", "python", text[:offset] + typed + text[offset:]),
                offset + len(typed),
            )
        )
        for module, text, offset in sorted(chosen, key=lambda location: (location[0].__name__, location[2]))
        for typed in ("", "re")
    ]


def generations(
    engine: Engine, *, max_prompt_tokens: int, max_new_tokens: int, count: int = 200
) -> list[Generation]:
    """What the engine writes at each position, with the pipeline's requests."""
    settings = CompletionSettings(max_prompt_tokens=max_prompt_tokens, max_new_tokens=max_new_tokens)
    planner = Planner(engine, resolve(MODEL).manifest, settings)
    asked = [planner.plan(request).generation for request in locations(count)]
    return [generations[0] for generations in engine.generate_batch(asked, NEVER)]


def combinations() -> list[Any]:
    """Each instruction set with each number format; where it is not what is served, for the long tests."""
    served = {isa: "gguf" if isa in FASTER_WITH_BLOCKS else "int8" for isa in available_instruction_sets()}
    return [
        pytest.param(isa, dtype, marks=[pytest.mark.long] * (dtype != served[isa]))
        for isa in served
        for dtype in ("int8", "gguf")
    ]


@pytest.fixture(scope="module")
def gguf() -> Path:
    return ensure(resolve(MODEL), offline=True)


@pytest.fixture(scope="module")
def model_folder(gguf: Path) -> Path:
    return prepared_folder(gguf)


@pytest.mark.parametrize("count", [40, pytest.param(200, marks=pytest.mark.long)])
def test_float32_is_what_transformers_gives(real_engine: DecodingEngine, model_folder: Path, count: int):
    sizes = {"max_prompt_tokens": 64, "max_new_tokens": 12, "count": count}
    plain = generations(real_engine, **sizes)
    fast = generations(open_untuned_engine(model_folder, "float32", FAST), **sizes)
    assert [one.token_ids for one in fast] == [one.token_ids for one in plain]
    assert [one.text for one in fast] == [one.text for one in plain]
    assert len({one.text for one in plain}) > count / 2


@pytest.mark.parametrize("count", [40, pytest.param(200, marks=pytest.mark.long)])
@pytest.mark.parametrize(("instruction_set", "dtype"), combinations())
def test_it_is_the_same_with_every_speed_up_and_with_none(
    instruction_set: str, dtype: Dtype, count: int, gguf: Path
):
    sizes = {"max_prompt_tokens": 128, "max_new_tokens": 24, "count": count}
    if instruction_set == "portable":  # three times as slow
        sizes = {"max_prompt_tokens": 64, "max_new_tokens": 16, "count": 12}
    with use_instruction_set(instruction_set) as available:
        assert available
        engine = open_untuned_engine(gguf, dtype, FAST)
        fast = generations(engine, **sizes)
        # The speed-ups were in use; otherwise the test would show nothing.
        assert engine.counters.prompt_tokens_reused > 2 * sizes["count"]
        assert engine.counters.drafts_accepted > sizes["count"] / 2
        plain_engine = open_untuned_engine(gguf, dtype, PLAIN)
        assert generations(plain_engine, **sizes) == fast
        assert plain_engine.counters.prompt_tokens_reused == 0
        assert plain_engine.counters.tokens_drafted == 0
