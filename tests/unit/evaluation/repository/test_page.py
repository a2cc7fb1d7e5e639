"""The page of a run over a repository."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

from copilot_server.catalog import Gate
from copilot_server.evaluation.repository.page import MAX_LISTED, render
from tests.support.repositories import a_report, an_outcome, done

HOSTILE = "</code></pre><script>alert(1)</script>\x1b[31m<img src=x onerror=alert(1)>"
TASKS = tuple(
    done(f"{n}.py", an_outcome(exact=n < 2, keys=8), an_outcome(context="on", exact=n < 4, keys=4))
    for n in range(4)
)


class Tags(HTMLParser):
    """Collects the tags of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags += [tag, *(f"{tag} {name}" for name, _ in attrs)]


def tags(page: str) -> list[str]:
    parser = Tags()
    parser.feed(page)
    return parser.tags


def test_it_shows_figures_differences_and_tasks():
    gate = Gate(source="a test", intercept=0.0, weights={}, low=0.9, medium=0.5, high=0.0)
    page = render(a_report(*TASKS, gate=gate))
    for name in ("scores", "differences", "figures", "eagerness", "costs", "any-line", "again"):
        assert f'<section id="{name}">' in page
    assert page.count('<details class="failure">') == 4
    assert "0.py:2" in page


def test_what_files_and_models_say_is_text():
    (task,) = TASKS[:1]
    hostile = replace(
        task,
        task=replace(task.task, path=HOSTILE, prefix=HOSTILE, removed=HOSTILE, suffix=HOSTILE),
        outcomes=(an_outcome(text=HOSTILE),),
    )
    report = replace(a_report(hostile), folder=HOSTILE, model=HOSTILE, notes=(HOSTILE,), command=HOSTILE)
    page = render(report)
    plain = render(replace(a_report(*TASKS[:1]), notes=("note",)))
    assert set(tags(page)) <= set(tags(plain))
    assert tags(page).count("script") == 1
    assert "\x1b" not in page


def test_a_hostile_text_that_is_not_escaped_would_be_noticed():
    assert "img" in tags(render(a_report(*TASKS)).replace("0.py:2", HOSTILE))


def test_a_long_list_is_cut_off():
    tasks = tuple(done(f"{n}.py", an_outcome()) for n in range(MAX_LISTED + 3))
    page = render(a_report(*tasks))
    assert page.count('<details class="failure">') == MAX_LISTED
    assert "3 more tasks" in page


def test_a_run_that_showed_nothing_has_a_page():
    assert "nothing shown" in render(a_report(done("a.py", an_outcome(shown=False))))
