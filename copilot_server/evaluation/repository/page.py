"""A run over a repository as one HTML page, in the style of the other benchmarks.

Whatever a file or the model says appears as text. All of it goes through ``report.html.text``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from copilot_server.evaluation.report.html.page import page
from copilot_server.evaluation.report.html.plot import Axis, Point, Series, interval_bar, legend, plot
from copilot_server.evaluation.report.html.text import (
    code,
    code_at_cursor,
    count,
    escaped,
    line,
    percent,
    percent_html,
)
from copilot_server.evaluation.repository.scores import EXACT, NAMES
from copilot_server.evaluation.repository.types import (
    KINDS,
    Bin,
    Context,
    Cost,
    Difference,
    Done,
    EagernessFigure,
    Figure,
    Outcome,
    RepositoryReport,
)
from copilot_server.statistics.proportion import wilson_interval

#: The most tasks of a kind that the page lists. The JSON has all of them.
MAX_LISTED = 40
#: How much code is shown around a cursor, in lines.
LINES_ABOVE, LINES_BELOW = 20, 8
_SIZE = (360, 320)
_NAMES: dict[Context, str] = {"off": "without context", "on": "with context"}
_STYLES: dict[Context, tuple[str, str]] = {"off": ("s0", "square"), "on": ("own", "circle")}


def render(report: RepositoryReport) -> str:
    """Return the whole page."""
    body = "".join(
        (
            _header(report),
            _figures(report),
            _differences(report.differences),
            _reliability(report),
            _eagerness(report.eagerness),
            _costs(report.costs),
            *_listed(report),
            _reproduction(report),
        )
    )
    return page(_title(report), body)


def _title(report: RepositoryReport) -> str:
    return f"{report.model} on the repository {report.folder}"


def _header(report: RepositoryReport) -> str:
    files = len({one.task.path for one in report.done})
    said = f"{count(len(report.done), 'task')} in {count(files, 'file')}"
    since = f", added since {escaped(report.since)}" if report.since else ""
    first = [one for one in report.figures if one.name == EXACT and one.context == report.contexts[-1]]
    figure = "".join(_headline(one) for one in first[:1])
    notes = "".join(f"<li>{escaped(note)}</li>" for note in (*report.notes, *report.notices))
    return (
        f'<header><p class="kicker">Repository {line(report.folder, 80)} · {escaped(report.started[:10])}</p>'
        f"<h1>{line(report.model)}</h1>{figure}"
        f'<p class="protocol">{said}{since} · {line(report.device)}, {line(report.dtype)} · seed '
        f"{report.seed}</p>{f'<ul class=notes>{notes}</ul>' if notes else ''}</header>"
    )


def _headline(figure: Figure) -> str:
    interval = f"{percent_html(figure.low)} to {percent_html(figure.high)}"
    return (
        f'<div class="headline"><p class="figure"><span class="number">{100 * figure.value:.1f}</span>'
        f'<span class="unit">%</span><span class="name">{escaped(figure.name)} · {escaped(figure.kind)}, '
        f"{_NAMES[figure.context]}</span></p>"
        f'<div class="meter"><p>95&#160;% interval {interval}</p></div></div>'
    )


def _figures(report: RepositoryReport) -> str:
    low = -1.0 if any(one.low < 0 for one in report.figures) else 0.0
    head = (
        "<th>kind</th><th>figure</th><th>context</th><th class=num>value</th>"
        f"<th>{100 * low:.0f} to 100&#160;%</th><th class=num>95&#160;% interval</th><th class=num>of</th>"
    )
    rows = "".join(
        f"<tr><td>{escaped(one.kind)}</td><th>{escaped(one.name)}</th><td>{escaped(one.context)}</td>"
        f"<td class=num><b>{percent_html(one.value)}</b></td>"
        f"<td>{interval_bar(one.value, one.low, one.high, (low, 1.0))}</td>"
        f"<td class=num>{percent_html(one.low)} to {percent_html(one.high)}</td>"
        f"<td class=num>{one.count:,}</td></tr>"
        for one in sorted(report.figures, key=_order)
    )
    return _table("scores", "Figures", head, rows, "Intervals are over files, by bootstrap.")


def _order(one: Figure) -> tuple[int, int]:
    """Put the two contexts of a figure side by side."""
    return KINDS.index(one.kind), NAMES.index(one.name)


def _differences(differences: Sequence[Difference]) -> str:
    if not differences:
        return ""
    head = (
        "<th>kind</th><th>figure</th><th class=num>difference</th><th class=num>95&#160;% interval</th>"
        "<th class=num>p</th><th class=num>files</th>"
    )
    rows = "".join(
        f"<tr><td>{escaped(one.kind)}</td><th>{escaped(one.name)}</th>"
        f"<td class=num><b>{percent_html(one.value)}</b></td>"
        f"<td class=num>{percent_html(one.low)} to {percent_html(one.high)}</td>"
        f"<td class=num>{'' if one.p_value is None else f'{one.p_value:.3f}'}</td>"
        f"<td class=num>{one.files:,}</td></tr>"
        for one in differences
    )
    note = "With context minus without, over the same tasks; p by an exact sign-flip test over files."
    return _table("differences", "What context changes", head, rows, note)


def _reliability(report: RepositoryReport) -> str:
    if not report.bins:
        return ""
    series = [
        Series(_NAMES[context], tuple(map(_point, found)), *_STYLES[context])
        for context in report.contexts
        if (found := [one for one in report.bins if one.context == context])
    ]
    ideal = Point(0.0, 0.0, "0 %"), Point(1.0, 1.0, "100 %")
    series.append(Series("as it should be", ideal, "s3", "diamond"))
    ticks = tuple((tenth / 10, f"{tenth / 10:g}") for tenth in range(0, 11, 2))
    axis = Axis(0.0, 1.0, ticks, "certainty, mean of the bin")
    title = "Right by certainty"
    caption = (
        "How often the first line is right, shown or not, by the probability that the model's gate gives it; "
        "without a gate, by the geometric mean of the probabilities of its tokens. On the diagonal, "
        "certainty is what it says. Bars are 95&#160;% intervals over suggestions."
    )
    return (
        f'<section id="figures"><figure class="card half" id="reliability"><h3>{escaped(title)}</h3>'
        f"{plot(series, axis, title=title, size=_SIZE)}{legend(series)}"
        f"<figcaption>{caption}</figcaption></figure></section>"
    )


def _point(one: Bin) -> Point:
    low, high = wilson_interval(one.right, one.count)
    share = one.right / one.count
    return Point(one.certainty, share, f"{one.right} of {one.count}: {percent(share)}", low, high)


def _eagerness(figures: Sequence[EagernessFigure]) -> str:
    if not figures:
        return ""
    names = [name for name in NAMES if any(one.name == name for one in figures)]
    head = "<th>kind</th><th>context</th><th>eagerness</th>" + "".join(
        f"<th class=num>{escaped(name)}</th>" for name in names
    )
    rows: defaultdict[tuple[str, str, str], dict[str, EagernessFigure]] = defaultdict(dict)
    for one in figures:
        rows[one.kind, one.context, one.eagerness][one.name] = one
    body = "".join(
        "<tr>"
        + "".join(f"<td>{escaped(label)}</td>" for label in labels)
        + "".join(f"<td class=num>{_share(found.get(name))}</td>" for name in names)
        + "</tr>"
        for labels, found in rows.items()
    )
    note = "What the gate would show of the suggestions of this run, with 95&#160;% intervals over files."
    return _table("eagerness", "By eagerness", head, body, note)


def _share(one: EagernessFigure | None) -> str:
    if one is None:
        return ""
    return f"<b>{percent_html(one.value)}</b> ({percent_html(one.low, 0)} to {percent_html(one.high, 0)})"


def _costs(costs: Sequence[Cost]) -> str:
    head = "<th>kind</th><th>context</th>" + "".join(
        f"<th class=num>{name}</th>"
        for name in ("first, p50", "p90", "next key, p50", "p90", "from the cache", "prompt", "new at a key")
    )
    rows = "".join(
        f"<tr><th>{escaped(one.kind)}</th><td>{escaped(one.context)}</td>"
        + "".join(f"<td class=num>{cell}</td>" for cell in _cost_cells(one))
        + "</tr>"
        for one in costs
    )
    note = "Seconds, and tokens in the mean. Nothing of the document was read before the first request."
    return _table("costs", "Requests", head, rows, note)


def _cost_cells(one: Cost) -> Iterator[str]:
    for seconds in (one.first_p50_s, one.first_p90_s, one.next_p50_s, one.next_p90_s):
        yield "" if seconds is None else f"{seconds:.2f}&#160;s"
    yield "" if one.next_cached is None else percent_html(one.next_cached, 0)
    for tokens in (one.prompt_tokens, one.new_tokens):
        yield "" if tokens is None else f"{tokens:.0f}"


def _listed(report: RepositoryReport) -> Iterator[str]:
    for kind in dict.fromkeys(one.task.kind for one in report.done):
        of_kind = [one for one in report.done if one.task.kind == kind]
        entries = "".join(map(_entry, of_kind[:MAX_LISTED]))
        left_out = len(of_kind) - MAX_LISTED
        rest = f'<p class="aside">{count(left_out, "more task")}: in the JSON.</p>' if left_out > 0 else ""
        yield f'<section id="{escaped(kind)}"><h2>Tasks: {escaped(kind)}</h2>{entries}{rest}</section>'


def _entry(done: Done) -> str:
    task = done.task
    above, below = task.prefix.split("\n")[-LINES_ABOVE:], (task.kept + task.suffix).split("\n")[:LINES_BELOW]
    last = done.outcomes[-1]
    verdict = "exact" if last.exact else "not exact" if last.answer.shown else "nothing shown"
    tag = "tag" if last.exact else "error"
    return (
        f'<details class="failure"><summary><span class="task">{line(task.path, 60)}:{task.line}</span>'
        f'<span class="tag">{escaped(task.where)}</span><span class="{tag}">{verdict}</span>'
        f'<code class="said">{line(last.answer.text, 120)}</code></summary><div class="body">'
        f"<h4>Document</h4>{code_at_cursor(chr(10).join(above), chr(10).join(below))}"
        f"<h4>Expected</h4>{code(task.expected)}{''.join(map(_suggestion, done.outcomes))}</div></details>"
    )


def _suggestion(outcome: Outcome) -> str:
    answer = outcome.answer
    certainty = "" if answer.mean_logprob is None else f"mean log-probability {answer.mean_logprob:.2f}"
    replaced = f"replaces {count(answer.replaced, 'character')}" if answer.replaced else ""
    about = " · ".join(filter(None, (f"similarity {outcome.similarity:.2f}", certainty, replaced)))
    said = "Suggested" if answer.shown else "Withheld"
    return f"<h4>{said}, {_NAMES[outcome.context]} <small>{about}</small></h4>{code(answer.text)}"


def _reproduction(report: RepositoryReport) -> str:
    rows = "".join(f"<div><dt>{escaped(name)}</dt><dd>{value}</dd></div>" for name, value in _facts(report))
    return (
        '<section id="again"><h2>Reproduce this run</h2>'
        '<pre class="command" tabindex="0" title="Click to select">'
        f'<code>{line(report.command, 2000)}</code></pre><dl class="facts">{rows}</dl></section>'
    )


def _facts(report: RepositoryReport) -> Iterator[tuple[str, str]]:
    yield "model", line(report.model)
    yield "device, data type", f"{line(report.device)}, {line(report.dtype)}"
    if report.instruction_set:
        yield "instruction set", line(report.instruction_set)
    yield "commit", f'<code class="hash">{line(report.commit) or "none"}</code>'
    yield "tasks of a kind, at most", f"{report.limit}"
    yield "answers leaked into prompts", f"{report.leaks}"
    for context, counts in report.unwanted.items():
        for name, number in counts.items():
            yield f"{name}, context {context}", f"{number}"
    yield "hardware", line(report.hardware)
    yield (
        "versions",
        ", ".join(f"{line(name)}&#160;{line(version)}" for name, version in report.versions.items()),
    )
    yield "wall time", f"{report.wall_s:.0f}&#160;s"


def _table(name: str, title: str, head: str, rows: str, note: str) -> str:
    return (
        f'<section id="{name}"><h2>{escaped(title)}</h2><div class="scroll"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        f'<p class="aside">{note}</p></section>'
    )
