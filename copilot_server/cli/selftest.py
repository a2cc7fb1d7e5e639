"""``copilot-server --selftest``: measure the model as it is served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from copilot_server.cli.flags import build, names_of, refuse
from copilot_server.cli.settings import load
from copilot_server.evaluation.options import (
    FOR_REPOSITORY,
    REPOSITORY,
    SHARED_WITH_REPOSITORY,
    SelftestOptions,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import typer

    from copilot_server.cli.flags import Given

#: A samples file has settled these.
_SETTLED_BY_SAMPLES = ("samples", "temperatures", "top_p", "seed", "model", "engine", "raw")


def selftest(context: typer.Context, given: Given) -> int:
    """Run the benchmark; return the exit status.

    Raises:
        CopilotServerError: see ``evaluation.selftest.run`` and ``evaluation.repository.run.run``.
    """
    if given["benchmark"] == REPOSITORY:
        return _repository(context, given)
    refuse(context, FOR_REPOSITORY, f"needs --selftest {REPOSITORY}")
    if given["samples_file"] is not None:
        refuse(context, _SETTLED_BY_SAMPLES, "is not for --samples-file")
    from copilot_server.evaluation.selftest import run  # noqa: PLC0415

    options = build(SelftestOptions, given)
    return run(load(given), options)


def with_repository_flag(arguments: Sequence[str]) -> list[str]:
    """Put ``--repository`` before the folder that follows ``--selftest repository``.

    The root command has subcommands, so the folder alone would be taken for the name of one.
    """
    given = list(arguments)
    flags = ([f"--selftest={REPOSITORY}"], ["--selftest", REPOSITORY])
    ends = [at for at in range(len(given)) for flag in flags if given[:at][-len(flag) :] == flag]
    if ends and not given[ends[0]].startswith("-"):
        given.insert(ends[0], "--repository")
    return given


def _repository(context: typer.Context, given: Given) -> int:
    others = set(names_of(SelftestOptions)) - {*FOR_REPOSITORY, *SHARED_WITH_REPOSITORY}
    refuse(context, others, f"has no effect on --selftest {REPOSITORY}")
    from copilot_server.evaluation.repository.run import run  # noqa: PLC0415

    return run(load(given), build(SelftestOptions, given))
