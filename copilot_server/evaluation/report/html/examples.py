"""The examples on the page: what choosing by them came to, and each task in which one failed."""

from __future__ import annotations

from copilot_server.evaluation.report.html.text import code, count, escaped, line
from copilot_server.evaluation.report.verdicts import SAID, agreement, drawn, with_examples
from copilot_server.evaluation.types import Choice, Draw, ExampleResult, Report, Verification

#: The most tasks that are shown.
_MAX_TASKS = 200


def examples(report: Report) -> str:
    """Return the section; nothing where the run did not check examples."""
    verification = report.verification
    if verification is None:
        return ""
    failing = [one for one in verification.choices if any(draw.outcome == "failed" for draw in one.draws)]
    entries = "".join(map(_entry, failing[:_MAX_TASKS]))
    rest = len(failing) - _MAX_TASKS
    more = f'<p class="aside">{count(rest, "more task")}: in the JSON.</p>' if rest > 0 else ""
    return (
        f'<section id="examples"><h2>Examples in the prompts</h2><p>{_summary(verification)}</p>'
        f"{_table(verification)}{entries}{more}</section>"
    )


def _summary(verification: Verification) -> str:
    choices = verification.choices
    samples = len(drawn(verification))
    return (
        f"Of {count(len(choices), 'task')}, {with_examples(verification):,} have an example that could be "
        f"checked. {count(samples, 'sample')} were drawn, {samples / max(1, len(choices)):.2f} a task and at "
        f"most {verification.budget}: others only where the first fails an example. The hidden tests had no "
        "part in the choice."
    )


def _table(verification: Verification) -> str:
    counts = agreement(drawn(verification))
    rows = "".join(
        f"<tr><th>{escaped(name)}</th><td class=num>{counts[outcome, True]:,}</td>"
        f"<td class=num>{counts[outcome, False]:,}</td></tr>"
        for outcome, name in SAID.items()
    )
    return (
        '<div class="scroll"><table><thead><tr><th>the examples</th><th class=num>hidden test passes</th>'
        f"<th class=num>hidden test fails</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _entry(choice: Choice) -> str:
    chosen = choice.choice
    verdict = f"examples: {SAID[chosen.outcome]}, hidden test: {_word(chosen)}"
    return (
        f'<details class="difference"><summary><span class="task">{line(choice.task_id)}</span>'
        f"<span>{count(len(choice.draws), 'sample')}</span>"
        f'<span class="error">{escaped(verdict)}</span></summary><div class="body">'
        f"{''.join(_draw(choice, index) for index in range(len(choice.draws)))}</div></details>"
    )


def _draw(choice: Choice, index: int) -> str:
    draw = choice.draws[index]
    sample = draw.checked.sample
    chosen = " · chosen" if index == choice.chosen else ""
    how = "greedy" if not sample.temperature else f"T {sample.temperature:g}"
    added = " · with an import that it lacked" if sample.has_added_imports else ""
    items = "".join(f"<li>{one}</li>" for one in map(_result, draw.examples))
    return (
        f"<h4>Sample {index + 1} <small>{how}{added} · hidden test: {_word(draw)}{chosen}</small></h4>"
        f"{code(sample.completion)}<ul>{items}</ul>"
    )


def _result(one: ExampleResult) -> str:
    detail = f": {line(one.said)}" if one.said else ""
    return f"<code>{line(one.text)}</code> {escaped(one.verdict)}{detail}"


def _word(draw: Draw) -> str:
    return "passes" if draw.checked.passed else "fails"
