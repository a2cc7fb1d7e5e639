"""The measurements behind ``copilot-server bench``, each a few seconds long."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

import attrs
import psutil

from copilot_server.bench.stopwatch import StopwatchEngine, Timing
from copilot_server.bench.workload import texts_of, tokens_per_line
from copilot_server.completion.pipeline import Pipeline, open_pipeline
from copilot_server.config import Settings
from copilot_server.engine import details
from copilot_server.engine.base import Engine, GenerationRequest, Prompt, Sampling
from copilot_server.engine.model_choice.auto import choose_here
from copilot_server.errors import EngineError
from copilot_server.provenance import hardware

PROMPT_TOKENS = 1000
NEW_TOKENS = 64
ROUNDS = 3
#: The number of lines of the function whose time is shown; people often ask for short ones.
FUNCTION_LINES = 10


@dataclass(frozen=True, slots=True)
class Figures:
    """How fast a model is on this machine. Speeds are in tokens per second.

    Attributes:
        instruction_set: the processor's instructions that the engine uses, such as ``avx2``; empty if the
            engine does not say.
        threads: the number of threads that compute; None if the engine does not say.
        load_s: loading the model.
        prefill_tok_s: reading a prompt that has not been read before.
        decode_tok_s: writing after such a prompt, without drafts.
        decode_drafts_tok_s: writing with drafts; None if they are switched off.
        line_ms: from a keystroke to a suggestion of one line, in a file that is being edited, if no draft is
            right.
        function_s: the same for a suggestion of ``FUNCTION_LINES`` lines.
        rss_mb: the memory of this process with the model loaded, in units of 10^6 bytes.
        device_memory_mb: the memory of the device that the model's weights and its KV cache take, in units of
            10^6 bytes; empty on a CPU. The KV cache is as large as an editor needs; a self-test lets it grow.
        hardware: the machine in one line.
        choice: what ``model = "auto"`` chooses here, why, and what the next larger model would cost.
        notices: what the user should know about the engine, such as that its kernels are missing.
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
    instruction_set: str = ""
    hardware: str = ""
    choice: str = ""
    notices: tuple[str, ...] = ()
    device_memory_mb: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Speed:
    """The medians of one engine, in tokens per second and in seconds."""

    prefill_tok_s: float
    decode_tok_s: float
    next_key_s: float


def measure(settings: Settings) -> Figures:
    """Load the model that ``settings`` name and measure it, with and without drafts, in about a minute.

    Raises:
        ModelError: there is no such model, or it cannot be downloaded.
        EngineError: it cannot run on this machine, or writes nothing that could be timed.
    """
    start = time.perf_counter()
    pipeline = open_pipeline(settings)
    load_s = time.perf_counter() - start
    engine = pipeline.engine
    served = _speed(engine)
    line_tokens = tokens_per_line(engine.count_tokens)
    instructions, threads = details.instruction_set(engine), details.threads(engine)
    notices = tuple(engine.notices)
    rss_mb, device_mb = resident_bytes() / 1e6, details.device_memory_mb(engine)
    drafts = settings.speed.drafts and settings.speed.fast
    if drafts:
        engine.close()  # before the next model is loaded
    plain = _speed(_without_drafts(settings).engine) if drafts else served
    return Figures(
        model=pipeline.model_id,
        device=engine.device,
        dtype=engine.dtype,
        threads=threads,
        instruction_set=instructions,
        load_s=load_s,
        prefill_tok_s=served.prefill_tok_s,
        decode_tok_s=plain.decode_tok_s,
        decode_drafts_tok_s=served.decode_tok_s if drafts else None,
        line_ms=1e3 * (served.next_key_s + line_tokens / plain.decode_tok_s),
        function_s=served.next_key_s + FUNCTION_LINES * line_tokens / plain.decode_tok_s,
        rss_mb=rss_mb,
        hardware=hardware(),
        choice=choose_here(settings).reason,
        notices=notices,
        device_memory_mb=device_mb,
    )


def resident_bytes() -> int:
    """Return the current memory of this process."""
    return int(psutil.Process().memory_info().rss)


def _without_drafts(settings: Settings) -> Pipeline:
    return open_pipeline(attrs.evolve(settings, speed=attrs.evolve(settings.speed, drafts=False)))


def _speed(engine: Engine) -> Speed:
    """Time ``ROUNDS`` texts, each by itself and then again after two more keystrokes."""
    stopwatch = StopwatchEngine(engine)
    tokens = min(PROMPT_TOKENS, engine.context_length // 2)
    warm_up, *texts = islice(texts_of(tokens, engine.count_tokens), ROUNDS + 1)
    _time(stopwatch, warm_up, 8)
    read = [_time(stopwatch, text, min(NEW_TOKENS, tokens // 2)) for text in texts]
    # The keystrokes are the beginning of a name, after the text that the engine has just read.
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
        raise EngineError(msg, remedy="Measure a model that is trained to continue code.")
    return statistics.median(known)
