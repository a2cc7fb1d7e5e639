"""The options of a self-test: their flags, their defaults, and which values and combinations are refused."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from copilot_server.completion.verification.drawing import BUDGET
from copilot_server.errors import ConfigError
from copilot_server.flags import flag

#: The benchmark that has a run of its own: it compares texts, and executes nothing.
REPOSITORY = "repository"
#: The options that it has, beside its name.
FOR_REPOSITORY = ("repository", "since", "with_context", "no_typing")
SHARED_WITH_REPOSITORY = ("benchmark", "limit", "variants", "seed", "report", "json_path")

#: This file name stands for the standard output.
STDOUT = Path("-")

#: The k of Chen et al. 2021, table 1.
PAPER_KS = (1, 10, 100)
#: The best temperature for pass@100 and the nucleus in Chen et al. 2021.
DEFAULT_TEMPERATURE, DEFAULT_TOP_P = 0.8, 0.95

_SELF_TEST = "Self-test"
_SAMPLING = "Self-test: sampling"
_REPOSITORY = "Self-test: a repository"
_RESULTS = "Self-test: results"


def default_ks(samples: int) -> tuple[int, ...]:
    """Return the default k of pass@k: the paper's up to the number of samples, and that number."""
    return tuple(sorted({*(k for k in PAPER_KS if k <= samples), samples}))


def _numbers(name: str, kind: type[int] | type[float]) -> Callable[[str | None], tuple[float, ...]]:
    """Return what reads the value of a flag such as ``--k 1,10``."""

    def convert(given: str | None) -> tuple[float, ...]:
        try:
            return tuple(kind(one) for one in given.split(",")) if given else ()
        except ValueError as error:
            raise ConfigError(
                f"{name} {given} is not a list of numbers.", remedy="As in 1,10,100."
            ) from error

    return convert


def _tuple(given: list[str] | None) -> tuple[Any, ...]:
    return tuple(given or ())


@dataclass(frozen=True, slots=True)
class SelftestOptions:
    """What a self-test measures, and what it does with the score.

    Every field is a flag of the command line, in this order. ``temperatures`` is empty for the default, which
    ``sampling_temperatures`` gives; ``ks`` is empty for ``default_ks``.
    """

    benchmark: str = flag(
        default="humaneval",
        help="Measure the model with humaneval, infilling, robustness, chained, buggy-context or protocols; "
        "or with `repository FOLDER`, on the code of a repository.",
        name="--selftest",
        panel=_SELF_TEST,
        metavar="BENCHMARK",
        kind=str | None,
        absent=None,
    )
    data: Path | None = flag(
        default=None,
        help="Use another problem set in HumanEval's format, compressed by gzip or not.",
        name="--data",
        panel=_SELF_TEST,
        metavar="FILE",
    )
    limit: int | None = flag(
        default=None,
        help="Use only the first problems, this many of them; of a repository, this many tasks of each kind.",
        name="--limit",
        panel=_SELF_TEST,
        minimum=1,
    )
    variants: tuple[str, ...] = flag(
        default=(),
        help="Run only this part of the benchmark, such as single-line. Can be given more than once.",
        name="--variant",
        panel=_SELF_TEST,
        metavar="NAME",
        kind=list[str] | None,
        absent=None,
        convert=_tuple,
    )
    full: bool = flag(
        default=False,
        help="Run every task of a benchmark that takes a seeded subset by default.",
        name="--full",
        panel=_SELF_TEST,
    )
    raw: bool = flag(
        default=False,
        help="Ask the bare model, without the completion pipeline.",
        name="--raw",
        panel=_SELF_TEST,
    )
    check: Literal["strict", "upstream"] = flag(
        default="strict",
        help="How programs are judged: by a separate process, or by themselves as in OpenAI's harness.",
        name="--check",
        panel=_SELF_TEST,
    )
    timeout_s: float = flag(
        default=3.0,
        help="The time limit of each program.",
        name="--timeout",
        panel=_SELF_TEST,
        metavar="SECONDS",
    )
    allow_unsandboxed: bool = flag(
        default=False,
        help="Run the model's programs even where no sandbox works.",
        name="--allow-unsandboxed",
        panel=_SELF_TEST,
    )
    batch_size: int = flag(
        default=32,
        help="The number of completions that are generated at the same time.",
        name="--batch-size",
        panel=_SELF_TEST,
        minimum=1,
    )
    samples: int = flag(
        default=1,
        help="The number of samples of each task.",
        name="--samples",
        panel=_SAMPLING,
        metavar="N",
        minimum=1,
    )
    temperatures: tuple[float, ...] = flag(
        default=(),
        help="The sampling temperature; several make a grid. By default one sample is greedy, and several "
        "are sampled at 0.8.",
        name="--temperature",
        panel=_SAMPLING,
        metavar="T,...",
        kind=str | None,
        absent=None,
        convert=_numbers("--temperature", float),
    )
    top_p: float = flag(
        default=DEFAULT_TOP_P,
        help="The probability mass of nucleus sampling.",
        name="--top-p",
        panel=_SAMPLING,
        metavar="P",
    )
    ks: tuple[int, ...] = flag(
        default=(),
        help="The k of pass@k. By default 1, 10 and 100 up to the number of samples, and that number.",
        name="--k",
        panel=_SAMPLING,
        metavar="K,...",
        kind=str | None,
        absent=None,
        convert=_numbers("--k", int),
    )
    seed: int = flag(
        default=0,
        help="The seed of the random numbers: the same seed gives the same samples and subsets.",
        name="--seed",
        panel=_SAMPLING,
    )
    verify: bool = flag(
        default=False,
        help="Check each completion against the examples in its own prompt, draw others while one fails, and "
        "report what that comes to beside pass@1.",
        name="--verify",
        panel=_SAMPLING,
    )
    verify_samples: int = flag(
        default=BUDGET,
        help="The most samples of a task that --verify draws.",
        name="--verify-samples",
        panel=_SAMPLING,
        metavar="N",
        minimum=1,
    )
    samples_file: Path | None = flag(
        default=None,
        help="Check the samples in this file, which is in OpenAI's format. No model is loaded.",
        name="--samples-file",
        panel=_SAMPLING,
        metavar="FILE",
    )
    repository: Path | None = flag(
        default=None,
        help="The folder of the repository, which may also follow `--selftest repository`.",
        name="--repository",
        panel=_REPOSITORY,
        metavar="FOLDER",
    )
    since: str = flag(
        default="",
        help="Use only files that were added since this day, so that an older model cannot know them.",
        name="--since",
        panel=_REPOSITORY,
        metavar="YYYY-MM-DD",
    )
    with_context: Literal["on", "off", "both"] = flag(
        default="both",
        help="Ask with code of other files, without it, or both ways, to compare them.",
        name="--context",
        panel=_REPOSITORY,
    )
    no_typing: bool = flag(
        default=False,
        help="Leave out the simulated typist, who counts the keystrokes saved.",
        name="--no-typing",
        panel=_REPOSITORY,
    )
    report: Path | None = flag(
        default=None,
        help="The folder of the run, with its samples, report.html and report.json. The same command resumes "
        "an interrupted run.",
        name="--report",
        panel=_RESULTS,
        metavar="DIR",
    )
    json_path: Path | None = flag(
        default=None,
        help="Write the results to this file as JSON; - is the standard output.",
        name="--json",
        panel=_RESULTS,
        metavar="FILE",
    )
    min_pass_at_1: float | None = flag(
        default=None,
        help="Exit with status 10 if pass@1 is below this share.",
        name="--min-pass-at-1",
        panel=_RESULTS,
        minimum=0.0,
        maximum=1.0,
    )

    @property
    def sampling_temperatures(self) -> tuple[float, ...]:
        """The temperatures to sample at: those given, or else the default."""
        return self.temperatures or ((0.0,) if self.samples == 1 else (DEFAULT_TEMPERATURE,))


