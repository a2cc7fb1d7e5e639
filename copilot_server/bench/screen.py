"""The output of ``copilot-server bench``: one screen, or JSON."""

from __future__ import annotations

import dataclasses
import json
import sys

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from copilot_server.bench.figures import FUNCTION_LINES, PROMPT_TOKENS, Figures, measure
from copilot_server.config import Settings
from copilot_server.shown import shown


def run(settings: Settings, *, as_json: bool) -> None:
    """Measure, and print the figures on stdout. Progress goes to stderr.

    Raises:
        ModelError: there is no such model, or it cannot be downloaded.
        EngineError: it cannot run on this machine.
    """
    print(f"Measuring {shown(settings.model)}. Run nothing else for a minute ...", file=sys.stderr)  # noqa: T201
    figures = measure(settings)
    if as_json:
        sys.stdout.write(json.dumps(_rounded(figures), indent=2) + "\n")
    else:
        Console().print(table(figures))


def table(figures: Figures) -> Table:
    """Return the screen: what was measured, and what it means for somebody who types."""
    drafts = figures.decode_drafts_tok_s
    threads = "" if figures.threads is None else f"{figures.threads} threads"
    device = (figures.device, figures.dtype, figures.instruction_set, threads)
    rows = [
        ("hardware", figures.hardware),
        ("device", ", ".join(filter(None, device))),
        ("loaded in", f"{figures.load_s:.1f} s"),
        ("reads", f"{figures.prefill_tok_s:,.0f} tokens/s of a new prompt of {PROMPT_TOKENS:,}"),
        ("writes", f"{figures.decode_tok_s:,.1f} tokens/s after it"),
        ("with drafts", "off" if drafts is None else f"{drafts:,.1f} tokens/s"),
        ("memory", f"{figures.rss_mb / 1e3:.2f} GB"),
        *(
            (f"GPU {purpose}", f"{size_mb / 1e3:.2f} GB")
            for purpose, size_mb in figures.device_memory_mb.items()
        ),
        ("", ""),
        ("a line", f"is suggested about {figures.line_ms:,.0f} ms after a keystroke"),
        (f"{FUNCTION_LINES} lines", f"take about {figures.function_s:.1f} s"),
        ("a new file", f"is read in {PROMPT_TOKENS / figures.prefill_tok_s:.1f} s, once"),
        ("auto", figures.choice),
        *(("notice", escape(shown(notice))) for notice in figures.notices),
    ]
    screen = Table(
        title=f"{escape(shown(figures.model))} on this machine", show_header=False, title_justify="left"
    )
    screen.add_column(style="bold")
    screen.add_column()
    for row in rows:
        screen.add_row(*row)
    return screen


def _rounded(figures: Figures) -> dict[str, object]:
    values = dataclasses.asdict(figures)
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in values.items()}
