"""The report's page in a real Chromium: it shows, sorts, filters, fits, and runs only its own script."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from copilot_server.evaluation.report.html import render
from copilot_server.evaluation.report.html.outcomes import MAX_FAILURES, MAX_TASKS
from copilot_server.evaluation.report.html.text import MAX_TEXT
from copilot_server.evaluation.repository.page import render as render_repository
from copilot_server.evaluation.types import Checked, Report, Task
from copilot_server.sandbox import ProgramResult
from tests.support import repositories
from tests.support.chromium import REMEDY, Tab, find_chromium, open_browser
from tests.support.reports import a_report, checked, humaneval_tasks, of_samples

Open = Callable[..., Tab]

#: Texts that set ``window.stolen`` if a page interprets them as markup or script.
HOSTILE = (
    "</script><script>window.stolen = 1</script>",
    "<script>window.stolen = 1</script>",
    '<img src=x onerror="window.stolen = 1">',
    '"><svg onload="window.stolen = 1">',
    "' onmouseover='window.stolen = 1' autofocus onfocus='window.stolen = 1",
    '<a href="javascript:window.stolen = 1">click</a>',
    "</code></pre></details><iframe srcdoc='<script>parent.stolen = 1</script>'></iframe>",
    "</title></style><body onload=window.stolen=1>",
    "--><script>window.stolen = 1</script><!--",
    "]]><script>window.stolen = 1</script><![CDATA[",
    "<style>*{display:none}</style><link rel=stylesheet href=http://127.0.0.1:9/x>",
    '<meta http-equiv="refresh" content="0;url=javascript:window.stolen=1">',
    "<form action=javascript:window.stolen=1><button autofocus>",
    "{{7*7}} ${7*7} $title {% raw %} %(x)s {0} {task}",
    "&lt;b&gt; &#x3c;script&#x3e; &amp;amp;",
    "\u202egnitteg \u2066 \u2069 \u200b \ufeff \x00 \x07 \x1b[31m \x7f \x9b \ud800 \r\n \u2028 \xa0",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Open:
    """Open a report's page, or a page as it is, in a tab of its own."""

    def show(shown: Report | str, fragment: str = "", **screen: Any) -> Tab:  # noqa: ANN401 - passed on to Tab
        page = tmp_path / "report.html"
        page.write_text(render(shown) if isinstance(shown, Report) else shown, "utf-8")
        return Tab(browser, **screen).go(page.as_uri() + fragment)

    return show


def _grid_report() -> Report:
    return a_report(samples=5, temperatures=(0.2, 0.8), ks=(1, 5))


def _variants_report() -> Report:
    tasks = [
        replace(task, task_id=f"{task.task_id}/{variant}", variant=variant, suffix="\n    return None\n")
        for task in humaneval_tasks()[:30]
        for variant in ("CRLF", "tabs")
    ]
    return a_report(tasks)


def _texts(tab: Tab, selector: str) -> list[str]:
    found: list[str] = tab.run(f"[...document.querySelectorAll({selector!r})].map(e => e.textContent)")
    return found


def _shown_tasks(tab: Tab) -> list[str]:
    return _texts(tab, "details.failure:not([hidden]) .task")


def _choose(tab: Tab, name: str, value: str) -> None:
    tab.run(
        f"(() => {{ const s = document.getElementById({name!r}); s.value = {value!r};"
        "for (const kind of ['input', 'change']) s.dispatchEvent(new Event(kind, {bubbles: true})); })()"
    )


def test_shows_the_score_and_what_it_means(show: Open):
    report = a_report()
    tab = show(report)
    score = report.scores[0]
    passed = sum(one.passed for one in report.samples)
    assert tab.run("document.title") == f"qwen2.5-coder-0.5b: {100 * score.value:.1f} % on humaneval"
    assert _texts(tab, ".number") == [f"{100 * score.value:.1f}"]
    assert f"Of 164 tasks, it solves {passed} at the first attempt." in _texts(tab, ".meaning")[0]
    assert report.command in _texts(tab, ".command")[0]
    assert report.protocol.data_sha256 in _texts(tab, ".hash")


