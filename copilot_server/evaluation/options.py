"""What a self-test is told: the options, their defaults, and which make no sense."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from copilot_server.errors import ConfigError
from copilot_server.sandbox import Check, Limits

#: As a file's name, the standard output.
STDOUT = Path("-")

#: The paper's k (Chen et al. 2021, table 1).
PAPER_KS = (1, 10, 100)
#: The paper's best temperature for pass@100, and its nucleus.
DEFAULT_TEMPERATURE, DEFAULT_TOP_P = 0.8, 0.95


def default_ks(samples: int) -> tuple[int, ...]:
    """The k of pass@k unless told: the paper's, as far as so many samples go, and their number."""
    return tuple(sorted({*(k for k in PAPER_KS if k <= samples), samples}))


@dataclass(frozen=True, slots=True)
class SelftestOptions:
    """What to measure and what to do with the score.

    ``limit``: only the first so many problems. ``variants``: only these parts of the benchmark. ``full``: all
    tasks where a seeded subset is the default. ``raw``: the bare model, without the pipeline.
    ``samples``, ``temperatures``, ``top_p``, ``seed``: how samples are drawn; greedily unless told.
    ``ks``: the k of pass@k; none for ``default_ks``.
    ``samples_file``: evaluate what others made, without a model.
    ``report``: the folder of the run, which goes on where an earlier one in it was interrupted.
    ``min_pass_at_1``: a share from 0 to 1; the run fails if the first pass@1 of the report is below it.
    """

    benchmark: str = "humaneval"
    data: Path | None = None
    limit: int | None = None
    variants: tuple[str, ...] = ()
    full: bool = False
    raw: bool = False
    samples: int = 1
    temperatures: tuple[float, ...] = ()
    top_p: float = DEFAULT_TOP_P
    ks: tuple[int, ...] = ()
    seed: int = 0
    check: Check = "strict"
    timeout_s: float = Limits().timeout_s
    samples_file: Path | None = None
    report: Path | None = None
    json_path: Path | None = None
    min_pass_at_1: float | None = None
    allow_unsandboxed: bool = False
    batch_size: int = 32

    @property
    def drawn_at(self) -> tuple[float, ...]:
        """The temperatures, given or not: greedy if there is one sample of each task."""
        return self.temperatures or ((0.0,) if self.samples == 1 else (DEFAULT_TEMPERATURE,))


def check_options(options: SelftestOptions, benchmarks: Collection[str]) -> None:
    """Refuse what makes no sense.

    Raises:
        ConfigError: naming the option and what it may be.
    """
    if options.benchmark not in benchmarks:
        known = ", ".join(benchmarks)
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
    threshold = options.min_pass_at_1
    if threshold is not None and not 0 <= threshold <= 1:
        message = f"The lowest pass@1 to accept is {threshold}."
        raise ConfigError(message, remedy="It is a share, from 0 to 1: 0.56 for 56 %.")
    if threshold is not None and options.ks and 1 not in options.ks:
        raise ConfigError("The lowest pass@1 is set, but pass@1 is not asked for.", remedy="Add 1 to --k.")
    if not 0 < options.timeout_s <= 3600:
        raise ConfigError(f"The time limit is {options.timeout_s} s.", remedy="Give 0.1 to 3600 seconds.")
    _check_json_path(options.json_path)


def _check_sampling(options: SelftestOptions) -> None:
    for temperature in options.temperatures:
        if not 0 <= temperature <= 2:
            raise ConfigError(f"The temperature is {temperature}.", remedy="It is a number from 0 to 2.")
    if not 0 < options.top_p <= 1:
        raise ConfigError(f"top-p is {options.top_p}.", remedy="It is a number above 0 and up to 1.")
    if len(set(options.temperatures)) < len(options.temperatures):
        raise ConfigError("A temperature is named twice.", remedy="Name each once.")
    if options.samples > 1 and 0.0 in options.drawn_at:
        raise ConfigError(
            f"At temperature 0 all {options.samples} samples of a task are the same.",
            remedy="Leave out --samples, or choose another temperature.",
        )
    if not options.samples_file and max(options.ks, default=1) > options.samples:
        raise ConfigError(
            f"pass@{max(options.ks)} needs as many samples of each task.",
            remedy=f"Say --samples {max(options.ks)}.",
        )


def _check_json_path(path: Path | None) -> None:
    if path is None or path == STDOUT:
        return
    if path.is_dir():
        raise ConfigError(f"{path} is a folder.", remedy="Name a file to write the results to.")
    if not path.parent.is_dir():
        raise ConfigError(f"The folder {path.parent} does not exist.", remedy="Make it first.")
