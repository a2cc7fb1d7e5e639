"""The load test and the arithmetic of docs/scale.md. No test here measures time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.capacity import GPUS, MODELS, Demand, Rates, computed_rates, developers, tables
from benchmarks.load.engine_tokens import EngineTokens, read_engine_tokens
from benchmarks.load.report import figures, table
from benchmarks.load.typing import Key, Seen
from tests.support.paths import REPOSITORY

MEASURED = REPOSITORY / "benchmarks" / "results" / "load.json"


# The figures.


STATS = {
    "requests": 10,
    "answers": {"model": 3, "cache": 2, "ahead": 1},
    "cancelledWaiting": 2,
    "cancelledRunning": 1,
    "failed": 1,
    "madeAhead": 4,
}


def test_what_editors_and_servers_saw_is_added_up() -> None:
    seen = [
        Seen([Key(0.1, shown=True), Key(0.2), Key(None)], typing_s=2.0),
        Seen([Key(0.3, shown=True), Key(None, failed=True)], typing_s=4.0, lost=1),
    ]
    found = figures(seen, [STATS, STATS], EngineTokens(read=1600.0, reused=800.0, written=160.0))
    assert found["keys"] == 5
    assert found["key_to_suggestion_ms"] == {"p50": 100.0, "p90": 300.0, "p99": 300.0}
    assert found["answered_before_the_next_key"] == 0.6
    assert (found["failed"], found["lost"], found["recovered"]) == (1, 1, 2)
    assert found["answered_without_the_engine"] == 0.3
    assert found["cancelled_before_the_engine_ran"] == 0.2
    assert found["cancelled_while_it_ran"] == 0.1
    assert found["asked_of_the_engine_per_s"] == 4.0  # 2 * (3 + 1 + 4) in 4 s
    assert found["engine"]["tokens_read_per_request"] == 100.0
    assert found["engine"]["tokens_written_per_request"] == 10.0
    assert found["engine"]["tokens_written_per_finished_request"] == 11.4  # 160 / 14
    assert "answered before the next key" in table(found)


def test_nothing_shown_has_no_percentile() -> None:
    found = figures([Seen([Key(None)], typing_s=1.0)], [STATS], None)
    assert found["key_to_suggestion_ms"]["p50"] is None
    assert "engine" not in found


# The arithmetic.


def test_developers_are_what_the_formula_says() -> None:
    demand = Demand(asked_per_s=2.0, read=100.0, written=20.0)
    engine = Rates("an engine", read=1000.0, written=200.0)  # 0.2 s a request
    assert developers(engine, demand) == int(0.6 / (0.3 * 2.0 * 0.2))
    assert developers(Rates("twice as fast", 2000.0, 400.0), demand) == 10


def test_a_gpu_is_computed_from_its_data_sheet() -> None:
    by_name = {gpu.name: gpu for gpu in GPUS}
    small, large = MODELS[0], MODELS[-1]
    assert computed_rates(by_name["L4"], large) is None
    rates = computed_rates(by_name["H100"], small)
    assert rates is not None
    assert rates.read == pytest.approx(0.4 * 989e12 / (2 * 1.54e9))
    faster = computed_rates(by_name["H200"], small)
    assert faster is not None
    assert faster.written > rates.written


def test_the_tables_of_the_documentation_are_what_the_measurements_give() -> None:
    text = (REPOSITORY / "docs" / "scale.md").read_text("utf-8")
    shown = text.partition("<!-- capacity: from")[2].partition("-->")[2].partition("<!-- capacity: end")[0]
    assert shown.strip() == tables(json.loads(MEASURED.read_text("utf-8"))).strip()


# The load test itself.


def load(folder: Path, *arguments: str) -> dict[str, Any]:
    file = folder / "load.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load", *arguments, "--json", str(file)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    assert found == json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.model
def test_editors_type_on_a_real_engine(engine_url: str, tmp_path: Path) -> None:
    found = load(tmp_path, engine_url, "--editors", "2", "--keys", "12", "--prompt-tokens", "64")
    assert (found["editors"], found["keys"], found["lost"], found["failed"]) == (2, 24, 0, 0)
    assert found["requests"] > 0


@pytest.mark.model
@pytest.mark.long
def test_an_engine_killed_under_load_loses_no_editor(tmp_path: Path) -> None:
    few = ("--editors", "10", "--keys", "60", "--prompt-tokens", "128")
    found = load(tmp_path, "llamacpp", *few, "--kill")
    assert (found["editors"], found["recovered"], found["lost"]) == (10, 10, 0)


@pytest.mark.model
def test_an_engines_tokens_are_counted_by_itself(engine_url: str) -> None:
    before = read_engine_tokens(engine_url)
    assert before is not None
    assert read_engine_tokens("") is None
    assert read_engine_tokens("http://127.0.0.1:9") is None
