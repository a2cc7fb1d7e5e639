"""``copilot-server --selftest``: measure the model as it is served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from copilot_server.cli.flags import build, refuse
from copilot_server.cli.settings import load
from copilot_server.evaluation.options import SelftestOptions

if TYPE_CHECKING:
    import typer

    from copilot_server.cli.flags import Given

#: A samples file has settled these.
_SETTLED_BY_SAMPLES = ("samples", "temperatures", "top_p", "seed", "model", "engine", "raw")


def selftest(context: typer.Context, given: Given) -> int:
    """Run the benchmark; return the exit status.

    Raises:
        CopilotServerError: see ``evaluation.selftest.run``.
    """
    if given["samples_file"] is not None:
        refuse(context, _SETTLED_BY_SAMPLES, "is not for --samples-file")
    from copilot_server.evaluation.selftest import run  # noqa: PLC0415

    options = build(SelftestOptions, given)
    return run(load(given), options)
