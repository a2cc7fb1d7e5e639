"""The measurements behind ``copilot-server bench``, each a few seconds long."""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import attrs

from copilot_server.bench.stopwatch import StopwatchEngine, Timing
from copilot_server.bench.workload import texts_of, tokens_per_line
from copilot_server.completion.pipeline import Pipeline, open_pipeline
from copilot_server.config import Settings
from copilot_server.engine.base import Engine, GenerationRequest, Prompt, Sampling
from copilot_server.errors import EngineError

PROMPT_TOKENS = 1000
NEW_TOKENS = 64
ROUNDS = 3
#: Lines of the function whose time is told: a short one, as people ask for them.
FUNCTION_LINES = 10


@dataclass(frozen=True, slots=True)
class Figures:
    """How fast a model is here.

    ``prefill_tok_s``: of a prompt that was never read before; ``decode_tok_s``: after such a prompt, without
    drafts, and ``decode_drafts_tok_s`` with them, None where they are switched off. ``line_ms`` and
    ``function_s``: from a keystroke to a suggestion of a line, and of ``FUNCTION_LINES`` lines, in a file
    that is being worked on, when no draft is right. ``rss_mb``: this process with the model loaded, in units
    of 10^6 bytes.
    """

    model: str
    device: str
    dtype: str
    threads: int | None
    load_s: float
    prefill_tok_s: float
    decode_tok_s: float
    decode_drafts_tok_s: float | None
    line_ms: float
    function_s: float
    rss_mb: float


@dataclass(frozen=True, slots=True)
class Speed:
    """What one loading of a model came to: medians, in tokens a second and seconds."""

    prefill_tok_s: float
    decode_tok_s: float
    next_key_s: float


def measure(settings: Settings) -> Figures:
    """Load the model that ``settings`` name, twice where drafts are on, and measure it; takes a minute or so.

    Raises:
        ModelError: there is no such model, or it cannot be had.
        EngineError: it cannot run here, or writes nothing that could be timed.
    """
    start = time.perf_counter()
    pipeline = open_pipeline(settings)
    load_s = time.perf_counter() - start
    engine = pipeline.engine
    served = _speed(engine)
    line_tokens = tokens_per_line(engine.count_tokens)
    model, device, dtype, threads = pipeline.model_id, engine.device, engine.dtype, _threads(engine)
    rss_mb = resident_bytes() / 1e6
    drafts = settings.speed.drafts and settings.speed.fast
    if drafts:
        del pipeline, engine
        gc.collect()  # two models must not share the memory
    plain = _speed(_without_drafts(settings).engine) if drafts else served
    return Figures(
        model=model,
        device=device,
        dtype=dtype,
        threads=threads,
        load_s=load_s,
        prefill_tok_s=served.prefill_tok_s,
        decode_tok_s=plain.decode_tok_s,
        decode_drafts_tok_s=served.decode_tok_s if drafts else None,
        line_ms=1e3 * (served.next_key_s + line_tokens / plain.decode_tok_s),
        function_s=served.next_key_s + FUNCTION_LINES * line_tokens / plain.decode_tok_s,
        rss_mb=rss_mb,
    )


def resident_bytes() -> int:
    """The memory of this process, now; where only that is told (macOS), the most it ever was."""
    import resource  # noqa: PLC0415 - Windows has none

    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text("ascii").split()[1]) * resource.getpagesize()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _without_drafts(settings: Settings) -> Pipeline:
    return open_pipeline(attrs.evolve(settings, speed=attrs.evolve(settings.speed, drafts=False)))


def _speed(engine: Engine) -> Speed:
    """Time ``ROUNDS`` texts, each read and gone on from, and then read with a key more."""
    stopwatch = StopwatchEngine(engine)
    tokens = min(PROMPT_TOKENS, engine.context_length // 2)
    warm_up, *texts = islice(texts_of(tokens, engine.count_tokens), ROUNDS + 1)
    _time(stopwatch, warm_up, 8)
    read = [_time(stopwatch, text, min(NEW_TOKENS, tokens // 2)) for text in texts]
    # What was typed goes on from the end of what has been read: a name that begins.
    again = [_time(stopwatch, f"{text}re", 2) for text in texts]
    return Speed(
        prefill_tok_s=_median(timing.prefill_tok_s for timing in read),
        decode_tok_s=_median(timing.decode_tok_s for timing in read if timing.decode_tok_s),
        next_key_s=_median(timing.first_token_s for timing in again),
    )


def _time(stopwatch: StopwatchEngine, text: str, new_tokens: int) -> Timing:
    timing = stopwatch.time(GenerationRequest(Prompt((text,)), Sampling(max_new_tokens=new_tokens)))
    if timing is None:
        msg = "The model wrote nothing after a text of this project's own source, so it cannot be timed."
        raise EngineError(msg, remedy="Its files may be damaged: `copilot-server pull --verify` reads them.")
    return timing


def _median(values: Iterable[float]) -> float:
    known = list(values)
    if not known:
        msg = "The model stopped after one token each time, so decoding cannot be timed."
        raise EngineError(msg, remedy="Measure one that is trained to go on from code.")
    return statistics.median(known)


def _threads(engine: Engine) -> int | None:
    """How many threads compute, where the engine tells."""
    threads = getattr(engine, "threads", None)
    return threads if isinstance(threads, int) else None
