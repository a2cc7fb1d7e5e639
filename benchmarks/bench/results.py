"""The results of a run: figures by name, and the ratios between them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.bench.engines import FEWEST_TOKENS, Drafted, Speed
from benchmarks.bench.humaneval import SelfTest
from benchmarks.bench.recording import Recording
from benchmarks.bench.replay import Hurried, Timed

Figure = float | None
Figures = dict[str, Figure]


#: Figures that are measured directly.
SINGLE = (
    "ready_s",
    "ready_first_s",
    "rss_mb",
    "llamacpp_rss_mb",
    "streams_tok_s",
    "vllm_streams_tok_s",
    "vllm_humaneval_wall_s",
)


@dataclass(slots=True)
class Results:
    """The results of all parts. Those of a part that did not run are empty.

    Attributes:
        engines: the speeds by name (``ours``, ``llama.cpp``, ``bfloat16``, ``float32``).
        single: the figures of ``SINGLE``.
    """

    recording: Recording = field(default_factory=Recording)
    hurried: Mapping[str, Sequence[Hurried]] = field(default_factory=dict)
    engines: Mapping[str, Speed] = field(default_factory=dict)
    drafted: Drafted | None = None
    self_test: SelfTest | None = None
    single: Figures = field(default_factory=lambda: dict.fromkeys(SINGLE))


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure divided by another, by their names."""

    name: str
    label: str
    ours: str
    theirs: str


#: For tok/s more is better, for ms and s less is better.
RATIOS = (
    Ratio(
        "prefill_x_llamacpp",
        "reading 1,100 tokens, tok/s : llama.cpp",
        "prefill_tok_s",
        "llamacpp_prefill_tok_s",
    ),
    Ratio(
        "decode_x_llamacpp",
        "writing after them, tok/s : llama.cpp",
        "decode_tok_s",
        "llamacpp_decode_tok_s",
    ),
    Ratio(
        "decode_drafts_x_llamacpp",
        "writing with drafts, replay, tok/s : llama.cpp",
        "decode_drafts_tok_s",
        "llamacpp_replay_decode_tok_s",
    ),
    Ratio(
        "keystroke_p50_x_llamacpp",
        "key to suggestion, p50 ms : /infill",
        "shared_p50_ms",
        "llamacpp_infill_p50_ms",
    ),
    Ratio(
        "keystroke_p50_x_llamacpp_completion",
        "the same : /completion, our prompts",
        "shared_p50_ms",
        "llamacpp_completion_p50_ms",
    ),
    Ratio(
        "keystroke_model_p50_x_llamacpp",
        "where our model wrote it : /infill",
        "model_p50_ms",
        "llamacpp_infill_model_p50_ms",
    ),
    Ratio(
        "keystroke_model_p50_x_llamacpp_completion",
        "where our model wrote it : /completion",
        "model_p50_ms",
        "llamacpp_completion_model_p50_ms",
    ),
    Ratio(
        "hurried_p50_x_llamacpp",
        "at a typist's pace, p50 ms : /infill",
        "hurried_p50_ms",
        "llamacpp_hurried_p50_ms",
    ),
    Ratio(
        "next_key_x_llamacpp",
        "first token, one key later, ms : llama.cpp",
        "next_key_first_token_ms",
        "llamacpp_next_key_first_token_ms",
    ),
    Ratio(
        "prefill_x_transformers",
        "reading 1,100 tokens, tok/s : transformers",
        "prefill_tok_s",
        "transformers_prefill_tok_s",
    ),
    Ratio(
        "decode_x_transformers",
        "writing after them, tok/s : transformers",
        "decode_tok_s",
        "transformers_decode_tok_s",
    ),
    Ratio(
        "humaneval_x_vllm",
        "HumanEval's 164 prompts, s : vLLM",
        "humaneval_wall_s",
        "vllm_humaneval_wall_s",
    ),
    Ratio(
        "streams_x_vllm",
        "32 streams, tok/s : vLLM",
        "streams_tok_s",
        "vllm_streams_tok_s",
    ),
)


