"""Hostile programs against the sandbox: none passes, none does harm, and none spoils what comes after it.

Each file in ``programs/`` is a solution of one small problem that does not solve it, or solves it only after
doing harm. Its twin does the same within bounds and passes, which shows that the check can fail.
"""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Callable, Iterator

import psutil
import pytest

from copilot_server.sandbox import Limits, Program, ProgramResult, Sandbox, open_sandbox, tiers
from tests.hostile.outside import PROGRAMS, Outside, marked
from tests.support.patience import PATIENCE_S, wait_until

HOSTILE = sorted(path.stem.removesuffix("_twin") for path in PROGRAMS.glob("*_twin.py"))
#: For programs that end by themselves, however busy the machine is.
PATIENT = Limits(timeout_s=PATIENCE_S)
#: For programs that do not.
HURRIED = Limits(timeout_s=1.0)

pytestmark = [
    pytest.mark.serial,  # short time limits, and counts of processes, memory and descriptors
    pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is for Linux"),
]

#: The problem: to add. No program in ``programs/`` has the last sum in its text.
ANSWERS = [(2, 3, 5), (-5, 7, 2), (number := random.Random("hostile").randrange(10**6), 1, number + 1)]
EXACT = f"""
ANSWERS = {ANSWERS}

def check(candidate):
    for a, b, total in ANSWERS:
        assert candidate(a, b) == total
"""
#: A comparison of numbers as in many tests: with a builtin and a module, which a program may have replaced.
CLOSE = f"""
import math

ANSWERS = {ANSWERS}

def check(candidate):
    for a, b, total in ANSWERS:
        assert math.isclose(abs(candidate(a, b) - total), 0)
"""
COMPARE_CLOSELY = {
    "fake_module",
    "import_hook",
    "left_modules",
    "left_state",
    "patched_builtins",
    "patched_math",
}


WRONG = re.escape("AssertionError: assert candidate(a, b) == total")
NOT_CLOSE = re.escape("AssertionError: assert math.isclose(abs(candidate(a, b) - total), 0)")
REFUSED = r"PermissionError: \[Errno 1\] Operation not permitted.*"
TIMEOUT = "timed out"
FULL = r"OSError: \[Errno 28\] No space left on device"
TYPE = "strict check: a value of the type .* cannot be returned"
FRAME = "strict check: the answer was .*"