@pytest.mark.parametrize("report", [a_report, _grid_report, _variants_report])
def test_asks_for_nothing_and_complains_of_nothing(show: Open, report: Callable[[], Report]):
    tab = show(report())
    assert tab.complaints() == []
    assert all(url.startswith("file:") for url in tab.requests())
    assert len(tab.requests()) == 1
    # The page's own style and script are applied: the policy names their hashes rightly.
    assert tab.run("getComputedStyle(document.querySelector('main')).maxWidth") != "none"
    assert not tab.run("document.getElementById('controls').hidden")


def test_complaints_would_be_heard(show: Open):
    page = render(a_report())
    assert show(page.replace("<main>", "<main><style>p { color: red }</style>")).complaints()
    assert show(page.replace('"use strict";', '"use strict"; ')).complaints(), (
        "a changed script has another hash"
    )


def test_the_scores_are_in_the_table(show: Open):
    report = _grid_report()
    tab = show(report)
    rows = _texts(tab, "#scores tbody tr")
    scores = [one for one in report.scores if one.name.startswith("pass@")]
    assert len(rows) == len(scores)
    for row, score in zip(rows, scores, strict=True):
        assert score.name in row
        assert f"{100 * score.value:.1f}\xa0%" in row
    assert len(_texts(tab, "#ranking tbody tr")) == 8


def test_the_figures_that_there_are_values_for(show: Open):
    figures = "[...document.querySelectorAll('figure')].map(e => e.id)"
    assert show(a_report()).run(figures) == ["published-1"]
    assert show(_grid_report()).run(figures) == ["published-1", "by-temperature", "by-k", "ranking"]
    assert show(_variants_report()).run(figures) == []
    chained = [
        replace(task, variant=f"{i % 5 + 1} block{'s' if i % 5 else ''}")
        for i, task in enumerate(humaneval_tasks())
    ]
    assert show(a_report(chained)).run(figures) == ["by-blocks"]
    hundred = a_report(samples=100, temperatures=(0.8,))
    assert show(hundred).run(figures) == ["published-1", "published-10", "published-100", "by-k", "ranking"]
    assert show(replace(a_report(), parameters=None)).run(figures) == []
    unknown = a_report()
    for change in ({"data_sha256": "0" * 64}, {"benchmark": "robustness"}):
        other = replace(unknown.protocol, **change)
        assert show(replace(unknown, protocol=other)).run(figures) == [], "other problems have other figures"


def test_filters_by_text_error_and_variant(show: Open):
    report = _variants_report()
    tab = show(report)
    failed = [one.sample.task_id for one in report.samples if not one.passed]
    assert _shown_tasks(tab) == failed
    tab.click("#text")
    tab.type("truncate_NUMBER")
    assert _shown_tasks(tab) == [one for one in failed if one.startswith("HumanEval/2/")]
    assert _texts(tab, "#shown") == [f"{len(_shown_tasks(tab))} of {len(failed)}"]
    tab.type("no such thing")
    assert _shown_tasks(tab) == []
    assert not tab.run("document.getElementById('none').hidden")
    _choose(tab, "text", "")
    kinds = _texts(tab, "#kind option")
    _choose(tab, "kind", str(kinds.index("timed out") - 1))
    assert _shown_tasks(tab) == [
        one.sample.task_id for one in report.samples if one.result.error == "timed out"
    ]
    _choose(tab, "kind", "")
    _choose(tab, "variant", str(_texts(tab, "#variant option").index("tabs") - 1))
    assert _shown_tasks(tab) == [one for one in failed if one.endswith("/tabs")]


def test_sorts(show: Open):
    tab = show(_grid_report())
    shares = "[...document.querySelectorAll('.failure')].map(e => +e.dataset.share)"
    numbers = "[...document.querySelectorAll('.failure')].map(e => +e.dataset.order)"
    before = tab.run(shares)
    assert before != sorted(before)
    _choose(tab, "order", "share")
    assert tab.run(shares) == sorted(before)
    _choose(tab, "order", "-share")
    assert tab.run(shares) == sorted(before, reverse=True)
    _choose(tab, "order", "order")
    assert tab.run(shares) == before
    assert tab.run(numbers) == sorted(tab.run(numbers))


