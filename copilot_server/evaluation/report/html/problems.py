"""The problems on the page: a grid of all, the failures in full, and the differences between the checks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from copilot_server.evaluation.report.html.outcomes import (
    MAX_FAILURES,
    MAX_TASKS,
    OTHER,
    Cell,
    Failure,
    Outcome,
    cells,
    common_kinds,
    differing,
    kind_of,
    outcomes,
)
from copilot_server.evaluation.report.html.text import code, code_at_cursor, count, escaped, line
from copilot_server.evaluation.types import Checked, Report, Task
from copilot_server.sandbox import ProgramResult

_MAX_DIFFERING = 50


def problems(report: Report) -> str:
    """Return the grid, the failures and the differences."""
    found = outcomes(report)
    listed = {
        index: number
        for number, index in enumerate(
            [index for index, one in enumerate(found) if one.failures][:MAX_TASKS], start=1
        )
    }
    return _grid(found, listed) + _failures(report, found, listed) + _differences(report)


def _grid(found: list[Outcome], listed: dict[int, int]) -> str:
    if not found:
        return ""
    items = "".join(_cell(one, listed) for one in cells(found))
    return (
        '<section id="problems"><h2>Problems</h2>'
        f'<ol class="grid">{items}</ol>'
        '<ul class="legend"><li><span class="cell l10">7</span>every sample passes</li>'
        '<li><span class="cell l5">7</span>filled by the share of samples that pass</li>'
        '<li><span class="cell l0">7</span>none passes</li>'
        "<li>A problem with failures links to them.</li></ul></section>"
    )


def _cell(cell: Cell, listed: dict[int, int]) -> str:
    # The first and the last level stand for exactly none and all.
    share = cell.correct / cell.samples
    level = 10 if share == 1 else 0 if share == 0 else min(9, max(1, round(10 * share)))
    tasks = "" if cell.tasks == 1 else f" of {cell.tasks} tasks"
    said = f"{escaped(cell.problem_id)}: {cell.correct} of {count(cell.samples, 'sample')}{tasks} passed"
    name = line(cell.problem_id.rpartition("/")[2], 5)
    number = None if cell.failed is None else listed.get(cell.failed)
    if number is None:
        return f'<li><span class="cell l{level}" title="{said}">{name}</span></li>'
    return (
        f'<li><a class="cell l{level}" href="#f{number}" title="{said}" aria-label="{said}">{name}</a></li>'
    )


def _failures(report: Report, found: list[Outcome], listed: dict[int, int]) -> str:
    failed = [one for one in found if one.failures]
    if not failed:
        return ""
    kinds = common_kinds(report)
    variants = list(dict.fromkeys(one.task.variant for one in failed if one.task.variant))
    entries = "".join(
        _entry(found[index], number, [kind for kind, _ in kinds], variants)
        for index, number in listed.items()
    )
    left_out = len(failed) - len(listed)
    rest = (
        f'<p class="aside">{count(left_out, "more task")} with failures: in the JSON beside this page.</p>'
        if left_out
        else ""
    )
    tally = ", ".join(f"{line(kind)} {times:,}" for kind, times in kinds)
    samples = sum(failure.times for one in failed for failure in one.failures)
    return (
        '<section id="failures"><h2>Failures</h2>'
        f"<p>{count(samples, 'sample')} of {count(len(failed), 'task')} failed: {tally}. "
        "Equal completions are shown once.</p>"
        '<p class="paper">In print a failure is one line. Its prompt and its completion are on the page.</p>'
        f'{_controls(kinds, variants)}<div id="entries">{entries}</div>'
        f'<p id="none" hidden>No failure matches.</p>{rest}</section>'
    )


def _controls(kinds: Sequence[tuple[str, int]], variants: Sequence[str]) -> str:
    """Return the controls of the script, which stay hidden without it."""
    variant = f"<label>Variant {_select('variant', variants)}</label>" if variants else ""
    return (
        '<form id="controls" hidden>'
        '<label>Text <input id="text" type="search" placeholder="in names, code, errors" '
        'autocomplete="off"></label>'
        f"<label>Error {_select('kind', [kind for kind, _ in kinds])}</label>{variant}"
        '<label>Order <select id="order"><option value="order">by number</option>'
        '<option value="share">fewest passed first</option><option value="-share">most passed first</option>'
        '<option value="kind">by error</option><option value="-length">longest first</option>'
        "</select></label>"
        '<output id="shown" for="text kind order"></output></form>'
    )


def _select(name: str, choices: Sequence[str]) -> str:
    options = "".join(
        f'<option value="{index}">{line(one, 60)}</option>' for index, one in enumerate(choices)
    )
    return f'<select id="{name}"><option value="">all</option>{options}</select>'


def _entry(outcome: Outcome, number: int, kinds: Sequence[str], variants: Sequence[str]) -> str:
    task, shown = outcome.task, outcome.failures[:MAX_FAILURES]
    indices = {kinds.index(_listed(failure, kinds)) for failure in outcome.failures}
    variant = variants.index(task.variant) if task.variant else ""
    longest = max(len(failure.first.sample.completion) for failure in outcome.failures)
    left_out = len(outcome.failures) - len(shown)
    rest = f'<p class="aside">{count(left_out, "more failure")}: in the JSON.</p>' if left_out else ""
    first = shown[0].first.result
    said = line(first.assertion or first.error.partition(":")[2], 200)
    passed = (
        ""
        if outcome.samples == 1
        else f'<span class="share">{outcome.correct} of {outcome.samples} passed</span>'
    )
    tag = f'<span class="tag">{line(task.variant, 60)}</span>' if task.variant else ""
    return (
        f'<details class="failure" id="f{number}" data-order="{number}" data-variant="{variant}" '
        f'data-kind="{" ".join(map(str, sorted(indices)))}" data-length="{longest}" '
        f'data-share="{outcome.correct / outcome.samples:.4f}">'
        f'<summary><span class="task">{line(task.task_id, 80)}</span>'
        f'<span class="entry">{line(task.entry_point)}</span>{tag}{passed}'
        f'<span class="error">{line(kind_of(first.error))}</span><code class="said">{said}</code></summary>'
        f'<div class="body"><h4>Prompt</h4>{_prompt(task)}{"".join(map(_failure, shown))}{rest}'
        "</div></details>"
    )


def _listed(failure: Failure, kinds: Sequence[str]) -> str:
    kind = kind_of(failure.first.result.error)
    return kind if kind in kinds else OTHER


def _prompt(task: Task) -> str:
    return code_at_cursor(task.prefix, task.suffix) if task.suffix else code(task.prefix)


def _failure(failure: Failure) -> str:
    sample, result = failure.first.sample, failure.first.result
    times = "" if failure.times == 1 else f"{failure.times} times"
    temperatures = ", ".join(f"T {one:g}" for one in failure.temperatures if one)
    replaced = f"replaces {count(sample.replaced, 'character')}" if sample.replaced else ""
    finished = f"ended by {line(sample.finish_reason)}" if sample.finish_reason else ""
    certainty = "" if sample.mean_logprob is None else f"mean log-probability {sample.mean_logprob:.2f}"
    about = " · ".join(filter(None, (times, temperatures, replaced, finished, certainty)))
    return f"<h4>Completion <small>{about}</small></h4>{code(sample.completion)}{''.join(_verdict(result))}"


def _verdict(result: ProgramResult) -> Iterator[str]:
    yield f'<h4>Error</h4><p class="verdict">{line(result.error, 1000)}</p>'
    if result.assertion:
        yield f"<h4>First failing assertion</h4>{code(result.assertion)}"
    if result.output:
        yield f"<details><summary>Output</summary>{code(result.output)}</details>"


def _differences(report: Report) -> str:
    found = differing(report)
    if not any(one.upstream is not None for one in report.samples):
        return ""
    if not found:
        said = "The rules of the original harness give every sample the same verdict."
    else:
        said = (
            f"The rules of the original harness give {count(len(found), 'sample')} of "
            f"{len(report.samples):,} another verdict than the strict check, which is the one that counts."
        )
    entries = "".join(_difference(one) for one in found[:_MAX_DIFFERING])
    rest = len(found) - _MAX_DIFFERING
    more = f'<p class="aside">{count(rest, "more sample")}: in the JSON.</p>' if rest > 0 else ""
    return f'<section id="differences"><h2>Strict and upstream</h2><p>{said}</p>{entries}{more}</section>'


def _difference(one: Checked) -> str:
    upstream = one.upstream
    assert upstream is not None  # noqa: S101 - differing() returns only these
    verdicts = f"strict: {_word(one.result)}, upstream: {_word(upstream)}"
    return (
        f'<details class="difference"><summary><span class="task">{line(one.sample.task_id)}</span>'
        f'<span>sample {one.sample.index}</span><span class="error">{verdicts}</span></summary>'
        f'<div class="body"><h4>Completion</h4>{code(one.sample.completion)}'
        f'<h4>Strict</h4><p class="verdict">{line(one.result.error or "passed", 1000)}</p>'
        f'<h4>Upstream</h4><p class="verdict">{line(upstream.error or "passed", 1000)}</p></div></details>'
    )


def _word(result: ProgramResult) -> str:
    return "passed" if result.passed else "failed"