def figures_of(results: Results) -> Figures:
    """Return all figures and ratios by name; None where something was not measured."""
    figures: Figures = {
        **_keystrokes(results.recording),
        **_hurried(results.hurried),
        **_engines(results.engines),
        **_drafted(results.drafted),
        "humaneval_wall_s": None if results.self_test is None else results.self_test.wall_s,
        "humaneval_pass_at_1": None if results.self_test is None else results.self_test.pass_at_1,
        **results.single,
    }
    return figures | {ratio.name: _ratio(figures, ratio) for ratio in RATIOS}


def percentile_ms(timed: Sequence[Timed], percent: int) -> Figure:
    """Return a percentile of the times from the keystroke to the suggestion, by nearest rank."""
    times = sorted(one.answer.latency_s for one in timed)
    return 1e3 * times[min(len(times) * percent // 100, len(times) - 1)] if times else None


def _keystrokes(recording: Recording) -> Figures:
    every = recording.every
    shared = [timed for function in recording.shared for timed in function]
    # Where there was no suggestion, llama.cpp writes one token, and we may have withheld a whole line.
    asked = [one.answer.by_model is not False and bool(one.answer.text) for one in shared]
    figures: Figures = {f"keystroke_p{percent}_ms": percentile_ms(every, percent) for percent in (50, 90, 99)}
    figures["answered_without_model"] = _share(one.answer.by_model is False for one in every)
    figures["suggested"] = _share(bool(one.answer.text) for one in every)
    figures["shared_p50_ms"] = percentile_ms(shared, 50)
    figures["model_p50_ms"] = percentile_ms(_only(shared, asked), 50)
    rates = [one.decode_tok_s for one in recording.their_timings if one.tokens >= FEWEST_TOKENS]
    figures["llamacpp_replay_decode_tok_s"] = statistics.median(rates) if rates else None
    for endpoint, timed in recording.theirs.items():
        name = f"llamacpp_{endpoint.strip('/')}"
        figures |= {f"{name}_p{percent}_ms": percentile_ms(timed, percent) for percent in (50, 90, 99)}
        figures[f"{name}_model_p50_ms"] = percentile_ms(_only(timed, asked), 50)
    return figures


def _hurried(hurried: Mapping[str, Sequence[Hurried]]) -> Figures:
    figures: Figures = {}
    for name, prefix in (("copilot-server", ""), ("llama.cpp", "llamacpp_")):
        keys = hurried.get(name, ())
        figures[f"{prefix}hurried_p50_ms"] = (
            1e3 * statistics.median(key.wait_s for key in keys) if keys else None
        )
        figures[f"{prefix}hurried_in_time"] = _share(key.in_time for key in keys)
    return figures


def _engines(engines: Mapping[str, Speed]) -> Figures:
    figures: Figures = {}
    for name, prefix in (("ours", ""), ("llama.cpp", "llamacpp_")):
        if name in engines:
            speed = engines[name]
            figures[f"{prefix}prefill_tok_s"] = speed.prefill_tok_s
            figures[f"{prefix}decode_tok_s"] = speed.decode_tok_s
            figures[f"{prefix}first_token_ms"] = 1e3 * speed.first_token_s
            figures[f"{prefix}next_key_first_token_ms"] = _ms(speed.next_key_s)
    dtypes = [engines[dtype] for dtype in ("bfloat16", "float32") if dtype in engines]
    figures["transformers_prefill_tok_s"] = max((speed.prefill_tok_s for speed in dtypes), default=None)
    figures["transformers_decode_tok_s"] = max((speed.decode_tok_s for speed in dtypes), default=None)
    return figures


def _drafted(drafted: Drafted | None) -> Figures:
    if drafted is None:
        return {}
    return {
        "decode_drafts_tok_s": drafted.decode_tok_s,
        "draft_acceptance": drafted.acceptance,
    }


def _ms(seconds: Figure) -> Figure:
    return None if seconds is None else 1e3 * seconds


def _only(timed: Sequence[Timed], wanted: Sequence[bool]) -> list[Timed]:
    return [one for one, is_wanted in zip(timed, wanted, strict=True) if is_wanted]


def _share(held: Iterable[bool]) -> Figure:
    values = list(held)
    return statistics.fmean(values) if values else None


def _ratio(figures: Figures, ratio: Ratio) -> Figure:
    ours, theirs = figures.get(ratio.ours), figures.get(ratio.theirs)
    return ours / theirs if ours is not None and theirs else None
