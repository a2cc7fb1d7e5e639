"""The plots of a run: among published models, by temperature, by k, and the rankings of samples."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from copilot_server.evaluation.passk import pass_at_k
from copilot_server.evaluation.problems import SHA256
from copilot_server.evaluation.report.html.plot import Axis, Point, Series, interval_bar, legend, plot
from copilot_server.evaluation.report.html.text import RANKING, escaped, line, percent, percent_html
from copilot_server.evaluation.report.published import FAMILIES, Family
from copilot_server.evaluation.scores import RANKINGS, grouped
from copilot_server.evaluation.types import Report, Score

#: A run over fewer tasks cannot be compared with published figures.
_ALL_TASKS = 164
_WIDE, _NARROW = (760, 400), (360, 320)
_BLOCKS = re.compile(r"(\d{1,3}) blocks?")
_SHAPES = ("circle", "square", "triangle", "diamond")
_KS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_SIZES = (1e7, "10M"), (1e8, "100M"), (1e9, "1B"), (1e10, "10B")


def figures(report: Report) -> str:
    """Return all plots for which the report has values."""
    kinds = (_among_published, _by_blocks, _by_temperature, _by_k, _rankings)
    return "".join(figure for kind in kinds for figure in kind(report))


def _figure(name: str, caption: str, plots: str, *, title: str, kind: str = "") -> str:
    return (
        f'<figure class="card {kind}" id="{name}"><h3>{escaped(title)}</h3>{plots}'
        f"{caption and f'<figcaption>{caption}</figcaption>'}</figure>"
    )


def _small(name: str, caption: str, series: Sequence[Series], axis: Axis, *, title: str) -> str:
    """Return a figure of half the page's width, or on a phone of all of it."""
    highest = max(max(point.y, point.high or 0.0) for one in series for point in one.points)
    svg = plot(series, axis, title=title, size=_NARROW, top=0.5 if highest <= 0.5 else 1.0)
    return _figure(name, caption, svg + legend(series), title=title, kind="half")


def _best(report: Report, k: int) -> Score | None:
    scores = [one for one in report.scores if one.name == f"pass@{k}" and not one.variant]
    return max(scores, key=lambda score: score.value, default=None)


def _among_published(report: Report) -> Iterator[str]:
    asked = report.protocol
    if report.parameters is None or asked.benchmark != "humaneval" or asked.data_sha256 != SHA256:
        return
    for k in (1, 10, 100):
        score = _best(report, k)
        if score is not None and score.tasks == _ALL_TASKS:
            yield _published_figure(report, score, k, report.parameters)


def _published_figure(report: Report, score: Score, k: int, parameters: int) -> str:
    families = [one for one in FAMILIES if k in one.models[0].pass_at]
    series = [_family(one, k, index) for index, one in enumerate(families)]
    title = f"{report.protocol.model}: {_with_interval(score)}"
    here = Point(float(parameters), score.value, title, score.low, score.high)
    series.append(Series("this run", (here,), "own", "large", f"this run {percent(score.value)}"))
    low, high = min(1e7, parameters), max(1.5e10, parameters * 1.2)
    axis = Axis(low, high, tuple(t for t in _SIZES if low <= t[0] <= high), "parameters", logarithmic=True)
    name, title = f"published-{k}", f"pass@{k} by size of the model"
    narrow = plot(series, axis, title=title, size=_NARROW)
    if k > 1:
        return _figure(name, "", narrow + legend(series), title=title, kind="half")
    wide = plot(series, axis, title=title, size=_WIDE, labels=185)
    plots = f'<div class="wide">{wide}</div><div class="narrow">{narrow}{legend(series)}</div>'
    return _figure(name, _about_published(report, score), plots, title=title)


def _about_published(report: Report, score: Score) -> str:
    ways = "".join(
        f"<li><b>{escaped(one.name)}</b>: {escaped(one.method)} ({escaped(one.source)})</li>"
        for one in FAMILIES
    )
    return (
        "Compared with published figures. The bar is this run’s 95&#160;% interval, "
        f"{percent_html(score.low)} to {percent_html(score.high)}. Its prompt protocol is "
        f"{line(report.protocol.prompt)}. The score of the same weights moves by 4 to 20 points with the "
        "prompt protocol, so compare like with like."
        f"<details><summary>Sources of the figures</summary><ul>{ways}</ul></details>"
    )


def _family(family: Family, k: int, index: int) -> Series:
    points = [
        Point(one.parameters, one.pass_at[k] / 100, f"{one.name}: {one.pass_at[k]:g} % ({family.method})")
        for one in family.models
        if k in one.pass_at
    ]
    return Series(family.name, tuple(points), f"s{index}", _SHAPES[index % len(_SHAPES)])