def test_a_problem_leads_to_its_failure(show: Open):
    report = a_report()
    tab = show(report)
    failed = [one for one in report.samples if not one.passed]
    name = failed[3].sample.task_id.rpartition("/")[2]
    _choose(tab, "kind", "0" if failed[3].result.error != _texts(tab, "#kind option")[1] else "1")
    tab.run(f"[...document.querySelectorAll('a.cell')].find(e => e.textContent === {name!r}).id = 'wanted'")
    tab.click("#wanted")
    tab.run("new Promise(done => setTimeout(done, 0))")
    opened = "document.querySelector('details.failure[open]:not([hidden]) .task').textContent"
    assert tab.run(opened) == failed[3].sample.task_id
    assert tab.run("location.hash === '#' + document.querySelector('details[open]').id")
    assert len(_texts(tab, "a.cell")) == len(failed)
    assert len(_texts(tab, "ol.grid .cell")) == 164
    # The same if the URL names the problem when the page opens.
    assert show(report, "#f4").run(opened) == failed[3].sample.task_id


def test_a_cell_says_without_colour_how_much_passed(show: Open):
    task, other, third = humaneval_tasks()[:3]
    drawn = [
        checked(one, i, 0.2, failure=None if i < good else 0)
        for one, good in [(task, 4), (other, 0), (third, 1)]
        for i in range(4)
    ]
    tab = show(of_samples([task, other, third], drawn, samples=4, temperatures=(0.2,)))
    cells = "[...document.querySelectorAll('ol.grid .cell')]"
    assert tab.run(f"{cells}.map(e => e.title)") == [
        "HumanEval/0: 4 of 4 samples passed",
        "HumanEval/1: 0 of 4 samples passed",
        "HumanEval/2: 1 of 4 samples passed",
    ]
    looks = tab.run(
        f"{cells}.map(e => [getComputedStyle(e).borderStyle, getComputedStyle(e).backgroundImage])"
    )
    assert looks[0] == ["solid", "none"]
    assert looks[1] == ["dashed", "none"]
    assert looks[2][0] == "solid"
    assert "gradient" in looks[2][1]


@pytest.mark.parametrize("width", [320, 390, 768, 1200])
@pytest.mark.parametrize("report", [_grid_report, _variants_report])
def test_fits_its_screen(show: Open, report: Callable[[], Report], width: int):
    tab = show(report(), width=width, height=844)
    tab.run("document.querySelectorAll('details').forEach(e => e.open = true)")
    assert tab.run("document.documentElement.scrollWidth") == width
    assert tab.run("[...document.querySelectorAll('pre')].some(e => e.scrollWidth > e.clientWidth)")


def test_a_page_that_does_not_fit_would_be_found(show: Open):
    wide = render(a_report()).replace(
        "<main>", "<main><pre><svg width=2000></svg></pre><svg width=2000></svg>"
    )
    assert show(wide, width=390).run("document.documentElement.scrollWidth") > 390


#: The lowest contrast of text with its background, and its element (WCAG 2.2, success criterion 1.4.3).
CONTRAST = """(() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const color = rgba(getComputedStyle(e).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255];
  };
  let least = [99, ""];
  for (const e of document.querySelectorAll("body *")) {
    if (!e.checkVisibility() || e.closest("script, style, option, title")) continue;
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
    const style = getComputedStyle(e);
    const [a, b] = [light(rgba(e instanceof SVGElement ? style.fill : style.color)), light(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < least[0]) least = [ratio, e.outerHTML.slice(0, 200)];
  }
  return least;
})()"""


@pytest.mark.parametrize("dark", [False, True])
def test_is_legible_in_light_and_dark(show: Open, dark: bool):
    tab = show(_grid_report(), dark=dark)
    tab.run("document.querySelectorAll('details').forEach(e => e.open = true)")
    paper = tab.run("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", paper))) < 128 * 3) is dark
    ratio, where = tab.run(CONTRAST)
    assert ratio >= 4.5, where


def test_illegible_text_would_be_found(show: Open):
    tab = show(a_report())
    tab.run("document.querySelector('.meaning').style.color = '#bbb'")
    ratio, where = tab.run(CONTRAST)
    assert ratio < 4.5
    assert "meaning" in where


