"""Which model is chosen for simulated machines, and why."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from copilot_server.catalog import all_manifests, find
from copilot_server.engine.model_choice.choice import (
    LIMITS,
    Limits,
    ModelChoice,
    choose,
    expect,
    weights_bytes,
)
from copilot_server.engine.model_choice.machine import Machine, Speeds

GB = 10**9
SMALL, MIDDLE, LARGE = (f"qwen2.5-coder-{size}b" for size in ("0.5", "1.5", "7"))
ALL = {SMALL, MIDDLE, LARGE}

#: Multiplications and bytes in a second as measured, or as the processor's or GPU's data sheet suggests.
MACHINES = {
    "slow laptop": Machine("cpu", "int8", 15 * GB, 6 * GB, 8 * GB),
    "AVX2, 2 cores": Machine("cpu", "gguf", 110 * GB, 17 * GB, 24 * GB),
    "AVX-512, 8 cores": Machine("cpu", "int8", 1000 * GB, 60 * GB, 32 * GB),
    "AVX2, 8 cores, 8 GB": Machine("cpu", "gguf", 500 * GB, 40 * GB, 8 * GB),
    "AVX2, 8 cores, 4 GB": Machine("cpu", "gguf", 500 * GB, 40 * GB, 4 * GB),
    "laptop with 16 GB and its own GPU": Machine("mps", "float16", 5000 * GB, 100 * GB, 16 * GB),
    "GPU of 24 GB": Machine("cuda", "bfloat16", 50_000 * GB, 450 * GB, 24 * GB),
    "GPU of 8 GB": Machine("cuda", "bfloat16", 20_000 * GB, 200 * GB, 8 * GB),
}


def chosen(machine: str, on_disk: Iterable[str] = ALL) -> ModelChoice:
    return choose(MACHINES[machine], all_manifests(), set(on_disk))


@pytest.mark.parametrize(
    ("machine", "model"),
    [
        ("slow laptop", SMALL),
        ("AVX2, 2 cores", SMALL),
        ("AVX-512, 8 cores", MIDDLE),
        ("AVX2, 8 cores, 8 GB", MIDDLE),
        ("AVX2, 8 cores, 4 GB", SMALL),
        ("laptop with 16 GB and its own GPU", MIDDLE),
        ("GPU of 24 GB", LARGE),
        ("GPU of 8 GB", MIDDLE),
    ],
)
def test_the_largest_that_is_fast_enough_and_fits(machine: str, model: str):
    choice = chosen(machine)
    assert choice.served == choice.suited == find(model)
    assert choice.reason.startswith(f"{model} is the ")


def test_what_is_chosen_keeps_to_the_limits_and_the_next_larger_does_not():
    for machine in MACHINES:
        choice = chosen(machine)
        costs = {one.model.id: one for one in choice.expected}
        assert choice.served is not None
        own = costs[choice.served_id]
        keeps = own.warm_s <= LIMITS.warm_s and own.cold_s <= LIMITS.cold_s
        assert keeps != own.is_slow
        assert keeps or choice.served == find(SMALL)
        larger = [one for one in choice.expected if one.model.parameters > choice.served.parameters]
        assert all(one.is_slow or not one.fits for one in larger)


def test_only_what_is_on_the_machine_is_served_and_what_suits_it_is_offered_with_size_and_licence():
    choice = chosen("AVX-512, 8 cores", {SMALL})
    assert (choice.served, choice.suited) == (find(SMALL), find(MIDDLE))
    assert f"`copilot-server pull {MIDDLE}` fetches" in choice.reason
    assert "(1.1 GB, Apache-2.0)" in choice.reason
    assert "pull" not in chosen("AVX-512, 8 cores", {SMALL, MIDDLE}).reason


def test_a_machine_with_only_a_model_that_is_too_slow_serves_it_and_is_offered_a_faster_one():
    choice = chosen("AVX2, 2 cores", {MIDDLE})
    assert (choice.served, choice.suited) == (find(MIDDLE), find(SMALL))
    assert choice.reason.startswith(f"{MIDDLE} is the smallest model here; none keeps to 1 s a suggestion")
    assert f"pull {SMALL}`" in choice.reason


def test_nothing_on_disk_serves_nothing_and_says_what_suits():
    choice = chosen("GPU of 24 GB", ())
    assert (choice.served, choice.served_id, choice.suited) == (None, "", find(LARGE))
    assert choice.reason.startswith("On this machine is none of the models that auto chooses from.")
    assert f"pull {LARGE}`" in choice.reason


def test_a_model_that_does_not_fit_in_memory_is_not_served_although_it_is_the_only_one():
    choice = chosen("AVX2, 8 cores, 4 GB", {LARGE})
    assert (choice.served, choice.suited) == (None, find(SMALL))
    tiny = Machine("cpu", "int8", 500 * GB, 40 * GB, 1 * GB)
    none = choose(tiny, all_manifests(), ALL)
    assert (none.served, none.suited) == (None, None)
    assert none.reason.startswith("There is too little memory for any")


def test_the_reason_says_what_the_next_larger_costs():
    slower = chosen("AVX2, 2 cores").reason
    assert f"{MIDDLE} would take about" in slower
    assert f"There is too little memory for {MIDDLE}" in chosen("AVX2, 8 cores, 4 GB").reason
    assert "would take" not in chosen("GPU of 24 GB").reason


def test_a_machine_that_cannot_be_measured_serves_the_smallest():
    choice = choose(None, all_manifests(), {MIDDLE, LARGE})
    assert (choice.served, choice.suited, choice.expected) == (find(MIDDLE), find(SMALL), ())
    assert "could not be measured" in choice.reason
    assert choose(None, all_manifests(), ()).served is None


def test_models_that_are_not_for_auto_are_never_chosen():
    others = {one.id for one in all_manifests()} - ALL
    choice = chosen("GPU of 24 GB", others)
    assert choice.served is None
    assert {one.model.id for one in choice.expected} == ALL


@pytest.mark.parametrize("limits", [Limits(warm_s=0.01), Limits(cold_s=0.01)])
def test_each_limit_of_time_alone_can_rule_a_model_out(limits: Limits):
    machine = MACHINES["AVX-512, 8 cores"]
    assert expect(machine, find(SMALL), limits).is_slow
    assert not expect(machine, find(SMALL)).is_slow


def test_reading_faster_shortens_the_first_suggestion_and_writing_faster_both():
    slow = Machine("cpu", "int8", 100 * GB, 10 * GB, 16 * GB)
    reads = Machine("cpu", "int8", 200 * GB, 10 * GB, 16 * GB)
    writes = Machine("cpu", "int8", 100 * GB, 20 * GB, 16 * GB)
    base, reading, writing = (expect(one, find(SMALL)) for one in (slow, reads, writes))
    assert reading.cold_s < base.cold_s
    assert reading.warm_s == base.warm_s  # ten tokens take no longer than one, which memory holds up
    assert writing.cold_s < base.cold_s
    assert writing.warm_s < base.warm_s


def test_what_was_measured_of_a_model_takes_the_place_of_what_is_computed():
    machine = MACHINES["AVX-512, 8 cores"]
    slower = {MIDDLE: Speeds(reading_tok_s=200.0, writing_tok_s=8.0)}
    assert choose(machine, all_manifests(), ALL).served_id == MIDDLE
    choice = choose(machine, all_manifests(), ALL, measured=slower)
    assert choice.served_id == SMALL
    assert f"{MIDDLE} would take about 1.4 s and 5.7 s" in choice.reason
    assert choose(machine, all_manifests(), {SMALL}, measured=slower).suited == find(SMALL)


def test_the_weights_of_each_number_format():
    small, large = find(SMALL), find(LARGE)
    assert weights_bytes("bfloat16", large) == 2 * large.parameters
    # What a step with these formats reads of the 0.5B, as benchmarks/LOG.md has it (2026-11-30).
    assert weights_bytes("gguf", small) == pytest.approx(388e6, rel=0.01)
    assert weights_bytes("int8", small) == pytest.approx(510e6, rel=0.01)
    assert weights_bytes("gguf", large) == weights_bytes("int8", large)  # it is no GGUF file
