"""The top and the bottom of the page: the score and its meaning, all scores, and how to reproduce them."""

from __future__ import annotations

from collections.abc import Iterator

from copilot_server.evaluation.report.html.plot import interval_bar
from copilot_server.evaluation.report.html.text import RANKING, count, escaped, line, percent, percent_html
from copilot_server.evaluation.types import Report, Score


def headline_score(report: Report) -> Score | None:
    """Return the score at the top of the page: the best pass@1 of the whole benchmark, or else the first."""
    pass_at_1 = [one for one in report.scores if one.name.endswith("pass@1")]
    whole = [one for one in pass_at_1 if not one.variant]
    first = next(iter([*pass_at_1, *report.scores]), None)
    return max(whole, key=lambda score: score.value, default=first)


def title(report: Report) -> str:
    """Return the title of the page as plain text."""
    score = headline_score(report)
    value = "" if score is None else f" {percent(score.value)}"
    return f"{report.protocol.model}:{value} on {report.protocol.benchmark}"


def header(report: Report) -> str:
    """Return the top of the page."""
    asked = report.protocol
    score = headline_score(report)
    figure = "" if score is None else _headline(report, score)
    notes = "".join(f"<li>{escaped(note)}</li>" for note in report.notes)
    return (
        f'<header><p class="kicker">{_benchmark(asked.benchmark)} · {escaped(report.started[:10])}</p>'
        f"<h1>{line(asked.model)}</h1>{figure}"
        f'<p class="protocol">{_protocol_line(report)}</p>{f"<ul class=notes>{notes}</ul>" if notes else ""}'
        "</header>"
    )


def _benchmark(name: str) -> str:
    return "HumanEval" if name == "humaneval" else f"HumanEval, {line(name)}"


def _headline(report: Report, score: Score) -> str:
    variant = f" · {line(score.variant, 60)}" if score.variant else ""
    several = score.temperature is not None and len(report.protocol.temperatures) > 1
    temperature = f" · T&#160;{score.temperature:g}" if several else ""
    number, sign = f"{100 * score.value:.1f}".replace("-", "−"), '<span class="unit">%</span>'
    interval = f"{percent_html(score.low)} to {percent_html(score.high)}"
    return (
        f'<div class="headline"><p class="figure"><span class="number">{number}</span>{sign}'
        f'<span class="name">{line(score.name, 60)}{variant}{temperature}</span></p>'
        f'<div class="meter">{_meter(score)}<p>95&#160;% interval {interval}</p></div>'
        f'<p class="meaning">{_meaning(report, score)}</p></div>'
    )


def _meter(score: Score) -> str:
    """Return the score and its interval on a scale from 0 to 100 %."""
    low, high, value = (100 * min(max(share, 0.0), 1.0) for share in (score.low, score.high, score.value))
    ticks = "".join(
        f'<text class="tick {anchor}" x="{at}%" y="46">{at}</text>'
        for at, anchor in ((0, "start"), (25, "middle"), (50, "middle"), (75, "middle"), (100, "end"))
    )
    return (
        '<svg class="scale" aria-hidden="true"><rect class="track" width="100%" y="12" height="12" rx="6"/>'
        f'<rect class="reach" x="{low:.2f}%" y="12" width="{high - low:.2f}%" height="12" rx="6"/>'
        f'<line class="needle" x1="{value:.2f}%" x2="{value:.2f}%" y1="5" y2="31"/>{ticks}</svg>'
    )


def _meaning(report: Report, score: Score) -> str:
    samples = report.protocol.samples
    over = count(score.tasks, "task")
    if score.name != "pass@1":
        said = f"Over {over}{f': {escaped(score.note)}' if score.note else ''}."
    elif samples == 1:
        said = f"Of {over}, it solves {round(score.value * score.tasks):,} at the first attempt."
    else:
        temperature = "" if score.temperature is None else f" at temperature {score.temperature:g}"
        said = (
            f"This is how often one completion{temperature} solves a task: {over}, {samples} samples of each."
        )
    return (
        f"{said} On other problems like these, the same model would most likely score "
        f"between {percent_html(score.low, 0)} and {percent_html(score.high, 0)}."
    )


def _protocol_line(report: Report) -> str:
    asked = report.protocol
    temperatures = ", ".join(f"T&#160;{one:g}" for one in asked.temperatures)
    sampling = "greedy" if asked.temperatures == (0.0,) else temperatures or "samples from a file"
    samples = "" if asked.samples == 1 else f"{asked.samples} samples a task, top-p {asked.top_p:g}"
    parts = [
        f"prompt <b>{line(asked.prompt)}</b>" if asked.prompt else "",
        sampling,
        samples,
        ", ".join(map(line, report.device_details)),
        f"<b>{escaped(asked.check)}</b> check in {line(asked.sandbox)}",
    ]
    return " · ".join(filter(None, parts))


