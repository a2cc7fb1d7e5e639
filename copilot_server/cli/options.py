"""The flags of ``copilot-server`` itself with their help; defaults stand where the flags are used."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

_SERVING = "Serving (on stdio unless told)"
_SELF_TEST = "Self-test"
_SAMPLING = "Self-test: sampling"
_RESULTS = "Self-test: results"

Model = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="A model's id, a hub name, a local folder or a .gguf file."),
]
Engine = Annotated[
    list[str] | None,
    typer.Option(
        "--engine", metavar="URL", help="An engine elsewhere that runs the model; may be given several times."
    ),
]
Device = Annotated[str | None, typer.Option(metavar="auto|cuda|mps|cpu", help="Where the model runs.")]
Dtype = Annotated[
    str | None, typer.Option(metavar="auto|int8|int4|bfloat16|...", help="What its weights are held in.")
]
Offline = Annotated[bool | None, typer.Option("--offline", help="Fetch nothing: the model must be here.")]
PromptProtocol = Annotated[
    str | None, typer.Option(metavar="auto|fim|causal|chat-prefill", help="How the model is asked.")
]
MaxNewTokens = Annotated[
    int | None, typer.Option(metavar="TOKENS", help="The most that one suggestion may have.")
]
Config = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The settings file, instead of the usual one.")
]
LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"], typer.Option(help="What is told on stderr.")
]

Stdio = Annotated[
    bool,
    typer.Option("--stdio", help="Serve on stdin and stdout, as without a flag.", rich_help_panel=_SERVING),
]
Tcp = Annotated[bool, typer.Option("--tcp", help="Listen on TCP.", rich_help_panel=_SERVING)]
Ws = Annotated[bool, typer.Option("--ws", help="Listen for WebSockets.", rich_help_panel=_SERVING)]
Host = Annotated[str, typer.Option(help="Where to listen.", rich_help_panel=_SERVING)]
Port = Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.", rich_help_panel=_SERVING)]
Metrics = Annotated[
    str | None,
    typer.Option(
        metavar="[HOST:]PORT",
        help="Serve counts for Prometheus, to this machine alone without a host; 0: any free port.",
        rich_help_panel=_SERVING,
    ),
]

Selftest = Annotated[
    str | None,
    typer.Option(
        metavar="BENCHMARK",
        help="Measure the model: humaneval, infilling, robustness, chained, buggy-context or protocols.",
        rich_help_panel=_SELF_TEST,
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Another problem set in HumanEval's format, .gz or not.",
        rich_help_panel=_SELF_TEST,
    ),
]
Limit = Annotated[
    int | None, typer.Option(min=1, help="Only the first so many problems.", rich_help_panel=_SELF_TEST)
]
Variant = Annotated[
    list[str] | None,
    typer.Option(
        "--variant",
        metavar="NAME",
        help="Only this part of the benchmark, as single-line; may be given several times.",
        rich_help_panel=_SELF_TEST,
    ),
]
Full = Annotated[
    bool,
    typer.Option(
        "--full", help="Every task where a benchmark takes a seeded subset.", rich_help_panel=_SELF_TEST
    ),
]
Raw = Annotated[
    bool, typer.Option("--raw", help="The bare model, without the pipeline.", rich_help_panel=_SELF_TEST)
]
CheckFlag = Annotated[
    Literal["strict", "upstream"],
    typer.Option(
        help="Who says what passed: a process of its own, or the program's own as in OpenAI's harness.",
        rich_help_panel=_SELF_TEST,
    ),
]
Timeout = Annotated[
    float,
    typer.Option(metavar="SECONDS", help="What each program may take in all.", rich_help_panel=_SELF_TEST),
]
AllowUnsandboxed = Annotated[
    bool,
    typer.Option(
        "--allow-unsandboxed",
        help="Run what the model wrote even where no sandbox works.",
        rich_help_panel=_SELF_TEST,
    ),
]
BatchSize = Annotated[
    int, typer.Option(min=1, help="Completions written at a time.", rich_help_panel=_SELF_TEST)
]

Samples = Annotated[
    int, typer.Option(min=1, metavar="N", help="Samples of each task.", rich_help_panel=_SAMPLING)
]
Temperature = Annotated[
    str | None,
    typer.Option(
        metavar="T,...",
        help="What they are drawn at; several make a grid. Greedy for one sample, else 0.8.",
        rich_help_panel=_SAMPLING,
    ),
]
TopP = Annotated[float, typer.Option(metavar="P", help="The nucleus.", rich_help_panel=_SAMPLING)]
Ks = Annotated[
    str | None,
    typer.Option(
        "--k",
        metavar="K,...",
        help="Which pass@k; unless told 1, 10 and 100 as far as samples go, and their number.",
        rich_help_panel=_SAMPLING,
    ),
]
Seed = Annotated[
    int, typer.Option(help="The same seed draws the same samples and subsets.", rich_help_panel=_SAMPLING)
]
SamplesFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Check these samples, in OpenAI's format; no model is loaded.",
        rich_help_panel=_SAMPLING,
    ),
]

Report = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="The run's folder: samples, report.html, report.json. An interrupted run goes on from it.",
        rich_help_panel=_RESULTS,
    ),
]
JsonFile = Annotated[
    Path | None,
    typer.Option(
        "--json", metavar="FILE", help="Write the results there; - is stdout.", rich_help_panel=_RESULTS
    ),
]
MinPassAt1 = Annotated[
    float | None,
    typer.Option(
        "--min-pass-at-1",
        min=0.0,
        max=1.0,
        help="Exit with 10 if pass@1 is below this share.",
        rich_help_panel=_RESULTS,
    ),
]
