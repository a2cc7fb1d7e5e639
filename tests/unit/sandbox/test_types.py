"""The plain values of the sandbox."""

from __future__ import annotations

from copilot_server.sandbox import Limits, Program, Refusal


def test_a_program_is_put_together_as_by_the_original_harness():
    program = Program("def f(): return 1", "def check(f): assert f() == 1", "f")
    namespace: dict[str, object] = {}
    exec(program.text, namespace)
    assert program.text.endswith("check(f)")


def test_time_on_the_processor_is_limited_a_little_later_than_time_on_the_wall():
    assert Limits(timeout_s=2.5).resources()["RLIMIT_CPU"] == 4


def test_limits_of_the_kernel_are_those_asked_for():
    found = Limits(memory_bytes=1, processes=2, file_bytes=3, open_files=4).resources()
    assert [found[f"RLIMIT_{name}"] for name in ("AS", "NPROC", "FSIZE", "NOFILE", "CORE")] == [1, 2, 3, 4, 0]


def test_a_refusal_names_the_tier_and_the_reason():
    assert str(Refusal("bubblewrap 0.11", "it does not start")) == "bubblewrap 0.11: it does not start"