def score_table(report: Report) -> str:
    """Return all scores with their intervals on one scale, without the columns that would be empty."""
    scores = [one for one in report.scores if not one.name.startswith(RANKING)]
    if not scores:
        return ""
    span = (-1.0 if min(one.low for one in scores) < 0 else 0.0, 1.0)
    variants = any(one.variant for one in scores)
    temperatures = any(one.temperature is not None for one in scores)
    head = (
        f"{'<th>variant</th>' if variants else ''}<th>score</th>"
        f"{'<th class=num>T</th>' if temperatures else ''}"
        f"<th class=num>value</th><th>{span[0] * 100:.0f} to 100&#160;%</th>"
        f"<th class=num>95&#160;% interval</th><th class=num>tasks</th>"
    ).replace(">-", ">−")
    rows = []
    for one in scores:
        temperature = "" if one.temperature is None else f"{one.temperature:g}"
        rows.append(
            "<tr>"
            + (f"<td>{line(one.variant)}</td>" if variants else "")
            + f"<th>{line(one.name)}{f'<small>{escaped(one.note)}</small>' if one.note else ''}</th>"
            + (f"<td class=num>{temperature}</td>" if temperatures else "")
            + f"<td class=num><b>{percent_html(one.value)}</b></td>"
            + f"<td>{interval_bar(one.value, one.low, one.high, span)}</td>"
            + f"<td class=num>{percent_html(one.low)} to {percent_html(one.high)}</td>"
            + f"<td class=num>{one.tasks:,}</td>"
            + "</tr>"
        )
    return (
        '<section id="scores"><h2>Scores</h2><div class="scroll"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div></section>"
    )


def reproduction(report: Report) -> str:
    """Return the times, and all that is needed to reproduce the run."""
    return (
        f'<section id="again"><h2>Time</h2>{_facts(_timing(report))}'
        "<h2>Reproduce this run</h2>"
        '<pre class="command" tabindex="0" title="Click to select">'
        f"<code>{line(report.command, 2000)}</code></pre>"
        f"{_facts(_provenance(report))}</section>"
    )


def _facts(rows: Iterator[tuple[str, str]]) -> str:
    items = "".join(f"<div><dt>{escaped(name)}</dt><dd>{value}</dd></div>" for name, value in rows)
    return f'<dl class="facts">{items}</dl>'


def _timing(report: Report) -> Iterator[tuple[str, str]]:
    timing, samples = report.timing, len(report.samples)
    yield "first prompt to last verdict", _seconds(timing.wall_s)
    if timing.loading_s:
        yield "loading the model", _seconds(timing.loading_s)
    if timing.sampling_s:
        yield "sampling", f"{_seconds(timing.sampling_s)}, while programs run"
    yield "running times of all programs, for both checks", _seconds(timing.checking_s)
    if timing.tokens and timing.sampling_s:
        yield "generated", f"{timing.tokens:,} tokens, {timing.tokens / timing.sampling_s:.1f} a second"
    yield "samples", f"{samples:,}"


def _provenance(report: Report) -> Iterator[tuple[str, str]]:
    asked = report.protocol
    yield "model", line(asked.model)
    if report.parameters is not None:
        yield "parameters", f"{report.parameters:,}"
    yield "device, data type", f"{line(asked.device)}, {line(asked.dtype)}"
    if report.instruction_set:
        yield "instruction set", line(report.instruction_set)
    yield "prompt", line(asked.prompt)
    yield "samples a task", f"{asked.samples}"
    yield "temperature", escaped(", ".join(f"{one:g}" for one in asked.temperatures)) or "unknown"
    yield "top-p", f"{asked.top_p:g}"
    yield "most new tokens", f"{asked.max_new_tokens}"
    yield "seed", f"{asked.seed}"
    yield "check", escaped(asked.check)
    yield "sandbox", line(asked.sandbox)
    for reason in report.sandboxes_passed_over:
        yield "better sandbox", line(reason)
    for notice in report.notices:
        yield "notice", line(notice)
    yield "data", line(asked.data)
    yield "sha256 of the data", f'<code class="hash">{line(asked.data_sha256)}</code>'
    yield "hardware", line(report.hardware)
    yield (
        "versions",
        ", ".join(f"{line(name)}&#160;{line(version)}" for name, version in report.versions.items()),
    )
    yield "started", line(report.started)


def _seconds(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f}&#160;s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}&#160;h {minutes}&#160;min" if hours else f"{minutes}&#160;min {rest}&#160;s"