def test_on_paper_it_is_black_on_white(show: Open):
    tab = show(a_report(), dark=True)
    tab.on_paper()
    assert tab.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert tab.run("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert not tab.run("document.getElementById('controls').checkVisibility()")
    assert tab.run("document.querySelector('.failure summary').checkVisibility()")
    assert not tab.run("document.querySelector('.failure .body').checkVisibility()")
    assert tab.pdf().startswith(b"%PDF-")


def test_reads_without_its_script(show: Open):
    page = re.sub(r"<script>.*</script>", "", render(a_report()), flags=re.DOTALL)
    tab = show(page)
    assert not tab.run("document.getElementById('controls').checkVisibility()")
    tab.click("details.failure summary")
    assert tab.run("document.querySelector('details.failure .body pre').checkVisibility()")


def _hostile_sample(task: Task, index: int, text: str) -> Checked:
    one = checked(task, index, 0.5, failure=0)
    result = ProgramResult(passed=False, error=text, wall_s=0.1, output=text, assertion=text)
    sample = replace(one.sample, completion=text, protocol=text, finish_reason=text)
    return Checked(sample, result, ProgramResult(passed=True, error="", wall_s=0.1, output=text))


def _hostile_report() -> Report:
    """A report with text that attacks the page in every field that holds text."""
    tasks = [
        replace(
            humaneval_tasks()[0],
            **dict.fromkeys(
                (
                    "task_id",
                    "problem_id",
                    "entry_point",
                    "variant",
                    "prefix",
                    "suffix",
                    "canonical",
                    "test",
                    "setup",
                ),
                text,
            ),
        )
        for text in HOSTILE
    ]
    report = of_samples(
        tasks,
        [_hostile_sample(task, i, text) for i, (task, text) in enumerate(zip(tasks, HOSTILE, strict=True))],
    )
    everything = "".join(HOSTILE)
    texts = dict.fromkeys(
        ("benchmark", "data", "model", "device", "dtype", "prompt", "sandbox", "data_sha256"), everything
    )
    return replace(
        report,
        protocol=replace(report.protocol, **texts),
        scores=tuple(replace(one, name=f"{one.name} {everything}", note=everything) for one in report.scores),
        started=everything,
        command=everything,
        hardware=everything,
        versions={everything: everything},
        notes=HOSTILE,
    )


def _used(tab: Tab) -> None:
    """Open, point at and focus every element."""
    tab.run(
        "document.querySelectorAll('*').forEach(e => { if (e.localName === 'details') e.open = true;"
        "if (!['summary', 'a'].includes(e.localName)) for (const kind of ['mouseover', 'focus', 'click'])"
        "e.dispatchEvent(new Event(kind, {bubbles: true})); })"
    )
    tab.run("new Promise(done => setTimeout(done, 50))")


def test_hostile_text_is_shown_and_never_run(show: Open):
    tab = show(_hostile_report())
    _used(tab)
    assert tab.run("window.stolen") is None
    assert tab.complaints() == [], "nothing even had to be stopped by the policy"
    assert len(tab.requests()) == 1
    assert tab.run("document.scripts.length") == 1
    assert (
        tab.run("document.querySelectorAll('main :is(img, iframe, script, style, link, meta, base)').length")
        == 0
    )
    attributes = "[...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames())"
    assert not [name for name in set(tab.run(attributes)) if name.startswith("on")]
    links = tab.run(
        "[...document.querySelectorAll('[href], [src], [action]')].map(e => e.getAttribute('href'))"
    )
    assert all(re.fullmatch(r"#f\d+", link) for link in links)
    completions = _texts(tab, ".failure .body > pre:nth-of-type(2)")
    assert completions[:-1] == list(HOSTILE[:-1])
    assert completions[-1].startswith(
        r"\u202egnitteg \u2066 \u2069 \u200b \ufeff \x00 \x07 \x1b[31m \x7f \x9b \ud800 \r"
    )
    assert tab.run("document.documentElement.scrollWidth") == 1200


def test_hostile_text_would_run_where_it_is_not_escaped(show: Open):
    page = render(a_report(humaneval_tasks()[:2]))
    bare = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    ran = []
    for text in HOSTILE[:4]:
        tab = show(bare.replace("<main>", f"<main>{text}"))
        _used(tab)
        ran.append(tab.run("window.stolen"))
    assert ran == [1, 1, 1, 1]


def test_hostile_text_of_a_repository_is_shown_and_never_run(show: Open):
    said = "\n".join(HOSTILE)
    one = repositories.done("a.py", repositories.an_outcome(text=said))
    task = replace(one.task, path=said, where=said, prefix=said, removed=said, kept=said, suffix=said)
    report = repositories.a_report(replace(one, task=task))
    texts = {"folder": said, "model": said, "command": said, "commit": said, "notes": (said,)}
    tab = show(render_repository(replace(report, **texts)))
    tab.run("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert tab.run("window.stolen") is None
    assert tab.complaints() == []
    assert len(tab.requests()) == 1
    assert tab.run("document.querySelectorAll('main :is(img, iframe, script, style, link, a)').length") == 0
    assert "window.stolen = 1" in tab.run("document.body.innerText")


def test_the_policy_stops_what_would_slip_through(show: Open):
    page = render(a_report(humaneval_tasks()[:2]))
    for text in HOSTILE[:4]:
        tab = show(page.replace("<main>", f"<main>{text}"))
        _used(tab)
        assert tab.run("window.stolen") is None
        assert any("Content Security Policy" in one for one in tab.complaints())


def test_a_line_of_ten_megabytes_does_not_make_the_page_large():
    task = humaneval_tasks()[0]
    one = _hostile_sample(task, 0, "x" * 10_000_000)
    page = render(of_samples([replace(task, prefix="y" * 10_000_000)], [one]))
    assert len(page) < 200_000
    assert f"{10_000_000 - MAX_TEXT:,} more characters are in the JSON." in page


def test_many_samples_do_not_make_the_page_large():
    tasks = [replace(humaneval_tasks()[0], task_id=f"t/{i}", problem_id=f"p/{i % 164}") for i in range(5815)]
    page = render(of_samples(tasks, [checked(task, 0, 0.0, failure=i) for i, task in enumerate(tasks)]))
    assert page.count('<details class="failure"') == MAX_TASKS
    assert f"{5815 - MAX_TASKS:,} more tasks with failures" in page
    assert len(page) < 2_000_000


def test_same_completions_are_shown_once_and_others_counted():
    task = humaneval_tasks()[0]
    same = [checked(task, i, 0.8, failure=0) for i in range(40)]
    same = [replace(one, sample=replace(one.sample, completion="    pass\n")) for one in same]
    page = render(of_samples([task], same, samples=40, temperatures=(0.8,)))
    assert page.count("<h4>Completion") == 1
    assert "40 times · T 0.8" in page
    other = [checked(task, i, 0.8, failure=i) for i in range(40)]
    page = render(of_samples([task], other, samples=40, temperatures=(0.8,)))
    assert page.count("<h4>Completion") == MAX_FAILURES
    assert f"{40 - MAX_FAILURES} more failures: in the JSON." in page


def test_where_the_checks_differ_is_listed(show: Open):
    report = a_report(humaneval_tasks()[:3])
    assert "every sample the same verdict" in _texts(show(report), "#differences")[0]
    one = checked(humaneval_tasks()[0], 0, 0.0, failure=0)
    cheated = replace(one, upstream=ProgramResult(passed=True, error="", wall_s=0.1))
    tab = show(of_samples(humaneval_tasks()[:1], [cheated]))
    assert "give 1 sample of 1 another verdict" in _texts(tab, "#differences")[0]
    assert _texts(tab, ".difference .error") == ["strict: failed, upstream: passed"]
    assert 'id="differences"' not in render(of_samples(humaneval_tasks()[:1], [replace(one, upstream=None)]))


def test_a_run_of_nothing_still_has_a_page(show: Open):
    tab = show(replace(a_report(humaneval_tasks()[:1]), scores=(), samples=()))
    assert tab.complaints() == []


def test_the_same_report_gives_the_same_page():
    assert render(_grid_report()) == render(_grid_report())


def test_without_a_chromium_the_error_names_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("COPILOT_SERVER_CHROMIUM", raising=False)
    with pytest.raises(RuntimeError, match="apt-get install chromium-headless-shell") as refused:
        find_chromium()
    assert str(refused.value) == REMEDY
