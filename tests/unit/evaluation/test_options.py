"""The options of a self-test: which are refused, and their defaults."""

from __future__ import annotations

from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from copilot_server.errors import ConfigError
from copilot_server.evaluation.benchmarks import BENCHMARKS
from copilot_server.evaluation.options import SelftestOptions, check_options, default_ks
from copilot_server.sandbox import Check, Limits


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (SelftestOptions(benchmark="mbpp"), "no benchmark 'mbpp'. Known: humaneval"),
        (SelftestOptions(limit=0), "limit is 0"),
        (SelftestOptions(batch_size=0), "batch size is 0"),
        (SelftestOptions(samples=0), "number of samples is 0"),
        (SelftestOptions(ks=(0,)), "k of pass@k is 0"),
        (SelftestOptions(ks=(1, 10), samples=5, temperatures=(0.8,)), "pass@10 needs"),
        (SelftestOptions(samples=5, temperatures=(0.0, 0.8)), "all 5 samples of a task are the same"),
        (SelftestOptions(temperatures=(3.0,)), "temperature is 3.0"),
        (SelftestOptions(temperatures=(0.2, 0.2)), "named twice"),
        (SelftestOptions(top_p=0.0), "top-p is 0.0"),
        (SelftestOptions(timeout_s=0.0), "time limit is 0.0"),
        (SelftestOptions(min_pass_at_1=56), "is 56. It is a share"),
        (SelftestOptions(min_pass_at_1=0.5, samples=10, ks=(10,)), "pass@1 is not asked for"),
        (SelftestOptions(json_path=Path("/no/such/folder/out.json")), "folder /no/such/folder does not"),
        (SelftestOptions(json_path=Path("/")), "/ is a folder"),
    ],
)
def test_wrong_options_are_refused(options: SelftestOptions, said: str):
    with pytest.raises(ConfigError) as caught:
        check_options(options, BENCHMARKS)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        SelftestOptions(),
        SelftestOptions(ks=(1, 10), samples=10, min_pass_at_1=0.5),
        SelftestOptions(samples=5, temperatures=(0.2, 0.8)),
        SelftestOptions(json_path=Path("-")),
    ],
)
def test_right_options_are_accepted(options: SelftestOptions):
    check_options(options, BENCHMARKS)


def test_default_temperatures():
    assert SelftestOptions().sampling_temperatures == (0.0,)
    assert SelftestOptions(samples=5).sampling_temperatures == (0.8,)
    assert SelftestOptions(samples=5, temperatures=(0.2, 0.8)).sampling_temperatures == (0.2, 0.8)


def test_default_ks_go_up_to_the_number_of_samples():
    assert default_ks(1) == (1,)
    assert default_ks(20) == (1, 10, 20)
    assert default_ks(200) == (1, 10, 100, 200)


def test_the_sandbox_has_the_same_checks_and_time_limit():
    """The options repeat them, since importing the sandbox would make ``--help`` slow."""
    assert get_args(get_type_hints(SelftestOptions)["check"]) == get_args(Check)
    assert SelftestOptions().timeout_s == Limits().timeout_s