#: It is not enough that a hostile program fails: it must fail at the barrier that it attacks.
EXPECTED_ERRORS = {
    # Values that pretend to be others arrive as what they are, or not at all.
    "equal_to_everything": TYPE,
    "generator_of_answers": "strict check: an iterator of more than .* items cannot be returned",
    "lying_dict": WRONG,
    "lying_float": WRONG,
    "lying_int": WRONG,
    "lying_list": WRONG,
    "lying_str": WRONG,
    "lying_tuple": WRONG,
    "pretended_class": "TypeError: descriptor '__add__' requires a 'int' object but received a 'Pretender'",
    # The answers are in another process, which the program cannot read.
    "changed_arguments": WRONG,
    "frame_walk": "LookupError: no frame holds the answer",
    "gc_answers": "LookupError: nothing in memory holds the answers",
    "gc_pipes": WRONG,
    "heap_memory": "LookupError: the heap does not hold the answer",
    "others_memory": r"PermissionError: errors \[1\]",
    "own_memory": r"(FileNotFound|Permission)Error: .*'/proc/self/maps'",
    "read_data_set": "AssertionError: no data set",
    "result_walk": f"{WRONG}|AssertionError: every list was told that this passed",
    "trace_answers": "KeyError: 'total'",
    "traceback_walk": "LookupError: no frame holds the answer",
    # So is the code that checks them.
    "fake_module": NOT_CLOSE,
    "import_hook": NOT_CLOSE,
    "left_modules": NOT_CLOSE,
    "left_state": NOT_CLOSE,
    "patched_builtins": NOT_CLOSE,
    "patched_driver": FRAME,
    "patched_math": NOT_CLOSE,
    "replaced_assertion": WRONG,
    "replaced_check": WRONG,
    # Only the judge gives a verdict: the end of the solution's process is none.
    "borrowed_name": "SystemExit: 0",
    "crash": "killed by SIGSEGV",
    "deep_recursion": "killed by SIGSEGV|RecursionError: .*",
    "exit_hook": "SystemExit: 0",
    "exit_in_call": "SystemExit: 0",
    "hostile_message": r"ended without a verdict \(exit status 0\)",
    "interrupt": "KeyboardInterrupt",
    "long_message": "(?s)ValueError: .*",
    "nameless_error": "an error without a name",
    "odd_signal": "killed by signal 40",
    "os_exit": r"ended without a verdict \(exit status 0\)",
    "os_exit_in_call": r"ended without a verdict \(exit status 0\)",
    "stopped_itself": TIMEOUT,
    "sys_exit": "SystemExit: 0",
    # The judge's pipe accepts one well-formed answer to each call.
    "closed_pipes": "ended without a verdict.*",
    "fork_answers": f"{WRONG}|{FRAME}",
    "forged_ahead": FRAME,
    "forged_length": FRAME,
    "forged_nesting": FRAME,
    "forged_number": "strict check: the answer was to another call",
    "forged_types": FRAME,
    "forged_verdict": FRAME,
    "long_description": "y+",
    "silent_error": "an error without a name",
    "silent_failure": "an error without a name",
    "two_answers": FRAME,
    # Values that are too large for their reader.
    "colliding_keys": TIMEOUT,
    "deep_value": "strict check: a value nested too deeply, or within itself cannot be returned",
    "endless_iterator": "strict check: an iterator of more than .* items cannot be returned",
    "endless_range": WRONG,
    "giant_integer": f"{WRONG}|strict check: .*",
    "huge_string": "ended without a verdict.*|strict check: a value of more than .*|MemoryError",
    "not_a_number": WRONG,
    "value_in_itself": "strict check: a value nested too deeply, or within itself cannot be returned",
    # The world outside.
    "environment": "AssertionError: no secret",
    "inherited_descriptors": "AssertionError: no secret",
    "network_other": r"AssertionError: errors \[1, 1, 1, 1\]",
    "network_tcp": REFUSED,
    "network_udp": REFUSED,
    "network_unix": REFUSED,
    "read_host_files": "AssertionError: nothing to read",
    "symbolic_links": "AssertionError: no link leads out",
    "write_outside": "AssertionError: nothing to write to",
    # Other processes.
    "fork_bomb": "AssertionError: stopped early",
    "fork_race": rf"BlockingIOError: \[Errno 11\] .*|ended without a verdict.*|{TIMEOUT}|{FRAME}",
    "kill_all": r"PermissionError: errors \{1\}",
    "kill_parent": r"AssertionError: the parent lives, errors \{1\}",
    "orphan": "RuntimeError: the grandchild is on its own now",
    "orphan_of_a_pass": WRONG,
    "other_reaper": WRONG,
    "others_limits": r"AssertionError: errors \{1\}",
    "signal_by_descriptor": REFUSED,
    "stop_all": r"AssertionError: errors \{1\}",
    "thread_bomb": "AssertionError: stopped early",
    "trace_others": r"PermissionError: errors \{1\}",
    # Exhausting resources: time, memory, disk.
    "caught_timeout": TIMEOUT,
    "closed_folders": REFUSED,
    "closed_pipes_to_write": f"ended without a verdict.*|{FULL}",
    "deep_folders": WRONG,
    "deleted_folder": WRONG,
    "endless_loop": TIMEOUT,
    "fill_disk": FULL,
    "flood_stderr": TIMEOUT,
    "flood_stdout": TIMEOUT,
    "large_file": r"OSError: \[Errno 27\] File too large",
    "many_files": FULL,
    "memory_bomb": "MemoryError",
    "memory_files": REFUSED,
    "removed_files": FULL,
    "sleeper": TIMEOUT,
    "slow_calls": TIMEOUT,
    "system_v_memory": REFUSED,
    # Rights.
    "become_root": REFUSED,
    "change_root": REFUSED,
    "changed_clock": REFUSED,
    "cloned_namespace": REFUSED,
    "closed_filter": REFUSED,
    "io_uring": REFUSED,
    "keyring": REFUSED,
    "mount": REFUSED,
    "raised_limits": "ValueError: not allowed to raise maximum limit",
    "terminal": "PermissionError: .*",
    "user_namespace": REFUSED,
}

