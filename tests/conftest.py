"""Models that tests share: tiny random ones of each architecture, and the real 0.5B."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from copilot_server.catalog import resolve
from copilot_server.config import SpeedSettings, default_config_path
from copilot_server.fetch import HOME_VARIABLE, ensure, home
from tests.support.engines import llamacpp_engine
from tests.support.skips import pytest_addoption, pytest_sessionfinish

if TYPE_CHECKING:
    from copilot_server.engine.decoding.engine import DecodingEngine

__all__ = ["pytest_addoption", "pytest_sessionfinish"]

# No test may look for a model on the network by itself.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# How long an example takes depends on the machine: timing lives in benchmarks/. The suite draws the same
# examples in every run. `make test-long` passes --hypothesis-profile=search, which draws other and more
# examples each time, prints how to repeat a failure and keeps it in .hypothesis; an example that has failed
# is added to its test with @example.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeatable", settings.get_profile("untimed"), derandomize=True, database=None)
settings.register_profile("search", settings.get_profile("untimed"), max_examples=2000, print_blob=True)
settings.load_profile("repeatable")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that load the real model, which take minutes.

    A test process that began the last of them at the end would keep the other processes waiting.
    """
    with_model = {item.path for item in items if item.get_closest_marker("model")}
    items.sort(key=lambda item: item.path not in with_model)


def pytest_collection_finish() -> None:
    """Keep the garbage collector from searching the tests and the libraries while they run."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests find the user's models, and neither read nor change settings, statistics or tunings."""
    own, config = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("config")
    if (home() / "models").is_dir():
        (own / "models").symlink_to(home() / "models")
    # Other programs that tests start, such as pip, keep their settings.
    users = default_config_path().parent.parent
    for other in users.iterdir() if users.is_dir() else ():
        if other.name != "copilot-server":
            (config / other.name).symlink_to(other)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(HOME_VARIABLE, str(own))
        patch.setenv("XDG_CONFIG_HOME", str(config))
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def tiny_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random Qwen2 of a few thousand parameters and a tokenizer trained on Python."""
    # torch and transformers take seconds to import, and the process that only hands out tests needs neither.
    from tests.support.tiny_models import build_tiny_model  # noqa: PLC0415

    return build_tiny_model("qwen2", tmp_path_factory.mktemp("tiny-qwen2"))


@pytest.fixture(scope="session")
def engine_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The remote engine that serves the 0.5B: what ``--engine`` names, or llama.cpp's own server."""
    given = request.config.getoption("--engine")
    if given:
        yield given.rstrip("/")
        return
    with llamacpp_engine() as engine:
        yield engine.url


@pytest.fixture(scope="session")
def model_flags(request: pytest.FixtureRequest, tiny_model_dir: Path) -> tuple[str, ...]:
    """The flags of a server with a model that answers: a tiny one, or the engine that ``--engine`` names."""
    given = request.config.getoption("--engine")
    return ("--engine", given) if given else ("--model", str(tiny_model_dir))


@pytest.fixture(scope="session")
def real_engine() -> DecodingEngine:
    """The real 0.5B, decoded by transformers token by token, in float32, where equalities are exact."""
    from copilot_server.engine.loader import load_transformers_engine  # noqa: PLC0415

    ref = resolve("qwen2.5-coder-0.5b")
    speed = SpeedSettings(prefix_cache=False, drafts=False)
    return load_transformers_engine(ensure(ref, offline=True), device="cpu", dtype="float32", speed=speed)
