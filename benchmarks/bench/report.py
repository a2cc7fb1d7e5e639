"""The output of a run: a table, a plot, and a line of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.bench.recording import Recording
from benchmarks.bench.replay import Timed
from benchmarks.bench.results import RATIOS, Figure, Figures

#: Figures that are not ratios: their names and labels.
ALONE = (
    ("keystroke_p50_ms", "key to suggestion, whole replay, p50 ms"),
    ("keystroke_p90_ms", "p90 ms"),
    ("keystroke_p99_ms", "p99 ms"),
    ("answered_without_model", "share answered without the model"),
    ("suggested", "share with a suggestion"),
    ("hurried_in_time", "share answered before the next key"),
    ("llamacpp_hurried_in_time", "llama.cpp's share"),
    ("first_token_ms", "first token of a new file, ms"),
    ("next_key_first_token_ms", "first token, one key later, ms"),
    ("draft_acceptance", "share of drafted tokens accepted"),
    ("humaneval_pass_at_1", "HumanEval pass@1, as served"),
    ("humaneval_wall_s", "HumanEval, s"),
    ("rss_mb", "resident memory while serving, MB"),
    ("llamacpp_rss_mb", "llama.cpp's, MB"),
    ("ready_s", "start to ready, second time, s"),
    ("ready_first_s", "start to ready, first time, s"),
)

_WIDTHS = (48, 9, 9, 9, 9, 0)


def table(figures: Figures, wanted: Mapping[str, str]) -> str:
    """Return a table of the ratios and of the other figures. ``wanted``: the targets by name."""
    lines = [_line("compared with", "ours", "theirs", "ratio", "target", "")]
    for ratio in RATIOS:
        value = figures[ratio.name]
        ours, theirs = figures.get(ratio.ours), figures.get(ratio.theirs)
        target = wanted.get(ratio.name, "")
        cells = (_shown(ours), _shown(theirs), _shown(value), target, _verdict(value, target))
        lines.append(_line(ratio.label, *cells))
    lines += ["", _line("other figures", "", "", "figure", "target", "")]
    for name, label in ALONE:
        value, target = figures.get(name), wanted.get(name, "")
        lines.append(_line(label, "", "", _shown(value), target, _verdict(value, target)))
    return "\n".join(lines)


def json_line(figures: Figures, about: Mapping[str, object]) -> str:
    """Return all figures, rounded to four digits, on one line."""
    rounded = {name: value if value is None else float(f"{value:.4g}") for name, value in figures.items()}
    return json.dumps({**rounded, **about})


def plot(figures: Figures, recording: Recording, path: Path) -> None:
    """Plot the times of suggestions and the speeds of reading and writing as a PNG."""
    import matplotlib as mpl  # noqa: PLC0415 - it takes a second to import

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, (left, middle, right) = plt.subplots(
        1, 3, figsize=(11, 3.4), width_ratios=(2.2, 1, 1), layout="constrained"
    )
    ours = [timed for function in recording.shared or recording.ours for timed in function]
    curves = {
        "copilot-server": ours,
        **{f"llama.cpp {name}": timed for name, timed in recording.theirs.items()},
    }
    for name, timed in curves.items():
        left.step(*_distribution(timed), where="post", label=name)
    left.set(xscale="log", xlabel="ms from the keystroke to the suggestion", ylabel="share of keystrokes")
    left.grid(alpha=0.3)
    left.legend(loc="lower right", fontsize=8)
    _bars(middle, figures, "prefill", "reading 1,100 tokens, tokens/s")
    _bars(right, figures, "decode", "writing after them, tokens/s")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _distribution(timed: Sequence[Timed]) -> tuple[list[float], list[float]]:
    times = sorted(1e3 * one.answer.latency_s for one in timed)
    return times, [(rank + 1) / len(times) for rank in range(len(times))]


def _bars(axes: object, figures: Figures, what: str, title: str) -> None:
    names = {"copilot-server": "", "llama.cpp": "llamacpp_", "transformers": "transformers_"}
    measured = {name: figures.get(f"{prefix}{what}_tok_s") for name, prefix in names.items()}
    if what == "decode":
        measured["with drafts"] = figures.get("decode_drafts_tok_s")
    values = {name: value for name, value in measured.items() if value is not None}
    bars = axes.barh(list(values)[::-1], list(values.values())[::-1], color="tab:blue")  # type: ignore[attr-defined]
    axes.bar_label(bars, fmt="%.0f", padding=2, fontsize=8)  # type: ignore[attr-defined]
    axes.set_title(title, fontsize=9)  # type: ignore[attr-defined]
    axes.margins(x=0.2)  # type: ignore[attr-defined]
    axes.tick_params(labelsize=8)  # type: ignore[attr-defined]


def _line(label: str, *cells: str) -> str:
    columns = [cell.rjust(width) for cell, width in zip(cells, _WIDTHS[1:], strict=True)]
    return "  ".join([label.ljust(_WIDTHS[0]), *columns]).rstrip()


def _shown(value: Figure) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _verdict(value: Figure, wanted: str) -> str:
    """Return whether a figure meets its target; empty if it has none or was not measured."""
    if value is None or not wanted:
        return ""
    relation, limit = wanted.split()
    reached = value >= float(limit) if relation == ">=" else value <= float(limit)
    return "met" if reached else "not met"