#: These pass if solution and test share a process, as in the original harness.
FALSE_PASSES = [
    "equal_to_everything",
    "fake_module",
    "frame_walk",
    "gc_answers",
    "generator_of_answers",
    "heap_memory",
    "import_hook",
    "lying_dict",
    "lying_float",
    "lying_int",
    "lying_list",
    "lying_str",
    "lying_tuple",
    "patched_builtins",
    "patched_math",
    "pretended_class",
    "trace_answers",
    "traceback_walk",
]

#: Without a sandbox these reach their targets.
HARM = [
    "network_other",
    "network_tcp",
    "network_udp",
    "network_unix",
    "read_data_set",
    "read_host_files",
    "symbolic_links",
    "write_outside",
]


@pytest.fixture(scope="module")
def sandbox(outside: Outside) -> Iterator[Sandbox]:
    """A sandbox with one worker, so that the programs run one after another while our memory is measured."""
    with open_sandbox(limits=PATIENT, workers=1) as opened:
        opened.run(program("def add(a, b):\n    return a + b"))
        before = psutil.Process().memory_info().rss, psutil.Process().num_fds()
        yield opened
        after = psutil.Process().memory_info().rss, psutil.Process().num_fds()
    assert after[0] - before[0] < 64 * 1024 * 1024
    assert after[1] <= before[1]


def program(solution: str, name: str = "") -> Program:
    return Program(solution, CLOSE if name in COMPARE_CLOSELY else EXACT, "add")


def limits_of(name: str) -> Limits:
    """Return long limits, unless the program may run until its deadline."""
    return HURRIED if re.fullmatch(EXPECTED_ERRORS[name], TIMEOUT) else PATIENT


def test_every_program_says_what_it_tries_and_has_its_counterpart():
    names = {path.stem for path in PROGRAMS.glob("*.py")}
    assert len(HOSTILE) >= 45
    assert names == {f"{name}_twin" for name in HOSTILE} | set(HOSTILE)
    assert set(EXPECTED_ERRORS) == set(HOSTILE)
    assert all((PROGRAMS / f"{name}.py").read_text().startswith('"""') for name in names)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_program_fails_and_leaves_nothing(
    sandbox: Sandbox, outside: Outside, name: str, record_property: Callable[[str, object], None]
):
    limits = limits_of(name)
    record_property("tries", f"program: {outside.tries(name)}")
    result = sandbox.run(program(outside.solution(name), name), limits)
    record_property("met", result.error)
    assert not result.passed
    assert re.fullmatch(EXPECTED_ERRORS[name], result.error)
    assert len(result.error) <= 500
    result.error.encode()  # a file and a terminal can show it
    assert len(result.output) <= limits.output_bytes
    assert marked() == []
    assert outside.touched() == set()
    assert_next_is_judged_rightly(sandbox, outside)


def assert_next_is_judged_rightly(sandbox: Sandbox, outside: Outside) -> None:
    """Assert that earlier programs do not affect the next ones: the right one passes, the wrong one fails."""
    right = sandbox.run(program(outside.solution("left_state_twin"), "left_state"))
    assert right.error == ""
    wrong = sandbox.run(program("def add(a, b):\n    return a - b"))
    assert re.fullmatch(WRONG, wrong.error)


