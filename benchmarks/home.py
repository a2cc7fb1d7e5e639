"""A home folder for the processes of a benchmark, so that it leaves nothing in the user's own.

Servers write statistics, tunings and unpacked weights. A benchmark must not add its own to those of the user,
and its figures must not depend on the user's settings.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from copilot_server.fetch.store import HOME_VARIABLE, home


@contextmanager
def temporary_home() -> Iterator[Path]:
    """Give this process and those that it starts a temporary home with links to the user's models.

    The links are to single files: what is made from the weights of a model is kept in the temporary home,
    unless the user has it already. The user's settings file is not read.
    """
    users = home()
    with tempfile.TemporaryDirectory(prefix="copilot-server-bench-") as name:
        folder = Path(name)
        _link_models(users / "models", folder / "models")
        changed = {HOME_VARIABLE: name, "XDG_CONFIG_HOME": str(folder / "config")}
        before = {variable: os.environ.get(variable) for variable in changed}
        _set(changed)
        try:
            yield folder
        finally:
            _set(before)


def _link_models(users: Path, own: Path) -> None:
    for model in users.glob("*/"):
        (own / model.name).mkdir(parents=True)
        for file in model.iterdir():
            if not file.name.endswith(".lock"):
                (own / model.name / file.name).symlink_to(file.absolute())


def _set(variables: Mapping[str, str | None]) -> None:
    for variable, value in variables.items():
        if value is None:
            os.environ.pop(variable, None)
        else:
            os.environ[variable] = value
