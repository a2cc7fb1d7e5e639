"""Plots as SVG."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from copilot_server.evaluation.report.html.plot import Axis, Point, Series, interval_bar, legend, plot

LINEAR = Axis(0.0, 2.0, ((0.0, "none"), (2.0, "<two>")), "x & y")


def test_positions_on_an_axis():
    assert LINEAR.position(0.5) == 0.25
    logarithmic = Axis(10.0, 1000.0, (), "", logarithmic=True)
    assert logarithmic.position(100.0) == pytest.approx(0.5)


def test_a_plot_is_well_formed_and_has_its_points_and_names():
    points = (Point(0.0, 0.25, "first"), Point(1.0, 0.5, "<second>", 0.4, 0.6))
    shapes = [Series(f"name <{shape}>", points, "s1", shape) for shape in ("circle", "square", "triangle")]
    svg = plot(shapes, LINEAR, title="a <title>", size=(300, 200), labels=100)
    root = ElementTree.fromstring(svg.replace("&#160;", " "))
    assert root.get("aria-label") == "a <title>"
    assert len(root.findall(".//polyline")) == 3
    assert len([one for one in root.iter("path") if one.get("class") == "whisker"]) == 3
    assert [one.text for one in root.iter("title")] == ["first", "<second>"] * 3
    texts = [one.text for one in root.iter("text")]
    assert {"name <circle>", "<two>", "x & y", "100 %"} <= set(texts)


def test_names_that_would_overlap_are_moved_apart():
    series = [Series(str(number), (Point(1.0, 0.5, ""),), "s1") for number in range(3)]
    svg = plot(series, LINEAR, title="", size=(300, 200), labels=100)
    heights = [float(y) for y in re.findall(r'<text class="name s1" x="[\d.]+" y="([\d.]+)"', svg)]
    assert [round(b - a) for a, b in pairwise(heights)] == [15, 15]


def test_a_labelled_series_has_its_label_beside_its_first_point():
    series = [Series("this run", (Point(2.0, 0.5, ""),), "own", "large", "this run 50 %")]
    assert ">this run 50 %</text>" in plot(series, LINEAR, title="", size=(300, 200))
    assert ">this run</li>" in legend(series)


def test_an_interval_outside_the_scale_is_cut():
    bar = interval_bar(0.5, -0.5, 2.0, (0.0, 1.0))
    assert 'x="0.00%" y="5" width="100.00%"' in bar
    assert 'cx="50.00%"' in bar