def check_options(options: SelftestOptions, benchmarks: Collection[str]) -> None:
    """Refuse values that make no sense.

    Raises:
        ConfigError: names the option and its permitted values.
    """
    if options.benchmark not in benchmarks:
        known = ", ".join((*benchmarks, REPOSITORY))
        raise ConfigError(f"There is no benchmark {options.benchmark!r}.", remedy=f"Known: {known}.")
    for name, value in (
        ("limit", options.limit),
        ("number of samples", options.samples),
        ("batch size", options.batch_size),
        *(("k of pass@k", k) for k in options.ks),
    ):
        if value is not None and value < 1:
            raise ConfigError(f"The {name} is {value}.", remedy="It must be 1 or more.")
    _check_sampling(options)
    _check_verification(options)
    threshold = options.min_pass_at_1
    if threshold is not None and not 0 <= threshold <= 1:
        message = f"The lowest pass@1 to accept is {threshold}."
        raise ConfigError(message, remedy="It is a share, from 0 to 1: 0.56 for 56 %.")
    if threshold is not None and options.ks and 1 not in options.ks:
        raise ConfigError("The lowest pass@1 is set, but pass@1 is not asked for.", remedy="Add 1 to --k.")
    if not 0 < options.timeout_s <= 3600:
        raise ConfigError(f"The time limit is {options.timeout_s} s.", remedy="Give 0.1 to 3600 seconds.")
    check_json_path(options.json_path)


def _check_sampling(options: SelftestOptions) -> None:
    for temperature in options.temperatures:
        if not 0 <= temperature <= 2:
            raise ConfigError(f"The temperature is {temperature}.", remedy="It is a number from 0 to 2.")
    if not 0 < options.top_p <= 1:
        raise ConfigError(f"top-p is {options.top_p}.", remedy="It is a number above 0 and up to 1.")
    if len(set(options.temperatures)) < len(options.temperatures):
        raise ConfigError("A temperature is named twice.", remedy="Name each once.")
    if options.samples > 1 and 0.0 in options.sampling_temperatures:
        raise ConfigError(
            f"At temperature 0 all {options.samples} samples of a task are the same.",
            remedy="Leave out --samples, or choose another temperature.",
        )
    if not options.samples_file and max(options.ks, default=1) > options.samples:
        raise ConfigError(
            f"pass@{max(options.ks)} needs as many samples of each task.",
            remedy=f"Say --samples {max(options.ks)}.",
        )


def _check_verification(options: SelftestOptions) -> None:
    if not options.verify:
        return
    if options.samples_file or options.raw:
        what = "a samples file" if options.samples_file else "the bare model"
        raise ConfigError(f"--verify draws as editors do, not from {what}.", remedy="Leave out one of them.")
    if options.sampling_temperatures != (0.0,):
        message = "--verify begins with one greedy sample of each task."
        raise ConfigError(message, remedy="Leave out --samples and --temperature.")


def check_json_path(path: Path | None) -> None:
    """Refuse a file for the results that cannot be written.

    Raises:
        ConfigError: says why.
    """
    if path is None or path == STDOUT:
        return
    if path.is_dir():
        raise ConfigError(f"{path} is a folder.", remedy="Name a file to write the results to.")
    if not path.parent.is_dir():
        raise ConfigError(f"The folder {path.parent} does not exist.", remedy="Make it first.")
