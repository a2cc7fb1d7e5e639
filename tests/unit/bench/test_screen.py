"""The screen of ``copilot-server bench``."""

from __future__ import annotations

import sys
from dataclasses import replace

from rich.console import Console

from copilot_server.bench.figures import Figures
from copilot_server.bench.screen import table

FIGURES = Figures(
    model="some-model",
    device="cpu",
    dtype="int8",
    threads=2,
    load_s=1.5,
    prefill_tok_s=1234.0,
    decode_tok_s=41.5,
    decode_drafts_tok_s=None,
    line_ms=56.0,
    function_s=3.21,
    rss_mb=789.0,
    instruction_set="avx2",
    hardware="A Processor avx2, 2 cores",
)


def screen(figures: Figures) -> str:
    console = Console(width=80, record=True, file=sys.stderr)
    console.print(table(figures))
    return console.export_text()


def test_it_is_one_screen():
    shown = screen(FIGURES)
    assert len(shown.splitlines()) < 24
    for word in ("1,234 tokens/s", "41.5 tokens/s", "off", "56 ms", "3.2 s", "0.79 GB"):
        assert word in shown
    assert "notice" not in shown


def test_it_names_the_hardware_and_what_the_engine_uses():
    shown = screen(FIGURES)
    assert "A Processor avx2, 2 cores" in shown
    assert "cpu, int8, avx2, 2 threads" in shown
    assert "cpu, int8 " in screen(replace(FIGURES, instruction_set="", threads=None))


def test_it_says_how_much_of_a_gpu_the_model_takes():
    assert "GPU" not in screen(FIGURES)
    shown = screen(replace(FIGURES, device_memory_mb={"weights": 988.0, "KV cache": 201.4}))
    assert "GPU weights" in shown
    assert "GPU KV cache" in shown
    assert "0.99 GB" in shown
    assert "0.20 GB" in shown


def test_it_has_what_the_user_should_know():
    shown = screen(replace(FIGURES, notices=("The kernels are missing [x]: see here.",)))
    assert "The kernels are missing [x]: see here." in shown
