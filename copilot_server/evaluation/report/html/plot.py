"""Small plots as inline SVG. Colours are CSS classes, so that they follow the page's light or dark scheme."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from copilot_server.evaluation.report.html.text import escaped

_TOP, _BOTTOM, _LEFT = 14.0, 34.0, 44.0
_LABEL_HEIGHT, _LABEL_WIDTH = 15.0, 160.0


@dataclass(frozen=True, slots=True)
class Point:
    """A value from 0 to 1 at ``x``, with its interval if it has one. ``title`` is its tooltip."""

    x: float
    y: float
    title: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """Points joined by a line.

    Attributes:
        style: the CSS class that colours the line.
        shape: the marker of its points.
        label: text beside its first point, which replaces the name at the right end.
    """

    name: str
    points: tuple[Point, ...]
    style: str
    shape: str = "circle"
    label: str = ""


@dataclass(frozen=True, slots=True)
class Axis:
    """The horizontal axis: its ends, its ticks and its title."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    title: str
    logarithmic: bool = False

    def position(self, x: float) -> float:
        """Return the position of ``x`` on the axis, from 0 to 1."""
        low, high, x = (math.log(v) if self.logarithmic else v for v in (self.low, self.high, x))
        return (x - low) / (high - low)


@dataclass(frozen=True, slots=True)
class _Frame:
    """The plotting area, in the SVG's own units."""

    axis: Axis
    width: float
    height: float
    right: float
    top_value: float

    def x(self, value: float) -> float:
        return _LEFT + self.axis.position(value) * (self.width - _LEFT - self.right)

    def y(self, value: float) -> float:
        return self.height - _BOTTOM - value / self.top_value * (self.height - _TOP - _BOTTOM)


def plot(  # noqa: PLR0913 - the data and their presentation
    series: Sequence[Series],
    axis: Axis,
    *,
    title: str,
    size: tuple[int, int],
    labels: int = 0,
    top: float = 1.0,
) -> str:
    """Return a plot of shares from 0 to ``top``. ``labels`` is the width for the names on the right."""
    width, height = size
    frame = _Frame(axis, width, height, labels or 12.0, top)
    lines = "".join(_line(one, frame) for one in series)
    names = _names(series, frame) if labels else ""
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escaped(title)}">'
        f"{_grid(frame)}{lines}{names}</svg>"
    )


def legend(series: Sequence[Series]) -> str:
    """Return the series' names with their markers, for a plot that has no room beside its lines."""
    items = "".join(
        f'<li><svg viewBox="0 0 14 14" class="key" aria-hidden="true"><g class="series {one.style}">'
        f"{_shape(one.shape, 7, 7)}</g></svg>{escaped(one.name)}</li>"
        for one in series
    )
    return f'<ul class="legend">{items}</ul>'


def interval_bar(value: float, low: float, high: float, span: tuple[float, float]) -> str:
    """Return a value and its interval on a scale that all rows of a table share."""
    first, last = span

    def x(share: float) -> float:
        return 100 * (min(max(share, first), last) - first) / (last - first)

    return (
        '<svg class="bar" aria-hidden="true"><line class="grid" x1="0" x2="100%" y1="9" y2="9"/>'
        f'<line class="grid" x1="{x(0):.2f}%" x2="{x(0):.2f}%" y1="2" y2="16"/>'
        f'<rect class="reach" x="{x(low):.2f}%" y="5" width="{x(high) - x(low):.2f}%" height="8" rx="4"/>'
        f'<circle class="dot" cx="{x(value):.2f}%" cy="9" r="4"/></svg>'
    )


def _grid(frame: _Frame) -> str:
    right = frame.width - frame.right
    steps = 5 if frame.top_value > 0.5 else 4
    pieces = []
    for step in range(steps + 1):
        value = frame.top_value * step / steps
        y = frame.y(value)
        pieces.append(f'<line class="grid" x1="{_LEFT}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
        pieces.append(
            f'<text class="tick end" x="{_LEFT - 8}" y="{y + 4:.1f}">{100 * value:.0f}&#160;%</text>'
        )
    bottom = frame.height - _BOTTOM
    for value, label in frame.axis.ticks:
        x = frame.x(value)
        pieces.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 4}"/>')
        pieces.append(f'<text class="tick middle" x="{x:.1f}" y="{bottom + 16}">{escaped(label)}</text>')
    centre = (_LEFT + right) / 2
    title = escaped(frame.axis.title)
    pieces.append(f'<text class="tick middle" x="{centre:.1f}" y="{frame.height - 3}">{title}</text>')
    return "".join(pieces)


def _line(series: Series, frame: _Frame) -> str:
    positions = [(frame.x(point.x), frame.y(point.y), point) for point in series.points]
    way = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in positions)
    line = f'<polyline points="{way}"/>' if len(positions) > 1 else ""
    marks = "".join(
        f"<g><title>{escaped(point.title)}</title>{_whisker(x, point, frame)}{_shape(series.shape, x, y)}</g>"
        for x, y, point in positions
    )
    return f'<g class="series {series.style}">{line}{marks}</g>{_label(series, *positions[0][:2])}'


def _label(series: Series, x: float, y: float) -> str:
    if not series.label:
        return ""
    label = escaped(series.label)
    # On the left, where models are smaller and lines are lower, if there is room.
    anchor, x = ("end", x - 12) if x > _LABEL_WIDTH else ("start", x + 12)
    return f'<text class="name {anchor} {series.style}" x="{x:.1f}" y="{y + 4:.1f}">{label}</text>'


def _whisker(x: float, point: Point, frame: _Frame) -> str:
    if point.low is None or point.high is None:
        return ""
    low, high = frame.y(point.low), frame.y(point.high)
    ends = "".join(f"M{x - 5:.1f} {y:.1f}h10" for y in (low, high))
    return f'<path class="whisker" d="M{x:.1f} {low:.1f}V{high:.1f}{ends}"/>'


def _shape(shape: str, x: float, y: float) -> str:
    if shape == "square":
        return f'<rect class="mark" x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7"/>'
    if shape == "triangle":
        return f'<path class="mark" d="M{x:.1f} {y - 4.8:.1f}l4.8 8.4h-9.6z"/>'
    if shape == "diamond":
        return f'<path class="mark" d="M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5z"/>'
    return f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="{6 if shape == "large" else 4}"/>'


def _names(series: Sequence[Series], frame: _Frame) -> str:
    """Return the series' names beside their last points, moved apart where they would overlap."""
    x = frame.width - frame.right + 10
    named = [one for one in series if not one.label]
    wanted = sorted((frame.y(one.points[-1].y), index, one) for index, one in enumerate(named))
    pieces, last = [], -math.inf
    for y, _, one in wanted:
        last = max(y, last + _LABEL_HEIGHT)
        pieces.append(
            f'<text class="name {one.style}" x="{x:.1f}" y="{last + 4:.1f}">{escaped(one.name)}</text>'
        )
    return "".join(pieces)
