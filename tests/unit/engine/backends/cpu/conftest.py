"""The kernels' tests run on the installed kernels, or on a build that an environment variable names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from copilot_server.engine.backends.cpu import library
from tests.support.kernels import LIBRARY_VARIABLE, available_compilers, build_kernels


@pytest.fixture(scope="session", autouse=True)
def given_kernels() -> Iterator[None]:
    """Use the library that ``LIBRARY_VARIABLE`` names, such as one with sanitizers."""
    with pytest.MonkeyPatch.context() as patch:
        if given := os.environ.get(LIBRARY_VARIABLE):
            opened = library.open_library(Path(given))
            patch.setattr(library, "load_library", lambda: opened)
        yield


@pytest.fixture(scope="session", params=available_compilers())
def build(request: pytest.FixtureRequest) -> Path:
    """The kernels as each compiler of this machine builds them."""
    return build_kernels(request.param)