@pytest.mark.parametrize("name", HOSTILE)
def test_benign_twin_passes(sandbox: Sandbox, outside: Outside, name: str):
    result = sandbox.run(program(outside.solution(f"{name}_twin"), name))
    assert result == ProgramResult(True, "", result.wall_s, result.output)


def test_in_the_tests_own_process_some_pass_and_none_does_harm(outside: Outside):
    """Only the separate process of the judge keeps these from passing; the other barriers are the same."""
    # Some of those that do not pass here wait until their deadline for the judge that they attack.
    limits = {name: PATIENT if name in FALSE_PASSES else HURRIED for name in HOSTILE}
    with open_sandbox(limits=PATIENT, workers=2) as opened:
        running = [
            opened.submit(program(outside.solution(name), name), limits[name], check="upstream")
            for name in HOSTILE
        ]
        passed = {name for name, future in zip(HOSTILE, running, strict=True) if future.result().passed}
        assert_next_is_judged_rightly(opened, outside)
    assert passed == set(FALSE_PASSES)
    assert marked() == []
    assert outside.touched() == set()


@pytest.mark.parametrize("name", HARM)
def test_the_outside_is_there_to_be_reached(outside: Outside, name: str):
    """Only the sandbox keeps these from doing harm. The folders of this machine are not touched."""
    solution = outside.solution(name)
    solution = solution.replace('os.walk("/")', "os.walk(HOST_FOLDER)")
    solution = re.sub(r"\(\s*\"/\", .*?HOST_FOLDER, .*?\)", "[HOST_FOLDER]", solution, flags=re.DOTALL)
    with Sandbox(tiers.unsandboxed(), limits=PATIENT, workers=1) as bare:
        result = bare.run(program(solution))
    assert result.error == ""
    reached = {"network_tcp": "tcp", "network_udp": "udp", "network_unix": "unix"}
    left = dict.fromkeys(["write_outside", "symbolic_links"], "left-behind")
    assert outside.touched() == {what for by, what in {**reached, **left}.items() if by == name}


def test_a_right_program_leaves_nothing_either(sandbox: Sandbox, outside: Outside):
    solution = outside.solution("orphan_of_a_pass").replace(
        "return None", "time.sleep(0.1)\n    return a + b"
    )
    assert sandbox.run(program(f"import time\n{solution}")).error == ""
    assert marked() == []


def test_marked_processes_are_seen_while_they_live(outside: Outside):
    with open_sandbox(limits=PATIENT, workers=1) as opened:
        running = opened.submit(program(outside.solution("sleeper")))
        wait_until(marked)
        assert not running.done()
    assert not running.result().passed
    assert marked() == []


#: With Landlock alone a program may start no process, since a limit would count all processes of the user.
FORKING = [
    "fork_answers",
    "fork_race",
    "orphan",
    "orphan_of_a_pass",
    "other_reaper",
    "sleeper",
]
#: With Landlock alone these are ended, since their folder has no file system of its own.
FILLING = ["closed_pipes_to_write", "fill_disk", "many_files", "removed_files"]
#: What these meet with Landlock alone.
LANDLOCKS_ERRORS = dict.fromkeys(FORKING, r"BlockingIOError: \[Errno 11\] .*") | dict.fromkeys(
    FILLING, "took more of the disk than it may"
)


def test_landlock_holds_too(outside: Outside):
    tier = next(tier for tier in tiers.tiers() if tier.name.startswith("Landlock"))
    if tier.unavailable:
        pytest.skip(tier.unavailable)
    walls = EXPECTED_ERRORS | LANDLOCKS_ERRORS
    with Sandbox(tier, limits=PATIENT, workers=2) as second:
        running = {
            name: second.submit(program(outside.solution(name), name), limits_of(name))
            for name in sorted(walls)
        }
        errors = {name: future.result().error for name, future in running.items()}
        assert second.run(program(outside.solution("left_state_twin"))).error == ""
    assert {name: error for name, error in errors.items() if not re.fullmatch(walls[name], error)} == {}
    assert marked() == []
    assert outside.touched() == set()