def _by_blocks(report: Report) -> Iterator[str]:
    """Plot pass@1 over the number of chained building blocks (Chen et al. 2021, figure 11)."""
    points: defaultdict[float | None, list[Point]] = defaultdict(list)
    for one in report.scores:
        blocks = _BLOCKS.fullmatch(one.variant)
        if blocks and one.name == "pass@1":
            where = Point(int(blocks[1]), one.value, _with_interval(one), one.low, one.high)
            points[one.temperature].append(where)
    if not points:
        return
    series = [
        Series("pass@1" if not at else f"T {at:g}", tuple(sorted(found, key=_x)), f"k{i % 4}", _SHAPES[i % 4])
        for i, (at, found) in enumerate(points.items())
    ]
    most = max(point.x for one in series for point in one.points)
    ticks = tuple((float(blocks), str(blocks)) for blocks in range(1, round(most) + 1))
    axis = Axis(0.75, most + 0.25, ticks, "chained building blocks")
    caption = "Bars are 95&#160;% intervals over the tasks of that many blocks."
    yield _small("by-blocks", caption, series, axis, title="pass@1 by the length of the chain")


def _x(point: Point) -> float:
    return point.x


def _by_temperature(report: Report) -> Iterator[str]:
    """Plot pass@k over the temperature (Chen et al. 2021, figure 5)."""
    scores = [
        one
        for one in report.scores
        if one.name.startswith("pass@") and not one.variant and one.temperature is not None
    ]
    temperatures = sorted({one.temperature for one in scores if one.temperature is not None})
    if len(temperatures) < 2:
        return
    series = []
    for index, name in enumerate(dict.fromkeys(one.name for one in scores)):
        of_k = sorted((one for one in scores if one.name == name), key=_temperature)
        points = [Point(_temperature(one), one.value, _with_interval(one), one.low, one.high) for one in of_k]
        series.append(Series(name, tuple(points), f"k{index % 4}", _SHAPES[index % 4]))
    gap = (temperatures[-1] - temperatures[0]) * 0.08
    ticks = tuple((one, f"{one:g}") for one in temperatures)
    axis = Axis(temperatures[0] - gap, temperatures[-1] + gap, ticks, "temperature")
    caption = (
        "Bars are 95&#160;% intervals over problems. Every temperature has the same problems, so differences "
        "are more certain than the bars suggest."
    )
    yield _small("by-temperature", caption, series, axis, title="pass@k by temperature")


def _by_k(report: Report) -> Iterator[str]:
    """Plot the estimate of pass@k for each k up to the number of samples."""
    series: list[Series] = []
    for (variant, temperature), groups in grouped(report.tasks, report.samples).items():
        fewest = min(len(group.samples) for group in groups)
        if variant or fewest < 3:
            continue
        tallies = [(len(group.samples), group.correct) for group in groups]
        points = []
        for k in sorted({*(k for k in _KS if k <= fewest), fewest}):
            value = sum(pass_at_k(samples, correct, k) for samples, correct in tallies) / len(tallies)
            points.append(Point(k, value, f"pass@{k}: {percent(value)}"))
        name = "samples" if temperature is None else f"T {temperature:g}"
        index = len(series) % 4
        series.append(Series(name, tuple(points), f"k{index}", _SHAPES[index]))
    if series:
        most = max(point.x for one in series for point in one.points)
        ticks = tuple((k, str(k)) for k in _KS if k <= most)
        axis = Axis(1, most, ticks, "k, the number of samples that may be tried", logarithmic=True)
        caption = (
            "The probability that at least one of k samples passes: the unbiased estimate "
            "1&#160;−&#160;C(n−c,&#160;k)/C(n,&#160;k), over all tasks."
        )
        yield _small("by-k", caption, series, axis, title="pass@k by k")


def _rankings(report: Report) -> Iterator[str]:
    scores = [one for one in report.scores if one.name.startswith(RANKING)]
    if not scores:
        return
    span = (0.0, max(one.high for one in scores) or 1.0)
    rows = "".join(_ranking_row(one, span) for one in sorted(scores, key=_ranking_order))
    table = (
        '<div class="scroll"><table><thead><tr><th>chosen by</th><th class="num">T</th>'
        '<th class="num">passes</th><th>95&#160;% interval</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
    caption = (
        "How often the sample that each ranking puts first passes. An editor has no tests, so it shows the "
        "sample with the best mean log-probability. The oracle knows the verdicts; no ranking can do better."
    )
    yield _figure("ranking", caption, table, title="Which sample to show")


def _ranking_row(score: Score, span: tuple[float, float]) -> str:
    name = score.name.removeprefix(RANKING)
    temperature = "" if score.temperature is None else f"{score.temperature:g}"
    return (
        f'<tr><th>{escaped(name)}</th><td class="num">{temperature}</td>'
        f'<td class="num">{percent_html(score.value)}</td>'
        f"<td>{interval_bar(score.value, score.low, score.high, span)}</td></tr>"
    )


def _ranking_order(score: Score) -> tuple[float, int]:
    name = score.name.removeprefix(RANKING)
    return _temperature(score), RANKINGS.index(name) if name in RANKINGS else len(RANKINGS)


def _temperature(score: Score) -> float:
    return score.temperature or 0.0


def _with_interval(score: Score) -> str:
    temperature = "" if score.temperature is None else f" at T {score.temperature:g}"
    return f"{score.name}{temperature} {percent(score.value)} ({percent(score.low)} to {percent(score.high)})"
